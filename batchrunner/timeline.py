"""What happened when: the time of all runs, cut into slices. Pure.

It is folded from looks at a run, several a second, each of which says what has been counted so
far and how every region is. There are never more than ``SLICES``; when they are used up, two and
two become one, so that a run of a minute and one of a week take the same room.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

from .policy.region import RegionStatus
from .stats import RegionUsage, Stats

SLICES = 160
STARTS = 160  #: of runs that are remembered; of more the first and the latest


@dataclass(slots=True)
class Slice:
    """What one region did in one slice of time, as far as its jobs have had their last word."""

    ok: int = 0
    throttled: int = 0
    errors: int = 0
    tokens: int = 0  #: of prompts and answers
    watched: float = 0.0  #: seconds that were looked at
    in_flight: float = 0.0  #: requests in flight, times seconds
    used: float = 0.0  #: share of the most used limit, times seconds
    throttled_s: float = 0.0
    resting_s: float = 0.0
    out_s: float = 0.0

    def add(self, other: "Slice") -> None:
        """Take in a neighbour."""
        for name in COLUMNS:
            setattr(self, name, getattr(self, name) + getattr(other, name))


COLUMNS = tuple(each.name for each in fields(Slice))
Count = tuple[int, int, int, int]
NONE: Count = (0, 0, 0, 0)


@dataclass(slots=True)
class Timeline:
    """All runs of one output, one after the other."""

    width: float = 1.0  #: seconds of a slice
    regions: dict[str, list[Slice]] = field(default_factory=dict)
    starts: list[tuple[float, str]] = field(default_factory=list)  #: of runs: when, and in UTC
    _at: float | None = field(init=False, default=None, compare=False)
    _counted: dict[str, Count] = field(init=False, default_factory=dict)  #: that has its slice

    def begin(self, at: float, utc: str, stats: Stats) -> None:
        """A run begins ``at`` seconds of running; ``stats`` are of those before it.

        What a killed run had not looked at yet stands in the first slice of this one. What was
        counted before there was a timeline stands nowhere.
        """
        counted = {name: _count(usage) for name, usage in stats.regions.items()}
        if self.starts:  # numbers of mended results may be lower than they were
            counted = {
                name: _lower(n, self._counted.get(name, NONE)) for name, n in counted.items()
            }
        self._counted, self._at = counted, at
        self.starts.append((at, utc))
        if len(self.starts) > STARTS:
            del self.starts[1]

    def look(self, at: float, stats: Stats, regions: Sequence[RegionStatus]) -> None:
        """Take in how the run is at ``at``, in seconds of running."""
        passed, self._at = at - (at if self._at is None else self._at), at
        while at >= self.width * SLICES:
            self._halve()
        index = int(at / self.width)
        statuses = {status.name: status for status in regions}
        for name in dict.fromkeys([*statuses, *stats.regions]):
            now = self._slice(name, index)
            if name in stats.regions:
                self._note(name, now, stats.regions[name])
            if name in statuses:
                _watch(now, statuses[name], passed)

    def _note(self, name: str, now: Slice, usage: RegionUsage) -> None:
        """What was counted since the last look."""
        count, before = _count(usage), self._counted.get(name, NONE)
        now.ok += count[0] - before[0]
        now.throttled += count[1] - before[1]
        now.errors += count[2] - before[2]
        now.tokens += count[3] - before[3]
        self._counted[name] = count

    def _slice(self, name: str, index: int) -> Slice:
        slices = self.regions.setdefault(name, [])
        while len(slices) <= index:
            slices.append(Slice())
        return slices[index]

    def _halve(self) -> None:
        self.width *= 2
        for slices in self.regions.values():
            for index, other in enumerate(slices[1::2]):
                slices[2 * index].add(other)
            del slices[1::2]

    def as_json(self) -> dict[str, Any]:
        """All of it by columns, to a thousandth, so that ``from_json`` gives the same."""
        return {
            "width": self.width,
            "starts": self.starts,
            "counted": self._counted,
            "regions": {
                name: {
                    column: [_short(getattr(one, column)) for one in slices] for column in COLUMNS
                }
                for name, slices in self.regions.items()
            },
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """What ``as_json`` gave."""
        timeline = cls(
            saved["width"],
            {
                name: [Slice(*row) for row in zip(*(columns[c] for c in COLUMNS), strict=True)]
                for name, columns in saved["regions"].items()
            },
            [(at, utc) for at, utc in saved["starts"]],
        )
        for name, (ok, throttled, errors, tokens) in saved.get("counted", {}).items():
            timeline._counted[name] = ok, throttled, errors, tokens
        return timeline


def _count(usage: RegionUsage) -> Count:
    tokens = usage.tokens
    return (
        usage.ok,
        usage.throttled.total(),
        usage.errors.total(),
        tokens.prompt + tokens.completion,
    )


def _lower(one: Count, other: Count) -> Count:
    ok, throttled, errors, tokens = map(min, one, other)
    return ok, throttled, errors, tokens


def _watch(now: Slice, status: RegionStatus, passed: float) -> None:
    """How the region was since the last look."""
    now.watched += passed
    now.in_flight += status.in_flight * passed
    now.used += status.use * passed
    if status.state == "throttled":
        now.throttled_s += passed
    elif status.state == "resting":
        now.resting_s += passed
    elif status.state == "out":
        now.out_s += passed


def _short(number: float) -> float:
    return number if isinstance(number, int) else round(number, 3)
