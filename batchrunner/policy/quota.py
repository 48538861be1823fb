"""An allowance of requests and tokens, shared by the regions of one quota group.

Theory of operation. Windows keep the quota below the limits that are configured, advertised or
discovered. A 429 closes the quota for a while: *once* for each burst, because every request
carries the generation in which it was sent, and news of an older generation is late. After the
closed time a single request goes first; when it is let through, the others follow at the pace of
the windows. If it is not, the quota closes again, each time for longer.
"""

import math
from dataclasses import dataclass, field

from .discovery import Discovery
from .ratelimit import NOTHING, Advertised, Limit
from .verdict import Cause, Throttled
from .window import EPSILON, UNLIMITED, Window

LONGEST_PAUSE = 60.0  #: limits renew within a minute; who asks for more is asked again
FIRST_PAUSE = 1.0  #: where the service does not say how long
SLACK = 0.25  #: seconds on the way; the service counts a request when it arrives


@dataclass(slots=True)
class Quota:
    """What may be sent, and when."""

    requests: Limit | None = None  #: as configured
    tokens: Limit | None = None
    generation: int = field(init=False, default=0)
    throttled: float = field(init=False, default=0.0)  #: seconds closed so far, or soon to be
    _advertised: Advertised = field(init=False, default=NOTHING)
    _request_window: Window = field(init=False, default_factory=lambda: Window(UNLIMITED))
    _token_window: Window = field(init=False, default_factory=lambda: Window(UNLIMITED))
    _discovery: Discovery = field(init=False, default_factory=Discovery)
    _closed_until: float = field(init=False, default=-math.inf)
    _probing: bool = field(init=False, default=False)
    _probe_is_out: bool = field(init=False, default=False)
    _failed_probes: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._limit(0.0)

    @property
    def known(self) -> bool:
        """Whether somebody said how many requests or tokens there are."""
        return any(self._named())

    def closed_until(self, now: float) -> float | None:
        """When a closed quota opens; None where it is open."""
        return self._closed_until if self._closed_until - now > EPSILON else None

    def wait(self, now: float, tokens: float) -> float:
        """Seconds until one request of ``tokens`` may be sent; infinite while a probe is out."""
        if self._probing and self._probe_is_out:
            return math.inf
        closed = self.closed_until(now)
        return max(
            0.0 if closed is None else closed - now,
            self._request_window.wait(now, 1.0),
            self._token_window.wait(now, tokens),
        )

    def use(self, now: float) -> float:
        """The share of the most used limit that is taken, from 0 to 1."""
        requests, tokens = self._request_window, self._token_window
        return max(
            requests.used(now) / requests.limit.amount, tokens.used(now) / tokens.limit.amount
        )

    def fits(self, tokens: float) -> bool:
        """Whether a request of ``tokens`` is within the limit at all."""
        return tokens <= self._token_window.limit.amount

    def take(self, now: float, tokens: float) -> None:
        """Send a request of ``tokens`` at ``now``."""
        self._probe_is_out = self._probing
        for window, amount in ((self._request_window, 1.0), (self._token_window, tokens)):
            window.take(_counted(window, now), amount)

    def give_back(self, sent: float, tokens: float, generation: int) -> None:
        """Return what a request sent at ``sent`` took, but that never reached the service."""
        self.forget(generation)
        for window, amount in ((self._request_window, 1.0), (self._token_window, tokens)):
            window.give_back(_counted(window, sent), amount)

    def forget(self, generation: int) -> None:
        """A request of ``generation`` ended without telling anything of the quota."""
        if generation == self.generation:
            self._probe_is_out = False

    def pass_(self, now: float, sent: float, generation: int) -> None:
        """A request sent at ``sent`` was let through."""
        if generation != self.generation:
            self._discovery.passed_late()
            return
        if self._probing:
            self._probing = self._probe_is_out = False
            self._failed_probes = 0
            self._discovery.reopened(sent)
        else:
            self._discovery.passed(sent)
        self._limit(now)

    def refund(self, sent: float, tokens: float) -> None:
        """Return the tokens of a request that was throttled; as a request it still counts."""
        self._token_window.give_back(_counted(self._token_window, sent), tokens)

    def throttle(self, now: float, generation: int, verdict: Throttled) -> bool:
        """Close after a 429; returns whether it began a burst, False for late news of one."""
        if generation != self.generation:
            return False
        if verdict.cause is Cause.CAPACITY:
            self._discovery.interrupted()
        elif not self._probing:
            self._discovery.stopped()
        self._failed_probes += self._probing
        pause = self._pause(verdict.wait)
        self.throttled += pause
        self._closed_until = now + pause
        self._probing, self._probe_is_out = True, False
        self.generation += 1
        return True

    def advertise(self, now: float, limits: Advertised) -> None:
        """Take in the limits that a reply's headers name; what they leave out still holds."""
        if limits is not NOTHING:
            known = self._advertised
            limits = Advertised(limits.requests or known.requests, limits.tokens or known.tokens)
            if limits != known:
                self._advertised = limits
                self._limit(now)

    def _pause(self, asked: float | None) -> float:
        own = FIRST_PAUSE * 2.0 ** min(self._failed_probes, 6)
        if asked is None:
            return min(LONGEST_PAUSE, own)
        return min(LONGEST_PAUSE, max(asked, own / 4 if self._failed_probes else 0.0))

    def _named(self) -> tuple[Limit | None, Limit | None]:
        """The limits that somebody named: the lower of configured and advertised."""
        said = self._advertised
        return _lower(self.requests, said.requests), _lower(self.tokens, said.tokens)

    def _limit(self, now: float) -> None:
        """Adopt the limits that hold now: named by somebody, else discovered."""
        requests, tokens = self._named()
        if requests is None and tokens is None:
            requests = self._discovery.believed
        self._request_window.resize(now, requests or UNLIMITED)
        self._token_window.resize(now, tokens or UNLIMITED)


def _counted(window: Window, sent: float) -> float:
    """The latest moment at which the service counts a request sent at ``sent``."""
    return sent + min(SLACK, window.limit.span / 50)


def _lower(one: Limit | None, other: Limit | None) -> Limit | None:
    """The limit with the lower pace; None where there is neither."""
    return min(
        (limit for limit in (one, other) if limit is not None),
        key=lambda limit: limit.amount / limit.span,
        default=None,
    )
