"""An allowance of requests and tokens, shared by the regions of one quota group.

Theory of operation. Windows keep the quota below the limits that somebody named, in the settings
or in headers, and below those that were discovered. A 429 closes the quota for a while: *once*
for each burst, because every request carries the generation in which it was sent, and news of an
older generation is late. After the closed time a single request goes first. When it was let
through, or has not been refused for longer than a refusal takes, the others follow at the pace of
the windows; if it is refused, the quota closes again, each time for longer.
"""

import math
from dataclasses import dataclass, field

from .axis import Axis
from .calibration import Calibration, Mark
from .pace import Pace
from .ratelimit import NOTHING, Advertised, Limit
from .verdict import Cause, Throttled
from .window import EPSILON, Window

LONGEST_PAUSE = 60.0  #: limits renew within a minute; who asks for more is asked again
WEIGHT = 0.05  #: of one request in the mean of their tokens
FIRST_PAUSE = 1.0  #: where the service does not say how long


@dataclass(slots=True)
class Quota:
    """What may be sent, and when."""

    requests: Limit | None = None  #: as configured
    tokens: Limit | None = None
    generation: int = field(init=False, default=0)
    throttled: float = field(init=False, default=0.0)  #: seconds closed so far, or soon to be
    is_free: bool = field(init=False, default=True)  #: no limit is known, and it is not closed
    _requests: Axis = field(init=False)
    _tokens: Axis = field(init=False)
    _closed_until: float = field(init=False, default=-math.inf)
    _is_probing: bool = field(init=False, default=False)
    _probe_sent: float | None = field(init=False, default=None)
    _failed_probes: int = field(init=False, default=0)
    _calibration: Calibration = field(init=False, default_factory=Calibration)
    _expected: float = field(init=False, default=0.0)  #: tokens of all requests, as expected
    _mean_tokens: float = field(init=False, default=1.0)  #: of the last requests
    _asked_until: float = field(init=False, default=-math.inf)
    _is_trusted: bool = field(init=False, default=True)  #: whether Retry-After was never a lie
    _pace: Pace = field(init=False, default_factory=Pace)

    def __post_init__(self) -> None:
        self._requests, self._tokens = Axis(self.requests), Axis(self.tokens)
        self._set_pace(0.0)

    @property
    def known(self) -> bool:
        """Whether somebody said how many requests or tokens there are."""
        return self._requests.limit is not None or self._tokens.limit is not None

    @property
    def requests_per_minute(self) -> float | None:
        """What is known of the limit; None where nothing is."""
        return self._requests.per_minute

    @property
    def tokens_per_minute(self) -> float | None:
        """The same for tokens, as the service counts them."""
        return self._tokens.per_minute

    @property
    def largest(self) -> float:
        """Tokens of the largest request that can ever pass, as far as is known."""
        return self._tokens.largest

    def closed_until(self, now: float) -> float | None:
        """When a closed quota opens; None where it is open."""
        return self._closed_until if self._closed_until - now > EPSILON else None

    def wait_for_any(self, now: float) -> float:
        """Seconds until a request may be sent that takes no tokens: the least for any other."""
        wait = self._requests.wait(now, 1.0)
        if self._pace.is_even:
            wait = max(wait, self._pace.wait(now))
        if not self._is_probing:
            return wait
        if self._probe_sent is None:
            return max(wait, 0.0 if (until := self.closed_until(now)) is None else until - now)
        patience = self._probe_sent + self._pace.refusal - now
        return max(wait, patience) if patience > EPSILON else wait

    def wait_for_tokens(self, now: float, tokens: float) -> float:
        """Seconds until there is room for ``tokens``, whatever the requests."""
        return self._tokens.wait(now, tokens)

    def pause(self, now: float) -> float:
        """Seconds until the next part of a first burst may be sent, though the limits allow it."""
        return 0.0 if self._pace.is_even else self._pace.wait(now)

    def hurry(self) -> None:
        """No later jobs need room: send bursts in parts again, at once."""
        self._pace.hurry()

    def use(self, now: float) -> float:
        """The share of the most used limit that is taken, from 0 to 1."""
        return max(self._requests.use(now), self._tokens.use(now))

    def take(self, now: float, tokens: float) -> Mark | None:
        """Send a request of ``tokens`` at ``now``."""
        if self._is_probing:
            if self._probe_sent is None:
                self._probe_sent = now
            else:  # it has not been refused in time
                self._reopen(now, self._probe_sent)
        self._requests.take(now, 1.0)
        self._tokens.take(now, tokens)
        self._mean_tokens += WEIGHT * (tokens - self._mean_tokens)
        self._expected += tokens
        self._pace.take(now)
        if not self.is_free:
            self._set_pace(now)
        return self._calibration.mark(now, self._expected, self._tokens.named.expired)

    def give_back(self, sent: float, tokens: float, generation: int) -> None:
        """Return what a request sent at ``sent`` took, but that never reached the service."""
        self.forget(sent, generation)
        self._requests.give_back(sent, 1.0)
        self._return(sent, tokens)

    def forget(self, sent: float, generation: int) -> None:
        """A request ended without telling anything of the quota."""
        if generation == self.generation and sent == self._probe_sent:
            self._probe_sent = None

    def pass_(self, now: float, sent: float, generation: int) -> None:
        """A request sent at ``sent`` was let through."""
        if generation != self.generation:
            return
        if self._is_probing:
            self._reopen(now, sent)
        else:
            if self.is_free:
                return
            self._requests.passed(now)
            self._tokens.passed(now)
            if self._tokens.limit is not None:
                self._ease(now, self._tokens.named)
            self._set_pace(now)

    def refuse(self, sent: float, tokens: float) -> None:
        """Return the tokens of a throttled request; as a request it may count all the same."""
        self._requests.refuse(sent)
        self._return(sent, tokens)

    def throttle(
        self, now: float, sent: float, tokens: float, generation: int, verdict: Throttled
    ) -> bool:
        """Close after a 429; returns whether it began a burst, False for late news of one."""
        self._pace.refused(now - sent)
        if generation != self.generation:
            return False
        self._failed_probes += self._is_probing
        asked = self._asked(now, verdict) if self._is_trusted else None
        self._note(now, tokens, verdict.cause)
        pause = self._pause(asked)
        self._asked_until = now + (asked or 0.0)
        self.throttled += pause
        self._closed_until = now + pause
        self._is_probing, self._probe_sent, self.is_free = True, None, False
        self.generation += 1
        return True

    def advertise(
        self, now: float, limits: Advertised, mark: Mark | None, then: float, expected: float
    ) -> None:
        """Take in what a reply says of the limits; what it leaves out still holds.

        The request was sent at ``mark`` as one of ``then`` tokens; by what is known now it is one
        of ``expected``.
        """
        if limits is NOTHING:
            return
        if limits.tokens is not None and limits.tokens_left is not None:
            used = limits.tokens.amount - limits.tokens_left
            self._calibration.compare(mark, limits.tokens, used, then=then, expected=expected)
            self._calibrate(now)
        requests = self._requests.unsliced(limits)
        for axis, limit in ((self._requests, requests), (self._tokens, limits.tokens)):
            if axis.advertise(now, limit):
                self._set_pace(now)

    def configure(
        self, now: float, *, requests: Limit | None = None, tokens: Limit | None = None
    ) -> None:
        """Set other limits from ``now`` on; None leaves one as it is.

        What was sent counts, and lower limits that the service advertises hold as ever.
        """
        for axis, limit in ((self._requests, requests), (self._tokens, tokens)):
            if limit is not None:
                axis.configure(now, limit)
        self._set_pace(now)

    def _return(self, sent: float, tokens: float) -> None:
        self._tokens.give_back(sent, tokens)
        self._expected -= tokens
        self._calibration.return_()

    def _note(self, now: float, tokens: float, cause: Cause) -> None:
        """Learn from the first 429 of a burst; a failed probe says nothing new."""
        if cause is Cause.CAPACITY:
            self._requests.discovery.interrupted()
            self._tokens.discovery.interrupted()
        elif not self._is_probing:
            if cause is Cause.TOKENS:
                self._correct(now, tokens)
                self._tokens.stopped(now)
            else:
                self._requests.stopped(now)

    def _correct(self, now: float, refused: float) -> None:
        if self._tokens.limit is not None and self._tokens.is_used_up(now):
            used = self._tokens.named.used(now)
            self._calibration.correct(now, self._tokens.limit, used, refused)
            self._calibrate(now)

    def _ease(self, now: float, named: Window) -> None:
        if self._calibration.ease(now, named.share(now), named.limit):
            self._calibrate(now)

    def _calibrate(self, now: float) -> None:
        if self._tokens.factor != self._calibration.factor:
            self._tokens.factor = self._calibration.factor
            self._tokens.adopt(now)

    def _reopen(self, now: float, sent: float) -> None:
        self._is_trusted = self._is_trusted and sent >= self._asked_until - EPSILON
        self._is_probing, self._probe_sent, self._failed_probes = False, None, 0
        self._requests.reopened(now, sent)
        self._tokens.reopened(now, sent)
        self._set_pace(now)

    def _set_pace(self, now: float) -> None:
        free = self._requests.is_free and self._tokens.is_free
        self.is_free = free and not self._is_probing
        requests, tokens = self._requests.use(now), self._tokens.use(now)
        if requests >= tokens:
            axis, use, size = self._requests, requests, 1.0
        else:
            axis, use, size = self._tokens, tokens, self._mean_tokens
        limit = axis.narrowest
        self._pace.adapt(now, limit, use, size, is_named=limit is axis.named.limit)

    def _asked(self, now: float, verdict: Throttled) -> float | None:
        """What to wait for: room for one request where we know the limit, else all of it."""
        axes = {Cause.REQUESTS: self._requests, Cause.TOKENS: self._tokens}
        axis = axes.get(verdict.cause)
        return verdict.asked if axis is not None and axis.is_used_up(now) else verdict.wait

    def _pause(self, asked: float | None) -> float:
        own = FIRST_PAUSE * 2.0 ** min(self._failed_probes, 6)
        if asked is None:
            return min(LONGEST_PAUSE, own)
        return min(LONGEST_PAUSE, max(asked, own / 4 if self._failed_probes else 0.0))
