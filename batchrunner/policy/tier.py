"""The regions of one rank, so kept that a job need not look at them all.

Theory of operation. A region that has no room says when it may have some, and is *shut* until
then: it stands in a heap by that time, and is looked at again when its time has come, when
something is heard of its quota, or when a job comes that is smaller than the one it had no room
for. So a job looks only at regions that may well take it, and at no more than a few of these: the
least loaded of them gets it and goes to the end of the row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf, isfinite
from typing import NamedTuple

from ..model import Job
from .region import Region

COMPARED = 4  #: regions that are ready, of which the least loaded is taken
STALE = 16  #: times as many entries in the heap as regions, before those that are stale go


class _Shut(NamedTuple):
    """Why a region takes nothing for a while."""

    until: float
    least: float = 0.0  #: tokens of the smallest job that this holds for
    is_busy: bool = False
    is_paced: bool = False


BUSY = _Shut(inf, is_busy=True)


@dataclass(slots=True)
class Outlook:
    """What a tier has for a job that none of its regions takes at one moment."""

    soonest: float = inf  #: seconds until it is worth another look; infinite: not by time
    found: bool = False  #: whether any of its regions can take the job, now or later
    busy: bool = False  #: whether one is held up by its requests in flight only
    paced: bool = False  #: whether one only keeps a pace: that is no reason to go elsewhere

    def add(self, now: float, why: _Shut) -> None:
        """One of the regions is shut."""
        self.soonest = min(self.soonest, why.until - now)
        self.busy |= why.is_busy
        self.paced |= why.is_paced


@dataclass(slots=True)
class Tier:
    """Regions that are equally welcome."""

    regions: Sequence[Region]
    is_ordered: bool = False  #: the first that is ready is taken, not the least loaded
    is_paced: bool = True  #: whether bursts are sent in parts
    is_fallback: bool = field(init=False)  #: whether this is plain OpenAI
    _indices: dict[str, int] = field(init=False)
    _row: dict[int, Region] = field(init=False)  #: those that are not shut, in turn
    _shut: dict[int, _Shut] = field(init=False, default_factory=dict)
    _busy: dict[int, None] = field(init=False, default_factory=dict)  #: those of them that are …
    _paced: dict[int, None] = field(init=False, default_factory=dict)
    _heap: list[tuple[float, int]] = field(init=False, default_factory=list)
    _least: float = field(init=False, default=0.0)  #: no job of these many tokens finds one shut

    def __post_init__(self) -> None:
        self.is_fallback = self.regions[0].is_fallback
        self._row = dict(enumerate(self.regions))
        self._indices = {region.name: index for index, region in enumerate(self.regions)}

    def look(
        self, now: float, job: Job, tokens: float, avoid: frozenset[str]
    ) -> Sequence[Region] | Outlook:
        """Regions that may take a ``job`` of ``tokens`` at ``now``; else when to look again."""
        if self.is_ordered:
            return self._look_in_order(now, job, tokens, avoid)
        if self._shut:
            self._open(now, tokens)
        ready: list[Region] = []
        shut: list[tuple[int, _Shut]] = []
        for index, region in self._row.items():
            if not region.takes(job, avoid):
                continue
            if (why := self._why(now, region, tokens)) is not None:
                shut.append((index, why))
                continue
            ready.append(region)
            if len(ready) == COMPARED:
                break
        for index, why in shut:
            self._close(index, why)
        return ready or self._outlook(now, job, avoid)

    def _look_in_order(
        self, now: float, job: Job, tokens: float, avoid: frozenset[str]
    ) -> Sequence[Region] | Outlook:
        """The first region that is ready; one that only keeps a pace is waited for."""
        outlook = Outlook()
        for region in self.regions:
            if outlook.paced:
                break
            if region.takes(job, avoid):
                outlook.found = True
                if (why := self._why(now, region, tokens)) is None:
                    return (region,)
                outlook.add(now, why)
        return outlook

    def best(self, now: float, ready: Sequence[Region]) -> Region:
        """The least loaded of the regions that are ready."""
        if len(ready) == 1:
            return ready[0]
        return min(ready, key=lambda region: region.load(now))

    def take(self, region: Region) -> None:
        """A request goes to ``region``: next time others come first."""
        index = self._indices[region.name]
        self._row[index] = self._row.pop(index)

    def wake(self, region: Region) -> None:
        """Something is heard of ``region``, which may have room again."""
        if self._shut and (index := self._indices[region.name]) in self._shut:
            self._reopen([index])

    def _why(self, now: float, region: Region, tokens: float) -> _Shut | None:
        """Why ``region`` cannot take a job of ``tokens`` now; None where it can."""
        if region.quota.is_free and region.breaker.is_closed:
            return BUSY if region.is_busy else None
        if (wait := region.wait_for_any(now)) > 0:
            return _Shut(now + wait)
        if (wait := region.quota.wait_for_tokens(now, tokens)) > 0:
            return _Shut(now + wait, least=tokens)
        if region.is_busy:
            return BUSY
        if self.is_paced and (pause := region.quota.pause(now)) > 0:
            return _Shut(now + pause, is_paced=True)
        return None

    def _outlook(self, now: float, job: Job, avoid: frozenset[str]) -> Outlook:
        """What holds up a job that no region takes now: all that could are shut."""
        while self._heap and self._is_stale(*self._heap[0]):
            heappop(self._heap)
        found = self._take(self._shut, job, avoid)
        return Outlook(
            soonest=self._heap[0][0] - now if found and self._heap else inf,
            found=found,
            busy=bool(self._busy) and self._take(self._busy, job, avoid),
            paced=bool(self._paced) and self._take(self._paced, job, avoid),
        )

    def _take(self, indices: Iterable[int], job: Job, avoid: frozenset[str]) -> bool:
        """Whether one of these regions can take ``job`` at some time."""
        return any(self.regions[index].takes(job, avoid) for index in indices)

    def _open(self, now: float, tokens: float) -> None:
        """Take up again what may have room for a job of ``tokens``."""
        while self._heap and self._heap[0][0] <= now:
            until, index = heappop(self._heap)
            if not self._is_stale(until, index):
                self._reopen([index])
        if tokens < self._least:
            self._reopen([i for i, why in self._shut.items() if tokens < why.least])
            self._least = max((why.least for why in self._shut.values()), default=0.0)

    def _close(self, index: int, why: _Shut) -> None:
        del self._row[index]
        self._shut[index] = why
        if why.is_busy:
            self._busy[index] = None
        if why.is_paced:
            self._paced[index] = None
        self._least = max(self._least, why.least)
        if isfinite(why.until):
            heappush(self._heap, (why.until, index))
        if len(self._heap) > STALE * len(self.regions):
            shut = self._shut.items()
            self._heap = sorted((why.until, i) for i, why in shut if isfinite(why.until))

    def _reopen(self, indices: list[int]) -> None:
        for index in indices:
            del self._shut[index]
            self._busy.pop(index, None)
            self._paced.pop(index, None)
            self._row[index] = self.regions[index]

    def _is_stale(self, until: float, index: int) -> bool:
        why = self._shut.get(index)
        return why is None or why.until != until
