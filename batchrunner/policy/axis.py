"""One axis of a quota, requests or tokens: what was named, and what was found.

Until a limit is known or a request is refused, one window remembers what was taken for both.
"""

import math
from dataclasses import dataclass, field

from .discovery import USED, Discovery
from .ratelimit import MINUTE, Advertised, Limit
from .window import UNLIMITED, Window

SLACK = 0.05  #: seconds on the way; the service counts a request when it arrives
SLACK_SHARE = 0.02  #: of a window's span, at most
LONGEST_PATIENCE = 4.0
MORE_THAN_A_SLICE = 1.5  #: slices that the service must count for its window to be no slice


@dataclass(slots=True)
class Axis:
    """Two windows over the same requests: for the limit that somebody named, and the found one."""

    configured: Limit | None
    advertised: Limit | None = None
    patience: float = 1.0  #: times the slack; grows when requests come too early
    factor: float = 1.0  #: what the service counts for a unit of ours
    is_whole: bool = field(init=False, default=False)  #: a minute is not cut into slices
    _fitting: Limit | None = field(init=False)  #: the largest limit that was ever configured
    largest: float = field(init=False, default=math.inf)  #: what may be asked for at once
    limit: Limit | None = field(init=False, default=None)  #: the lower of those that were named
    narrowest: Limit = field(init=False, default=UNLIMITED)  #: the lowest of all, by its pace
    named: Window = field(init=False, default_factory=lambda: Window(UNLIMITED))
    found: Window = field(init=False)  #: the same window until they differ
    discovery: Discovery = field(init=False, default_factory=Discovery)
    is_free: bool = field(init=False, default=True)  #: no limit is known, neither named nor found
    _limited: tuple[Window, ...] = field(init=False, default=())
    _named_slack: float = field(init=False)  #: seconds after which a request has been counted
    _found_slack: float = field(init=False)

    def __post_init__(self) -> None:
        self._fitting = self.configured
        self.found = self.named
        self.adopt(0.0)

    @property
    def per_minute(self) -> float | None:
        """The lower of the limits that were named and found, as the service counts.

        None where none is known.
        """
        if self.is_free:
            return None
        amount, span = self.narrowest.amount, self.narrowest.span
        return round(amount * self.factor / span * MINUTE, 3)  # a pace is rounded too much for it

    def adopt(self, now: float) -> None:
        """Keep to the limits that hold now, in units of ours.

        Of what is advertised and configured the lower holds; the service knows its spans.
        """
        said = [limit for limit in (self.advertised, self.configured) if limit is not None]
        self.limit = min(said, key=_pace, default=None)
        named, found = UNLIMITED, self.discovery.believed or UNLIMITED
        if self.limit is not None:
            named = Limit(self.limit.amount / self.factor, self.limit.span)
        fitting = [limit for limit in (self.advertised, self._fitting) if limit is not None]
        self.largest = min(fitting, key=_pace, default=UNLIMITED).amount
        if named is not UNLIMITED or found is not UNLIMITED:
            self._part()
        self.named.resize(now, named)
        self.found.resize(now, found)
        self.narrowest = min(named, found, key=_pace)
        windows = (self.named, self.found)
        self._limited = tuple(window for window in windows if window.limit is not UNLIMITED)
        self.is_free = not self._limited
        self._allow()

    def advertise(self, now: float, limit: Limit | None) -> bool:
        """A reply names ``limit``; returns whether that is news."""
        if limit is None or limit is self.advertised or limit == self.advertised:
            return False
        self.advertised = limit
        self.adopt(now)
        return True

    def configure(self, now: float, limit: Limit) -> None:
        """Another limit is set from ``now`` on; what was taken before counts.

        A job that was not too large before is none now: it is sent alone, in an empty window.
        """
        if self._fitting is not None:
            self._fitting = max(self._fitting, limit, key=_pace)
        self.configured = limit
        self.adopt(now)

    def unsliced(self, said: Advertised) -> Limit | None:
        """The request limit that a reply names.

        A limit of a minute is taken to hold in slices of it, of which no more than one is ever
        sent at once; a service that counts more than that at a time does not cut the minute.
        """
        if said.minute is None or said.requests is None:
            return said.requests
        counted = said.minute.amount - (said.requests_left or said.minute.amount)
        if counted > MORE_THAN_A_SLICE * said.requests.amount:
            self.is_whole = True
        return said.minute if self.is_whole else said.requests

    def wait(self, now: float, amount: float) -> float:
        """Seconds from ``now`` until both windows have room for ``amount``."""
        longest = 0.0
        for window in self._limited:
            if (wait := window.wait(now, amount)) > longest:
                longest = wait
        return longest

    def use(self, now: float) -> float:
        """The share of the more used window that is taken."""
        most = 0.0
        for window in self._limited:
            if (share := window.share(now)) > most:
                most = share
        return most

    def take(self, now: float, amount: float) -> None:
        """Send a request at ``now`` that takes ``amount``."""
        self.named.take(now + self._named_slack, amount)
        if self.found is not self.named:
            self.found.take(now + self._found_slack, amount)

    def give_back(self, sent: float, amount: float) -> None:
        """Return what a request sent at ``sent`` took and the service did not count."""
        self.named.give_back(sent + self._named_slack, amount)
        if self.found is not self.named:
            self.found.give_back(sent + self._found_slack, amount)

    def refuse(self, sent: float) -> None:
        """A request was refused, so it is no part of what passed."""
        self._part()
        self.found.give_back(sent + self._found_slack, 1.0)

    def is_used_up(self, now: float) -> bool:
        """Whether the named limit is nearly used up by our own count, or was a moment ago."""
        return self._is_used_up(now, self.named)

    def stopped(self, now: float) -> None:
        """A 429 where the windows had let the request go.

        With a window nearly used up it came a moment too early: more time is left for the way.
        """
        nearly = self.is_used_up(now) or self._is_used_up(now, self.found)
        if nearly and not self.discovery.is_trying:
            self.patience = min(2 * self.patience, LONGEST_PATIENCE)
            self._allow()
        if not self.is_used_up(now):
            self.discovery.stopped(now)

    def reopened(self, now: float, sent: float) -> None:
        """After a closed time, the request sent at ``sent`` was let through."""
        self.discovery.reopened(sent, self.found, is_named=self.limit is not None)
        self.adopt(now)

    def passed(self, now: float) -> None:
        """A request was let through."""
        if (believed := self.discovery.believed) is None:
            return
        self.discovery.passed(now, self.found, is_named=self.limit is not None)
        if self.discovery.believed is not believed:
            self.adopt(now)

    def _part(self) -> None:
        """From now on what was found may differ from what was named."""
        if self.found is self.named:
            self.found = self.named.copy()

    def _is_used_up(self, now: float, window: Window) -> bool:
        limit = window.limit
        moment = self.patience * SLACK_SHARE * limit.span
        return window.taken(now - limit.span - moment, math.inf)[0] >= USED * limit.amount

    def _allow(self) -> None:
        """Set how much later than it was sent the service may count a request."""
        self._named_slack = self.patience * min(SLACK, self.named.limit.span * SLACK_SHARE)
        self._found_slack = self.patience * min(SLACK, self.found.limit.span * SLACK_SHARE)


def _pace(limit: Limit) -> float:
    return limit.pace
