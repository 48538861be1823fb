"""At most so much in any so many seconds.

Theory of operation. Whether a service counts by fixed minutes, by a sliding window or by a
bucket, it never refuses a client that stays within the limit in *every* window of that length.
So a window remembers what was taken, and when each part stops counting: a span after the latest
moment at which the service may have counted it. What was taken within a small part of the span is
kept together, so that a window costs the same whatever the traffic, and errs towards waiting by
a thousandth. What no longer counts is remembered a little longer, in case the limit
turns out to hold for a longer span.
"""

import math
from collections import deque
from dataclasses import dataclass, field, replace

from .ratelimit import MINUTE, Limit

EPSILON = 1e-6  #: a smaller shortfall is rounding, and waiting for it would never end
BINS = 1000
MEMORY = 2 * MINUTE  #: seconds that what was taken is remembered
UNLIMITED = Limit(math.inf, MINUTE)


@dataclass(slots=True)
class _Bin:
    opened: float
    counted: float  #: the latest moment at which the service counts any of it
    amount: float


@dataclass(slots=True)
class Window:
    """An allowance of ``limit.amount`` units in any ``limit.span`` seconds."""

    limit: Limit
    expired: int = field(init=False, default=0)  #: how often something stopped counting
    _amount: float = field(init=False)
    _width: float = field(init=False)  #: seconds of one bin
    _used: float = field(init=False, default=0.0)
    _live: deque[_Bin] = field(init=False, default_factory=deque)
    _past: deque[_Bin] = field(init=False, default_factory=deque)
    _expiry: float = field(init=False, default=math.inf)  #: nothing stops counting before it

    def __post_init__(self) -> None:
        self._adopt(self.limit)

    def used(self, now: float) -> float:
        """How much still counts at ``now``."""
        if self._expiry <= now + EPSILON:
            self._expire(now)
        return self._used

    def room(self, now: float) -> float:
        """How much may be taken at ``now``."""
        return self._amount - self.used(now)

    def share(self, now: float) -> float:
        """The part of the limit that is taken at ``now``."""
        return self.used(now) / self._amount

    def wait(self, now: float, amount: float) -> float:
        """Seconds from ``now`` until ``amount`` may be taken; zero means at once.

        An amount larger than the limit waits for an empty window.
        """
        if self._amount == math.inf:
            return 0.0
        room = self.room(now)
        if amount <= room:
            return 0.0
        missing = min(amount, self._amount) - room
        if missing <= EPSILON:
            return 0.0
        for bin_ in self._live:
            missing -= bin_.amount
            if missing <= EPSILON:
                return bin_.counted + self.limit.span - now
        return 0.0

    def take(self, counted: float, amount: float) -> None:
        """Take ``amount`` that the service counts at ``counted`` or before."""
        if self._expiry <= counted + EPSILON and self._amount == math.inf:
            self._expire(counted)  # nobody else asks, and what no longer counts must go
        self._used += amount
        if self._live and counted - (last := self._live[-1]).opened < self._width:
            last.amount += amount
            if counted > last.counted:  # noqa: PLR1730 - max() takes four times as long
                last.counted = counted
        else:
            self._live.append(_Bin(counted, counted, amount))
            self._expiry = min(self._expiry, counted + self.limit.span)

    def give_back(self, counted: float, amount: float) -> None:
        """Return what was taken for ``counted`` and the service never counted.

        What has stopped counting meanwhile cannot be returned: it would come out of the rest.
        """
        for bin_ in reversed(self._live):
            if bin_.opened <= counted:
                if counted <= bin_.counted:
                    part = min(amount, bin_.amount)
                    bin_.amount -= part
                    self._used -= part
                return

    def copy(self) -> "Window":
        """Another window, of which the same was taken so far."""
        other = Window(self.limit)
        other.expired, other._used, other._expiry = self.expired, self._used, self._expiry
        other._live = deque(map(replace, self._live))
        other._past = deque(map(replace, self._past))
        return other

    def resize(self, now: float, limit: Limit) -> None:
        """Adopt another limit; what was taken within its span counts."""
        if limit is self.limit:
            return
        self._adopt(limit)
        while self._past and self._past[-1].counted + limit.span > now + EPSILON:
            self._live.appendleft(self._past.pop())
            self._used += self._live[0].amount
        self._expiry = self._live[0].counted + limit.span if self._live else math.inf

    def taken(self, since: float, until: float) -> tuple[float, float]:
        """How much was taken in a stretch of time, and when the first of it; ``until`` if none."""
        amount, first = 0.0, until
        for bin_ in (*self._past, *self._live):
            if since < bin_.counted and bin_.opened <= until and bin_.amount > EPSILON:
                amount += bin_.amount
                first = min(first, bin_.opened)
        return amount, first

    def _adopt(self, limit: Limit) -> None:
        self.limit, self._amount, self._width = limit, limit.amount, limit.span / BINS

    def _expire(self, now: float) -> None:
        """Put away what has stopped counting by ``now``."""
        live, past, span = self._live, self._past, self.limit.span
        while live and live[0].counted + span <= now + EPSILON:
            self._used -= live[0].amount
            self.expired += 1
            past.append(live.popleft())
            while past and past[0].counted + MEMORY < now:
                past.popleft()
        if not live:
            self._used = 0.0
        self._expiry = live[0].counted + span if live else math.inf
