"""The limits of a region: what a call is charged, and whether it may pass.

A call is charged when it arrives: one request, and its estimated prompt plus all the tokens its
answer may use. Nothing here awaits or reads a clock; ``now`` is in seconds and never runs back.
"""

import math
from dataclasses import dataclass, field
from enum import StrEnum

from .meters import EPSILON, Entry, Meter


class Axis(StrEnum):
    """What is counted."""

    REQUESTS = "requests"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class Gauge:
    """What a service tells about one axis."""

    limit: int
    remaining: int
    reset: float
    window: float


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a call may pass, and what its headers may say about the limits."""

    axis: Axis | None  #: the limit that refused the call; None when it may pass
    wait: float  #: seconds until this call would pass; infinity when it is larger than the limit
    requests: Gauge | None
    tokens: Gauge | None
    charged: int = 0  #: tokens that an admitted call is charged
    asked: int = 1  #: how much it wanted of the axis that refused it
    entry: Entry | None = None

    @property
    def admitted(self) -> bool:
        """Whether the call may pass."""
        return self.axis is None

    @property
    def too_large(self) -> bool:
        """Whether the call is larger than the limit, so that no wait helps."""
        return math.isinf(self.wait)


@dataclass(slots=True)
class Quota:
    """The requests and the tokens that one or several regions may use; None is no limit."""

    requests: Meter | None
    tokens: Meter | None
    count_throttled: bool = False  #: a refused call uses up a request too
    refund: bool = False  #: tokens that an answer did not use are given back when it is done
    _full: tuple[float, float] = field(init=False)

    def __post_init__(self) -> None:
        self._full = (
            self.requests.limit if self.requests else 0.0,
            self.tokens.limit if self.tokens else 0.0,
        )

    def scale(self, now: float, factor: float) -> None:
        """Set both limits to ``factor`` times what they were at the beginning.

        What a bucket has lost until ``now`` it lost at the speed of the limit that held.
        """
        for meter_, full in zip((self.requests, self.tokens), self._full, strict=True):
            if meter_:
                meter_.used(now)
                meter_.limit = full * factor

    def ask(self, now: float, tokens: int) -> Decision:
        """Charge a call of ``tokens`` if it fits; if both axes refuse, the longer wait is told."""
        requests_wait = self.requests.wait(now, 1) if self.requests else 0.0
        tokens_wait = self.tokens.wait(now, tokens) if self.tokens else 0.0
        wait = max(requests_wait, tokens_wait)
        entry = self._charge(now, tokens) if wait <= 0 else None
        axis = None
        if wait > 0:
            axis = Axis.TOKENS if tokens_wait >= requests_wait else Axis.REQUESTS
            if self.count_throttled and self.requests:
                self.requests.take(now, 1)
        asked = 1 if axis is Axis.REQUESTS else tokens
        gauges = _gauge(self.requests, now), _gauge(self.tokens, now)
        return Decision(axis, wait, *gauges, 0 if axis else tokens, asked, entry)

    def settle(self, now: float, decision: Decision, used: int) -> None:
        """An admitted call is done and used so many tokens; more than was charged stays free."""
        if self.refund and self.tokens and decision.entry and decision.entry.amount > used:
            self.tokens.give(now, decision.entry, decision.entry.amount - used)

    def _charge(self, now: float, tokens: int) -> Entry | None:
        if self.requests:
            self.requests.take(now, 1)
        return self.tokens.take(now, tokens) if self.tokens else None


def _gauge(meter: Meter | None, now: float) -> Gauge | None:
    if meter is None:
        return None
    remaining = max(0, math.floor(meter.limit - meter.used(now) + EPSILON))
    return Gauge(math.floor(meter.limit), remaining, meter.reset(now), meter.window)
