"""How the service counts what it allows.

A meter counts one axis, requests or tokens, over a window. Services are known to count in three
ways, and a client must survive all of them:

* ``fixed``: the count starts again at every multiple of the window;
* ``sliding``: what was taken counts for exactly one window;
* ``bucket``: what was taken drains away at ``limit / window`` a second.

Nothing here awaits or reads a clock; ``now`` is in seconds and never runs back.
"""

import math
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

EPSILON = 1e-9  #: shorter than any real wait: what float arithmetic may be off by


class Counting(StrEnum):
    """How the service counts."""

    FIXED = "fixed"
    SLIDING = "sliding"
    BUCKET = "bucket"


@dataclass(slots=True)
class Entry:
    """What one call took; kept so that it can be given back."""

    at: float
    amount: int


class Meter(ABC):
    """An allowance of ``limit`` units in every ``window`` seconds.

    The limit may be changed at any time. More than the limit can be taken, by calls that count
    although they were refused.
    """

    def __init__(self, limit: float, window: float) -> None:
        self.limit = limit
        self.window = window

    def wait(self, now: float, amount: int) -> float:
        """Seconds until ``amount`` fits: zero means now, infinity means never."""
        if amount > self.limit + EPSILON:
            return math.inf
        missing = self.used(now) + amount - self.limit
        return self._until(now, missing) if missing > EPSILON else 0.0

    @abstractmethod
    def used(self, now: float) -> float:
        """How much counts at ``now``."""

    @abstractmethod
    def reset(self, now: float) -> float:
        """Seconds until nothing counts any more, if nothing else is taken."""

    @abstractmethod
    def take(self, now: float, amount: int) -> Entry:
        """Count ``amount`` from ``now`` on, whether it fits or not."""

    @abstractmethod
    def give(self, now: float, entry: Entry, amount: int) -> None:
        """Give back ``amount`` of what ``entry`` took, as far as it still counts."""

    @abstractmethod
    def _until(self, now: float, missing: float) -> float:
        """Seconds until at least ``missing`` of what is used has gone."""


class FixedMeter(Meter):
    """Counts from one multiple of the window to the next."""

    def __init__(self, limit: float, window: float, phase: float = 0.0) -> None:
        super().__init__(limit, window)
        self._phase = phase
        self._index = 0
        self._used = 0

    def used(self, now: float) -> float:
        """What was taken since the window began."""
        self._turn(now)
        return self._used

    def reset(self, now: float) -> float:
        """Until the next window begins."""
        return (self._window_of(now) + 1) * self.window - self._phase - now

    def take(self, now: float, amount: int) -> Entry:
        """Count it in the window of ``now``."""
        self._turn(now)
        self._used += amount
        return Entry(now, amount)

    def give(self, now: float, entry: Entry, amount: int) -> None:
        """Nothing happens once the window of the entry is over."""
        self._turn(now)
        if self._window_of(entry.at) == self._index:
            entry.amount -= amount
            self._used -= amount

    def _until(self, now: float, missing: float) -> float:  # noqa: ARG002  # all of it goes at once
        return self.reset(now)

    def _turn(self, now: float) -> None:
        index = self._window_of(now)
        if index != self._index:
            self._index, self._used = index, 0

    def _window_of(self, now: float) -> int:
        return math.floor((now + self._phase) / self.window + EPSILON)


class SlidingMeter(Meter):
    """Counts what was taken in the last ``window`` seconds."""

    def __init__(self, limit: float, window: float) -> None:
        super().__init__(limit, window)
        self._entries: deque[Entry] = deque()
        self._used = 0

    def used(self, now: float) -> float:
        """What was taken less than a window ago."""
        oldest = now - self.window + EPSILON
        while self._entries and self._entries[0].at <= oldest:
            self._used -= self._entries.popleft().amount
        return self._used

    def reset(self, now: float) -> float:
        """Until the last entry is a window old."""
        return max(0.0, self._entries[-1].at + self.window - now) if self._entries else 0.0

    def take(self, now: float, amount: int) -> Entry:
        """Count it until it is a window old."""
        entry = Entry(now, amount)
        self._entries.append(entry)
        self._used += amount
        return entry

    def give(self, now: float, entry: Entry, amount: int) -> None:
        """Nothing happens once the entry is a window old."""
        if entry.at > now - self.window + EPSILON:
            entry.amount -= amount
            self._used -= amount

    def _until(self, now: float, missing: float) -> float:
        freed = 0
        for entry in self._entries:
            freed += entry.amount
            if freed >= missing - EPSILON:
                return entry.at + self.window - now
        return self.reset(now)


class BucketMeter(Meter):
    """What was taken drains away evenly, a whole limit in one window."""

    def __init__(self, limit: float, window: float) -> None:
        super().__init__(limit, window)
        self._used = 0.0
        self._at = 0.0

    def used(self, now: float) -> float:
        """What was taken and has not drained away."""
        self._used = max(0.0, self._used - (now - self._at) * self.limit / self.window)
        self._at = now
        return self._used

    def reset(self, now: float) -> float:
        """Until all has drained away."""
        return self._until(now, self.used(now))

    def take(self, now: float, amount: int) -> Entry:
        """Fill the bucket."""
        self._used = self.used(now) + amount
        return Entry(now, amount)

    def give(self, now: float, entry: Entry, amount: int) -> None:
        """Nothing happens to what has drained away."""
        self._used = max(0.0, self.used(now) - amount)
        entry.amount -= amount

    def _until(self, now: float, missing: float) -> float:  # noqa: ARG002  # it drains at one speed
        return missing * self.window / self.limit


def meter(counting: Counting, limit: float, window: float, phase: float = 0.0) -> Meter:
    """An empty meter that counts in the given way; only fixed windows have a phase."""
    match counting:
        case Counting.FIXED:
            return FixedMeter(limit, window, phase)
        case Counting.SLIDING:
            return SlidingMeter(limit, window)
        case Counting.BUCKET:
            return BucketMeter(limit, window)
