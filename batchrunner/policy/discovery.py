"""What a limit must be when nobody says.

Theory of operation. A service that names no limit still shows two things: how many requests
passed before it said 429, and when it let requests through again. What passed between two
openings, over the time between them, becomes the believed limit, and the quota keeps to it.

A believed limit errs towards waiting: the opening was noticed late, and another client may have
used a part. So after a cycle that used it up without a 429, a little more is tried: first a
shorter span, down to the last one known to fail, then a larger amount. A try that meets a 429
goes back to the last limit that held, and the next try comes after twice as many cycles.
"""

from dataclasses import dataclass, field

from .ratelimit import MINUTE, Limit

SHORTEST = 0.5  #: seconds; a shorter span would only repeat the pace of single replies
EARLIER = 0.9  #: the part of the span that a try keeps
MORE = 1.05  #: the amount that a try takes
USED = 0.9  #: a cycle that used less of the limit proves nothing
LONGEST_PATIENCE = 64


@dataclass(slots=True)
class Discovery:
    """Counts what passes from one opening of a quota to the next."""

    believed: Limit | None = None
    _held: Limit | None = None  #: the last limit that held for a whole cycle
    _opened: float | None = None  #: when the first request of this cycle was sent
    _passed: float = 0.0
    _floor: float = SHORTEST  #: the longest span that was tried and failed
    _patience: int = 1
    _cycles: int = 0  #: that held since the last try
    _trying: bool = field(default=False)

    def passed(self, sent: float) -> None:
        """A request sent at ``sent`` was let through."""
        if self._opened is None:
            self._opened = sent
        elif self.believed is None:
            self._keep_recent(sent)
        elif sent >= self._opened + self.believed.span:
            self._complete_cycle(self.believed)
            self._opened, self._passed = sent, 0.0
        self._passed += 1

    def passed_late(self) -> None:
        """A request sent before the quota closed was let through after all."""
        self._passed += 1

    def stopped(self) -> None:
        """The quota is closed: the first 429 of a burst."""
        if self._trying and self.believed and self._held:
            self._floor = max(self._floor, self.believed.span)
            self.believed, self._patience = self._held, min(LONGEST_PATIENCE, self._patience * 2)
        elif self.believed:
            self._held = None

    def interrupted(self) -> None:
        """The quota is closed for want of machines: what passed so far says nothing of a limit."""
        self._opened, self._passed = None, 0.0

    def reopened(self, sent: float) -> None:
        """The first request after a closed time, sent at ``sent``, was let through."""
        tried, self._trying = self._trying, False
        if not tried and self._opened is not None and self._passed:
            span = max(SHORTEST, sent - self._opened)
            self.believed = Limit(self._passed, span)
        self._opened, self._passed, self._cycles = sent, 1.0, 0

    def _keep_recent(self, sent: float) -> None:
        """Forget the older half of a long open time: only the last minute counts for a limit."""
        assert self._opened is not None  # noqa: S101 - the caller has looked
        if (open_for := sent - self._opened) > MINUTE:
            self._opened += open_for / 2
            self._passed /= 2

    def _complete_cycle(self, believed: Limit) -> None:
        if self._passed < USED * believed.amount:
            return
        self._held, self._trying = believed, False
        self._cycles += 1
        if self._cycles < self._patience:
            return
        self._cycles, self._trying = 0, True
        shorter = believed.span * EARLIER
        if shorter > self._floor:
            self.believed = Limit(believed.amount, shorter)
        else:
            self.believed = Limit(max(believed.amount + 1, believed.amount * MORE), believed.span)
