"""A region's time: how much of it was closed, how much of its quota was used. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from ..timeline import COLUMNS, Slice

CLOSED = ("out", "resting", "throttled")  #: the gravest first
LEVELS = 4  #: how finely a band tells the share of its time
FAINTEST = 0.05  #: share of a slice; shorter closings are left to the sums

_columns = attrgetter(*COLUMNS)


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring slices in which a region was closed alike."""

    begin: float  #: seconds of running
    end: float
    state: str  #: the one that took the most of it
    level: float  #: share of the time, in steps of a quarter


def total(slices: Sequence[Slice]) -> Slice:
    """All slices as one."""
    return Slice(*map(sum, zip(*map(_columns, slices), strict=True)))


def mean_use(slices: Sequence[Slice]) -> float | None:
    """Share of its most used limit that was taken, on average; None where nobody looked."""
    every = total(slices)
    return every.used / every.watched if every.watched else None


def peak_use(slices: Sequence[Slice]) -> float | None:
    """The same, in the slice in which it was most."""
    uses = [min(1.0, one.used / one.watched) for one in slices if one.watched]
    return max(uses, default=None)


def closed(slices: Sequence[Slice], width: float) -> list[Span]:
    """When a region was throttled, resting or out, in order."""
    spans: list[Span] = []
    for index, (state, level) in enumerate(map(_closing, slices)):
        if not level:
            continue
        begin, end = index * width, (index + 1) * width
        last = spans[-1] if spans else None
        if last is not None and (last.end, last.state, last.level) == (begin, state, level):
            spans[-1] = Span(last.begin, end, state, level)
        else:
            spans.append(Span(begin, end, state, level))
    return spans


def _closing(one: Slice) -> tuple[str, float]:
    """The state that took the most of a slice, and how much of it was closed at all."""
    away = one.out_s + one.resting_s + one.throttled_s
    if not away or away < FAINTEST * one.watched:
        return "", 0.0
    times = {"out": one.out_s, "resting": one.resting_s, "throttled": one.throttled_s}
    part = away / max(away, one.watched)
    return max(CLOSED, key=lambda state: times[state]), max(1, round(part * LEVELS)) / LEVELS


def length(all_slices: Sequence[Sequence[Slice]]) -> int:
    """How many slices the longest has."""
    return max(map(len, all_slices), default=0)


def padded(slices: Sequence[Slice], count: int) -> Iterator[Slice]:
    """So many slices, empty ones at the end."""
    yield from slices
    for _ in range(count - len(slices)):
        yield Slice()
