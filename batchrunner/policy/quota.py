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

from .calibration import Calibration, Mark
from .discovery import USED, Discovery
from .ratelimit import NOTHING, Advertised, Limit
from .verdict import Cause, Throttled
from .window import EPSILON, UNLIMITED, Window

LONGEST_PAUSE = 60.0  #: limits renew within a minute; who asks for more is asked again
FIRST_PAUSE = 1.0  #: where the service does not say how long
SLACK = 0.05  #: seconds on the way; the service counts a request when it arrives
SLACK_SHARE = 0.02  #: of a window's span, at most
LONGEST_PATIENCE = 4.0
PARTS, SMALLEST_PART = 4, 4.0  #: of a first burst, each sent when no refusal came for the last
BRISK = 3.0  #: times the pace of the limit that is kept to once the limit was reached
REFUSAL = 0.2  #: seconds that a refusal takes, to begin with
SHORTEST_REFUSAL, LONGEST_REFUSAL = 0.05, 5.0


@dataclass(slots=True)
class _Axis:
    """The windows of requests or of tokens: one for what was named, one for what was found."""

    configured: Limit | None
    advertised: Limit | None = None
    patience: float = 1.0  #: times the slack; grows when requests come too early
    named: Window = field(init=False, default_factory=lambda: Window(UNLIMITED))
    found: Window = field(init=False, default_factory=lambda: Window(UNLIMITED))
    discovery: Discovery = field(init=False, default_factory=Discovery)

    def __post_init__(self) -> None:
        self.adopt(0.0)

    @property
    def limit(self) -> Limit | None:
        """The lower of what is advertised and what is configured; the service knows its spans."""
        said = [limit for limit in (self.advertised, self.configured) if limit is not None]
        return min(said, key=_pace_of, default=None)

    @property
    def narrowest(self) -> Limit:
        """The limit with the lower pace of the two."""
        return min(self.named.limit, self.found.limit, key=_pace_of)

    def adopt(self, now: float) -> None:
        self.named.resize(now, self.limit or UNLIMITED)
        self.found.resize(now, self.discovery.believed or UNLIMITED)

    def wait(self, now: float, amount: float) -> float:
        return max(self.named.wait(now, amount), self.found.wait(now, amount))

    def use(self, now: float) -> float:
        return max(w.used(now) / w.limit.amount for w in (self.named, self.found))

    def take(self, now: float, amount: float) -> None:
        for window in (self.named, self.found):
            window.take(self._counted(window, now), amount)

    def give_back(self, sent: float, amount: float) -> None:
        for window in (self.named, self.found):
            window.give_back(self._counted(window, sent), amount)

    def refuse(self, sent: float) -> None:
        """A request was refused, so it is no part of what passed."""
        self.found.give_back(self._counted(self.found, sent), 1.0)

    def stopped(self, now: float) -> None:
        """A 429 where the windows had let the request go.

        With a window nearly used up it came a moment too early: more time is left for the way.
        """
        nearly = any(w.used(now) >= USED * w.limit.amount for w in (self.named, self.found))
        if nearly and not self.discovery.is_trying:
            self.patience = min(2 * self.patience, LONGEST_PATIENCE)
        if self.named.used(now) < USED * self.named.limit.amount:
            self.discovery.stopped(now)

    def reopened(self, now: float, sent: float) -> None:
        self.discovery.reopened(sent, self.found)
        self.adopt(now)

    def passed(self, now: float) -> None:
        believed = self.discovery.believed
        self.discovery.passed(now, self.found, is_named=self.limit is not None)
        if self.discovery.believed is not believed:
            self.adopt(now)

    def _counted(self, window: Window, sent: float) -> float:
        """The latest moment at which the service counts a request sent at ``sent``."""
        return sent + self.patience * min(SLACK, window.limit.span * SLACK_SHARE)


