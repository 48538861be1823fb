"""What a limit must be when nobody says.

Theory of operation. A service that names no limit still shows two things: how much passed before
it said 429, and when it let requests through again. What passed, over the time from the first of
it to the opening, becomes the believed limit, and a window keeps to it; since services count by
the second, by ten seconds or by the minute, a span that is a little longer than one of these is
taken for it. What happens later corrects the belief: a 429 before the window was used up lowers
the amount, an opening later than expected lengthens the span.

A believed limit errs towards waiting, and limits rise again, so after a whole span that used it
up a little more is tried: a shorter span first where it is none of the usual ones, a larger
amount else. A try that meets a 429 is taken back, and the next one waits until the time that the
quota was closed for it is a small part of all.
"""

import math
from dataclasses import dataclass, field

from .ratelimit import MINUTE, Limit
from .window import Window

SHORTEST = 0.5  #: seconds; a shorter span would only repeat the pace of single replies
USUAL = (1.0, 10.0, MINUTE)  #: the spans that services are known to count over
ROUNDING = 0.15  #: how much longer than a usual span a measured one may be to be taken for it
USED = 0.9  #: the part of a limit that must be used for its holding to mean anything
EARLIER = 0.9  #: the part of the span that a try keeps
MORE = 1.05  #: the amount of the first try; every success doubles the step, up to ``MOST``
MOST = 1.5
AGAIN = 4.0  #: spans; two 429s within them are no accident
PRICE = 70.0  #: seconds to the next try for every second that a failed one cost


@dataclass(slots=True)
class Discovery:
    """The belief about one axis of a quota, corrected by what passes and what does not."""

    believed: Limit | None = None
    _held: Limit | None = field(init=False, default=None)  #: to go back to while trying
    _shortest: float = field(init=False, default=SHORTEST)  #: spans below have failed
    _more: float = field(init=False, default=MORE)
    _changed: float = field(init=False, default=-math.inf)
    _next_try: float = field(init=False, default=-math.inf)
    _is_used_up: bool = field(init=False, default=False)
    _stopped: float | None = field(init=False, default=None)
    _again_until: float = field(init=False, default=-math.inf)  #: a 429 by then is no accident

    @property
    def is_trying(self) -> bool:
        """Whether the belief is a try that has not held yet."""
        return self._held is not None

    def stopped(self, now: float) -> None:
        """The first 429 of a burst."""
        if self._stopped is None:
            self._stopped = now
        if self._held is not None and self.believed is not None:
            if self.believed.span < self._held.span:
                self._shortest = self.believed.span
            self.believed, self._held, self._more = self._held, None, MORE
            self._next_try = math.inf

    def reopened(self, sent: float, window: Window, *, is_named: bool) -> None:
        """The first request after that, sent at ``sent``, was let through.

        Where somebody names a limit, a single surprise is no reason to believe in another.
        """
        if self._stopped is None:
            return
        stopped, self._stopped = self._stopped, None
        self._again_until, again = stopped + AGAIN * self._span, stopped < self._again_until
        self._changed, self._is_used_up = sent, False
        if self._next_try == math.inf:  # it was a try that ended here
            self._next_try = sent + PRICE * (sent - stopped)
            return
        if is_named and not again:
            return
        span = self._span
        amount, first = window.taken(stopped - span, sent)
        if amount < 1:
            return
        if self.believed is None:
            self.believed = Limit(amount, usual(sent - first))
        elif amount < (1.0 if again else USED) * self.believed.amount:
            self.believed = Limit(amount, span)
        else:
            self.believed = Limit(self.believed.amount, max(span, usual(sent - first)))

    def interrupted(self) -> None:
        """The quota was closed for another reason: what passed so far says nothing.

        What a failed try costs is still to be known.
        """
        if self._next_try < math.inf:
            self._stopped = None

    def passed(self, now: float, window: Window, *, is_named: bool) -> None:
        """A request was let through; once in a while that is reason to try a little more.

        Where somebody names a limit, a belief that held has served its time.
        """
        if self.believed is None:
            return
        if window.used(now) >= USED * self.believed.amount:
            self._is_used_up = True
        if self._is_used_up and now >= self._changed + 2 * self.believed.span:
            if is_named:
                self.believed = self._held = None
            else:
                self._hold(now, self.believed)

    @property
    def _span(self) -> float:
        return MINUTE if self.believed is None else self.believed.span

    def _hold(self, now: float, believed: Limit) -> None:
        """The believed limit was used up for a whole span and held."""
        if self._held is not None:
            self._more = min(MOST, 2 * self._more - 1)
            self._held = None
        if now < self._next_try:
            return
        self._held, self._changed, self._is_used_up = believed, now, False
        span = usual(believed.span * EARLIER)
        if believed.span not in USUAL and span > self._shortest:
            self.believed = Limit(believed.amount, span)
        else:
            more = max(believed.amount + 1, believed.amount * self._more)
            self.believed = Limit(more, believed.span)


def usual(span: float) -> float:
    """The usual span that a measured one stands for, or the measured one itself."""
    near = (known for known in USUAL if known <= span <= known * (1 + ROUNDING))
    return next(near, max(SHORTEST, span))
