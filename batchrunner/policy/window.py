"""At most so much in any so many seconds.

Theory of operation. Whether a service counts by fixed minutes, by a sliding window or by a
bucket, it never refuses a client that stays within the limit in *every* window of that length.
So a window remembers what was taken, and when each part stops counting: a span after the latest
moment at which the service may have counted it. The moments are rounded up to small bins, so that
a window costs the same whatever the traffic, and errs towards waiting by less than one percent.
"""

import math
from dataclasses import dataclass, field

from .ratelimit import MINUTE, Limit

EPSILON = 1e-6  #: a smaller shortfall is rounding, and waiting for it would never end
BINS = 128
UNLIMITED = Limit(math.inf, MINUTE)


@dataclass(slots=True)
class Window:
    """An allowance of ``limit.amount`` units in any ``limit.span`` seconds."""

    limit: Limit
    _used: float = field(init=False, default=0.0)
    _bins: dict[int, float] = field(init=False, default_factory=dict)

    def used(self, now: float) -> float:
        """How much still counts at ``now``."""
        while self._bins:
            first = next(iter(self._bins))
            if first * self._width > now + EPSILON:
                return self._used
            self._used -= self._bins.pop(first)
        self._used = 0.0
        return 0.0

    def room(self, now: float) -> float:
        """How much may be taken at ``now``."""
        return self.limit.amount - self.used(now)

    def wait(self, now: float, amount: float) -> float:
        """Seconds from ``now`` until ``amount`` may be taken; zero means at once.

        An amount larger than the limit waits for an empty window.
        """
        missing = min(amount, self.limit.amount) - self.room(now)
        if missing <= EPSILON:
            return 0.0
        for bin_, held in self._bins.items():
            missing -= held
            if missing <= EPSILON:
                return bin_ * self._width - now
        return 0.0

    def take(self, counted: float, amount: float) -> None:
        """Take ``amount`` that the service counts at ``counted`` or before."""
        bin_ = self._bin(counted)
        if self._bins and bin_ < (last := next(reversed(self._bins))):
            bin_ = last  # out of order: count it a little longer rather than sort
        self._bins[bin_] = self._bins.get(bin_, 0.0) + amount
        self._used += amount

    def give_back(self, counted: float, amount: float) -> None:
        """Return what was taken for ``counted`` and the service never counted.

        What has stopped counting meanwhile cannot be returned: it would come out of the rest.
        """
        if (bin_ := self._bin(counted)) in self._bins:
            part = min(amount, self._bins[bin_])
            self._bins[bin_] -= part
            self._used -= part

    def resize(self, now: float, limit: Limit) -> None:
        """Adopt another limit; what was taken within its span still counts."""
        old, self.limit = self.limit, limit
        if limit.span == old.span:
            return
        bins, self._bins, self._used = self._bins, {}, 0.0
        for bin_, amount in bins.items():
            counted = bin_ * old.span / BINS - old.span
            if counted + limit.span > now:
                self.take(counted, amount)

    def _bin(self, counted: float) -> int:
        """The bin at whose end stops counting what was counted at ``counted``."""
        return math.ceil((counted + self.limit.span) / self._width)

    @property
    def _width(self) -> float:
        return self.limit.span / BINS