@dataclass(slots=True)
class Quota:
    """What may be sent, and when."""

    requests: Limit | None = None  #: as configured
    tokens: Limit | None = None
    generation: int = field(init=False, default=0)
    throttled: float = field(init=False, default=0.0)  #: seconds closed so far, or soon to be
    _requests: _Axis = field(init=False)
    _tokens: _Axis = field(init=False)
    _closed_until: float = field(init=False, default=-math.inf)
    _is_probing: bool = field(init=False, default=False)
    _probe_sent: float | None = field(init=False, default=None)
    _failed_probes: int = field(init=False, default=0)
    _calibration: Calibration = field(init=False, default_factory=Calibration)
    _expected: float = field(init=False, default=0.0)  #: tokens of all requests, as expected
    _asked_until: float = field(init=False, default=-math.inf)
    _is_trusted: bool = field(init=False, default=True)  #: whether Retry-After was never a lie
    _refusal: float = field(init=False, default=REFUSAL)
    _is_hurried: bool = field(init=False, default=False)
    _is_saturated: bool = field(init=False, default=False)
    _pace: Window = field(init=False, default_factory=lambda: Window(UNLIMITED))

    def __post_init__(self) -> None:
        self._requests, self._tokens = _Axis(self.requests), _Axis(self.tokens)
        self._set_pace(0.0)

    @property
    def known(self) -> bool:
        """Whether somebody said how many requests or tokens there are."""
        return self._requests.limit is not None or self._tokens.limit is not None

    def closed_until(self, now: float) -> float | None:
        """When a closed quota opens; None where it is open."""
        return self._closed_until if self._closed_until - now > EPSILON else None

    def wait(self, now: float, tokens: float) -> float:
        """Seconds until one request of ``tokens`` may be sent."""
        wait = max(
            self._requests.wait(now, 1.0),
            self._tokens.wait(now, tokens * self._calibration.factor),
            self._pace.wait(now, 1.0) if self._is_saturated else 0.0,
        )
        if not self._is_probing:
            return wait
        if self._probe_sent is None:
            return max(wait, 0.0 if (until := self.closed_until(now)) is None else until - now)
        patience = self._probe_sent + self._refusal - now
        return max(wait, patience) if patience > EPSILON else wait

    def pause(self, now: float) -> float:
        """Seconds until the next part of a first burst may be sent, though the limits allow it."""
        return 0.0 if self._is_saturated else self._pace.wait(now, 1.0)

    def hurry(self) -> None:
        """No later jobs need room: send bursts in parts again, at once."""
        self._is_hurried = True
        self._pace.resize(0.0, UNLIMITED)

    def use(self, now: float) -> float:
        """The share of the most used limit that is taken, from 0 to 1."""
        return max(self._requests.use(now), self._tokens.use(now))

    def take(self, now: float, tokens: float) -> Mark:
        """Send a request of ``tokens`` at ``now``."""
        if self._is_probing:
            if self._probe_sent is None:
                self._probe_sent = now
            else:  # it has not been refused in time
                self._reopen(now, self._probe_sent)
        self._requests.take(now, 1.0)
        self._tokens.take(now, tokens * self._calibration.factor)
        self._pace.take(now, 1.0)
        self._set_pace(now)
        self._expected += tokens
        return Mark(self._expected, self._tokens.named.expired, self._calibration.returned)

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
            self._requests.passed(now)
            self._tokens.passed(now)
            self._set_pace(now)

    def refuse(self, sent: float, tokens: float) -> None:
        """Return the tokens of a throttled request; as a request it may count all the same."""
        self._requests.refuse(sent)
        self._return(sent, tokens)

    def throttle(self, now: float, sent: float, generation: int, verdict: Throttled) -> bool:
        """Close after a 429; returns whether it began a burst, False for late news of one."""
        recent = max(SHORTEST_REFUSAL, self._refusal * 0.9, 1.5 * (now - sent))
        self._refusal = min(LONGEST_REFUSAL, recent)
        if generation != self.generation:
            return False
        self._note(now, verdict.cause)
        self._failed_probes += self._is_probing
        asked = verdict.wait if self._is_trusted else None
        pause = self._pause(asked)
        self._asked_until = now + (asked or 0.0)
        self.throttled += pause
        self._closed_until = now + pause
        self._is_probing, self._probe_sent = True, None
        self.generation += 1
        return True

    def advertise(self, now: float, limits: Advertised, mark: Mark) -> None:
        """Take in what a reply says of the limits; what it leaves out still holds."""
        if limits is NOTHING:
            return
        if limits.tokens is not None and limits.tokens_left is not None:
            total = limits.tokens.amount
            self._calibration.compare(mark, total - limits.tokens_left, total)
        for axis, limit in ((self._requests, limits.requests), (self._tokens, limits.tokens)):
            if limit is not None and limit != axis.advertised:
                axis.advertised = limit
                axis.adopt(now)
                self._set_pace(now)

    def _return(self, sent: float, tokens: float) -> None:
        self._tokens.give_back(sent, tokens * self._calibration.factor)
        self._expected -= tokens
        self._calibration.return_()

    def _note(self, now: float, cause: Cause) -> None:
        """Learn from the first 429 of a burst; a failed probe says nothing new."""
        if cause is Cause.CAPACITY:
            self._requests.discovery.interrupted()
            self._tokens.discovery.interrupted()
        elif not self._is_probing:
            if cause is Cause.TOKENS:
                self._calibration.correct()
                self._tokens.stopped(now)
            else:
                self._requests.stopped(now)

    def _reopen(self, now: float, sent: float) -> None:
        self._is_trusted = self._is_trusted and sent >= self._asked_until - EPSILON
        self._is_probing, self._probe_sent, self._failed_probes = False, None, 0
        self._requests.reopened(now, sent)
        self._tokens.reopened(now, sent)
        self._set_pace(now)

    def _set_pace(self, now: float) -> None:
        """Send a first burst in parts, so that a surprise costs only one of them.

        Once a limit was reached, bursts gain nothing: a brisk pace reaches it as well, and what
        was missed while a region was closed can be caught up with.
        """
        limit = self._requests.narrowest
        if math.isinf(limit.amount):
            self._pace.resize(now, UNLIMITED)
            return
        part = max(SMALLEST_PART, limit.amount / PARTS)
        one = limit.span / limit.amount / BRISK
        if self._requests.use(now) >= USED:
            self._is_saturated = True
        elif self._requests.use(now) == 0:
            self._is_saturated = False
        is_even = self._is_saturated and not self._is_hurried
        pace = Limit(1.0, one) if is_even else Limit(part, self._refusal)
        self._pace.resize(now, max(pace, Limit(1.0, one), key=_pace_of))

    def _pause(self, asked: float | None) -> float:
        own = FIRST_PAUSE * 2.0 ** min(self._failed_probes, 6)
        if asked is None:
            return min(LONGEST_PAUSE, own)
        return min(LONGEST_PAUSE, max(asked, own / 4 if self._failed_probes else 0.0))


def _pace_of(limit: Limit) -> float:
    """Units a second, to within rounding."""
    return round(limit.amount / limit.span, 6)
