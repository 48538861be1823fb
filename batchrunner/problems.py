"""What went wrong lately, and what came right again, in words. Pure.

It is folded from looks at a run. Only codes, outcomes and the reasons for which a region is left
out are told, never what a job asked or was answered.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from .model import CANCELLED, OVERTAKEN
from .policy.region import RegionStatus
from .stats import RegionUsage
from .summary import Progress
from .terminal import printable

KEPT = 8  #: problems
TOGETHER = 60.0  #: seconds within which the same again is no new problem
CALM = 5.0  #: seconds between two words about the same problem
BRIEF = 1.0  #: seconds; a region that closes for less is not worth a word
LONG = 30.0  #: seconds; a region that was throttled for longer is said to be back
LONGEST = 160  #: characters of a reason
#: outcomes that are not the region's: the job's failure is told, or it was we who ended the call
NOT_ITS = {CANCELLED, OVERTAKEN, "refused", "barred"}
WORDS = {
    "throttled": "{region} throttled for {seconds}{why}",
    "fault": "{region}: {times:,} × {code}",  # noqa: RUF001 - as people write it
    "resting": "{region} rests for {seconds}, after faults",
    "out": "{region} out: {reason}",
    "missing": "{region} does not serve {reason}",
    "failed": "{times:,} jobs failed: {code}",
    "held_back": "openai is held back: {reason}",
    "back": "{region} answers again",
    "note": "{reason}",
}
_CODE = re.compile(r"[\w.:-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that happened once, or the same thing several times in a row."""

    since: float  #: seconds of this run, when it happened first
    at: float  #: … and last
    kind: (
        str  #: ``throttled``, ``fault``, ``resting``, ``out``, ``failed``, ``held_back``, ``back``
    )
    text: str
    region: str | None = None
    times: int = 1


@dataclass(slots=True)
class _Seen:
    """How a region was at the last look."""

    state: str
    reason: str
    since: float  #: when it came into this state
    throttled: Counter[str]
    errors: Counter[str]


@dataclass(frozen=True, slots=True)
class _News:
    """A change from one look to the next."""

    kind: str
    region: str | None
    about: str
    times: int = 1
    seconds: float = 0.0


@dataclass(slots=True)
class Problems:
    """The last few problems of a run."""

    kept: list[Problem] = field(init=False, default_factory=list)  #: in the order they began
    _keys: list[tuple[str, ...]] = field(init=False, default_factory=list)  #: of those kept
    _told: dict[tuple[str, ...], float] = field(init=False, default_factory=dict)
    _untold: set[tuple[str, ...]] = field(init=False, default_factory=set)
    _regions: dict[str, _Seen] = field(init=False, default_factory=dict)
    _codes: Counter[str] | None = field(init=False, default=None)
    _held_back: str = field(init=False, default="")
    _note: str = field(init=False, default="")

    def look(self, progress: Progress) -> list[Problem]:
        """Take in how a run is; gives what is to be told now, the same thing not too often."""
        at = progress.wall_s
        for news in self._news(progress):
            self._take(at, news)
        self._told = {key: told for key, told in self._told.items() if at - told < CALM}
        due = [key for key in self._keys if key in self._untold and key not in self._told]
        self._untold.difference_update(due)
        self._told.update(dict.fromkeys(due, at))
        return [p for key, p in zip(self._keys, self.kept, strict=True) if key in due]

    def _take(self, at: float, news: _News) -> None:
        """A problem goes on, or begins."""
        key = (news.kind, news.region or "", news.about if news.kind != "throttled" else "")
        self._untold.add(key)
        if key in self._keys:
            place = self._keys.index(key)
            if at - (before := self.kept[place]).at <= TOGETHER:
                self.kept[place] = _problem(before.since, at, news, before.times + news.times)
                return
            del self._keys[place], self.kept[place]
        self._keys.append(key)
        self.kept.append(_problem(at, at, news, news.times))
        if len(self.kept) > KEPT:
            self._untold.discard(self._keys[0])
            del self._keys[0], self.kept[0]

    def _news(self, progress: Progress) -> Iterator[_News]:
        at, usages = progress.wall_s, progress.stats.regions
        for status in progress.regions:
            usage = usages.get(status.name) or RegionUsage()
            seen = self._regions.get(status.name)
            if seen is None:  # what was counted before is of earlier runs
                seen = _Seen("open", "", at, usage.throttled.copy(), usage.errors.copy())
                self._regions[status.name] = seen
            yield from _of_region(at, status, usage, seen)
        codes = progress.stats.codes
        for code, count in _more(codes, codes.copy() if self._codes is None else self._codes):
            yield _News("failed", None, code, count)
        self._codes = codes.copy()
        if progress.held_back and progress.held_back != self._held_back:
            yield _News("held_back", None, progress.held_back)
        self._held_back = progress.held_back
        if progress.note and progress.note != self._note:
            yield _News("note", None, progress.note)
        self._note = progress.note


def _of_region(
    at: float, status: RegionStatus, usage: RegionUsage, seen: _Seen
) -> Iterator[_News]:
    """What is new in one region; ``seen`` is brought up to date."""
    name = status.name
    causes = _more(usage.throttled, seen.throttled)
    for outcome, count in _more(usage.errors, seen.errors):
        if outcome not in NOT_ITS:
            yield _News("fault", name, outcome, count)
    seen.throttled, seen.errors = usage.throttled.copy(), usage.errors.copy()
    if status.reason and status.reason != seen.reason:
        yield _News("out" if status.state == "out" else "missing", name, status.reason)
    seen.reason = status.reason
    if status.state != seen.state:
        yield from _turned(at, status, seen, causes[0][0] if causes else "")
        seen.state, seen.since = status.state, at


def _turned(at: float, status: RegionStatus, seen: _Seen, cause: str) -> Iterator[_News]:
    """A region is in another state than before."""
    was_down = seen.state in {"resting", "out"}
    if status.state == "resting":
        yield _News("resting", status.name, "", seconds=status.opens_in)
    elif status.state == "throttled" and status.opens_in >= BRIEF:
        yield _News("throttled", status.name, cause, seconds=status.opens_in)
    elif status.state == "open" and (was_down or at - seen.since >= LONG):
        yield _News("back", status.name, "")


def _more(now: Counter[str], before: Counter[str]) -> list[tuple[str, int]]:
    """What there is more of, the most first; of jobs that run again there may be less."""
    grown = Counter({name: n - before[name] for name, n in now.items() if n > before[name]})
    return grown.most_common()


def _problem(since: float, at: float, news: _News, times: int) -> Problem:
    return Problem(since, at, news.kind, _words(news, times), news.region, times)


def _words(news: _News, times: int) -> str:
    if news.kind == "throttled" and times > 1:
        form = "{region} throttled {times:,} times, last for {seconds}{why}"
    elif news.kind == "failed" and times == 1:
        form = "1 job failed: {code}"
    else:
        form = WORDS[news.kind]
    code = news.about if _CODE.fullmatch(news.about) else "other"
    return form.format(
        region=printable(news.region or ""),
        times=times,
        seconds=f"{max(1, round(news.seconds)):,} s",
        why=f" ({code})" if news.about else "",
        code=code,
        reason=printable(news.about)[:LONGEST],
    )
