"""What has been done and what it took: results, statistics and checkpoint, kept in step.

The results file alone says which jobs are done. The checkpoint adds whose results they are, how
much of them was safe when, and the statistics up to there; the lines behind it are folded in
again at the next start, so that the numbers add up over any number of stops.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import anyio
import anyio.to_thread

from .caps import Caps
from .config import Settings
from .counted import COUNTED, done, restore, settled, withdrawn
from .identity import compare, is_done
from .model import Failure, Result
from .outputs import checkpoint, mounts
from .outputs.disk import sibling
from .outputs.done import DoneSet
from .outputs.journal import Journal
from .outputs.lines import LineError, decode, encode, failed, retryable
from .outputs.publish import publish
from .outputs.recovery import Recovered
from .outputs.results_file import tail
from .policy.budget import Budget
from .policy.region import RegionStatus
from .prices import PriceList
from .selection import Selection
from .spending import Unanswered
from .stats import Stats
from .timeline import Timeline

STEERED = 200  #: changes by people that are remembered, the last ones


@dataclass(slots=True)
class Ledger:
    """The files of one output, open for one run; the lock is the caller's."""

    path: Path
    journal: Journal
    settings: Settings
    stats: Stats
    wall_before: float  #: seconds that earlier runs took
    spent_before: float = 0.0  #: US dollars that they may have paid for the fallback
    fallback_usd: Callable[[], float] = lambda: 0.0  #: the same, of all runs, as of now
    unanswered: Unanswered = field(default_factory=Unanswered)  #: what earlier runs may have paid
    budget: Budget | None = None  #: what all runs have spent, as of now
    workers: int = 0  #: the most requests that may be in flight
    jobs: int = 0  #: of the input
    input_: Mapping[str, Any] = field(
        default_factory=dict
    )  #: which file; at first the one that an earlier run surveyed
    answered_by: dict[str, Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )  #: which models, by the name asked for
    caps: Caps = field(default_factory=Caps)
    timeline: Timeline = field(default_factory=Timeline)  #: of all runs
    steered: list[dict[str, Any]] = field(default_factory=list)  #: what a person changed, and when
    regions: Sequence[RegionStatus] = ()  #: how they were at the last look
    is_retry: bool = False  #: whether a selection of failures was taken out, and is not done yet
    noun: str = "line"  #: what messages call a line of the input
    warnings: list[str] = field(default_factory=list)  #: what the user should know at the end
    prices: PriceList = field(init=False)
    _cfg: str = field(init=False)  #: the settings that every line names

    def __post_init__(self) -> None:
        self.prices = PriceList.of(self.settings.targets)
        self._cfg = self.settings.fingerprint[:8]

    @classmethod
    def open(
        cls,
        path: Path,
        settings: Settings,
        agree: Callable[[DoneSet], None] = lambda _: None,
        again: Selection | None = None,
    ) -> Self:
        """Recover what earlier runs left at ``path``; blocks, so call it in a thread.

        Failures that may end otherwise are taken out, to run again, or those that ``again``
        selects; before that ``agree`` is shown what is done, and may refuse by an exception.
        Raises IdentityError where the results were made with settings that ask for something
        else, and whatever recovery raises.
        """
        loaded = checkpoint.load(checkpoint.checkpoint_path(path))
        saved = settled(path, loaded.fields or {})
        warnings = [mounts.warning(path), compare(path, saved, settings)]
        if path.exists() and path.stat().st_size:
            warnings.append(loaded.reason and f"{loaded.reason}: the results speak for themselves")
        drop = failed if settings.retry_failed else retryable
        if again is not None:
            drop = again.takes
        again_before = bool(saved.get("retrying"))
        kept: list[Stats] = []

        def before_compaction() -> None:
            agree(done(path))
            stats, gone = restore(path, saved), withdrawn(saved)
            for line in filter(drop, tail(path)):
                record = decode(line)
                stats.withdraw(record)
                gone.add_line(record)
                gone.withdraw(record)
            kept.append(stats)
            fields = {
                **saved,
                "complete": False,
                "results": {"synced": 0, "records": 0},
                "stats": None,
                "withdrawn": gone.as_json(),
                "compaction": {
                    "inode": path.stat().st_ino,
                    "stats": stats.as_json(),
                    "before": {name: saved.get(name) for name in COUNTED},
                },
                "retrying": again_before or again is not None,
            }
            publish(checkpoint.checkpoint_path(path), checkpoint.encode(fields))

        results = saved.get("results") or {}
        journal = Journal.open(
            path,
            synced=results.get("synced", 0),
            records=results.get("records", 0),
            drop=drop,
            repair=settings.repair,
            before_compaction=before_compaction,
            durability=settings.durability,
            disk_wait=settings.disk_wait,
        )
        stats = kept[0] if kept else restore(path, saved)
        if stats.ok + stats.failed != journal.records:  # the file was mended: count it afresh
            stats = restore(path, {}) + withdrawn(saved)
        before = saved.get("wall_s") or 0.0, saved.get("fallback_usd") or 0.0
        ledger = cls(path, journal, settings, stats, *before)
        ledger.is_retry = again_before or again is not None
        ledger._recall(saved)
        ledger.prices.load()
        ledger.warnings += filter(None, [*warnings, _mended(path, journal.recovered)])
        return ledger

    def _recall(self, saved: Mapping[str, Any]) -> None:
        """Go on with what only the checkpoint knows."""
        if saved.get("cfg_fp") == self.settings.fingerprint:
            self.input_ = saved.get("input") or {}
        for name, models in (saved.get("answered_by") or {}).items():
            self.answered_by[name] = Counter(models)
        self.steered = list(saved.get("steered") or ())
        if "timeline" in saved:  # earlier ones have none
            self.timeline = Timeline.from_json(saved["timeline"])
            self.caps = Caps.from_json(saved["caps"])
        if "unanswered" in saved:
            self.unanswered = Unanswered.from_json(saved["unanswered"])

    def is_done(self, ordinal: int, fingerprint: str) -> bool:
        """Whether the job of an input line has its result; IdentityError for another line."""
        return is_done(self.journal.done, ordinal, fingerprint, self.noun)

    def note_steering(self, wall_s: float, what: str) -> None:
        """A person changed something, so many seconds after this run began."""
        self.steered.append({"at_s": round(self.wall_before + wall_s, 3), "what": what})
        del self.steered[:-STEERED]

    async def crowded(self, in_flight: int) -> str | None:
        """Why nothing more should be paid for; None while the disk has room for it."""
        return await anyio.to_thread.run_sync(self.journal.crowded, in_flight)

    def drift(self) -> list[str]:
        """Which names were answered by more than one model, in words."""
        return [
            f"{name} was answered by more than one model: "
            + ", ".join(f"{model} ({n:,})" for model, n in models.most_common())
            for name, models in self.answered_by.items()
            if len(models) > 1
        ]

    async def record(self, result: Result) -> int:
        """Write a result; returns where, when it would survive the death of this process."""
        cost = self.prices.result(result)
        try:
            line = encode(result, self._cfg, cost)
        except LineError as error:
            failure = Failure("unwritable", str(error), retryable=False)
            result = Result(result.job, None, result.attempts, failure, reused=result.reused)
            line = encode(result, self._cfg, cost)
        self.stats.add(result)
        if result.usage is not None and result.usage.model:
            self.answered_by[result.job.model][result.usage.model] += 1
        if result.usage is not None and (cap := result.job.answer_tokens) is not None:
            self.caps.add(result.usage.model, cap)
        offset = self.journal.appended
        await self.journal.append(result.job.ordinal, result.job.fingerprint, line)
        return offset

    async def save(
        self, *, wall_s: float, complete: bool = False, is_running: bool = True
    ) -> None:
        """Make everything recorded so far safe on the disk, and say so in the checkpoint."""
        fields = {
            "complete": complete,
            "results": {
                "synced": self.journal.appended,
                "records": self.journal.records,
                "ok": self.stats.ok,
                "error": self.stats.failed,
            },
            "input": self.input_,
            "cfg_fp": self.settings.fingerprint,
            "cfg": self.settings.meaning,
            "models": self.stats.models,
            "answered_by": self.answered_by,
            "caps": self.caps.as_json(),
            "concurrency": self.settings.concurrency,
            "providers": {target.name: target.kind for target in self.settings.targets},
            "prices": {t.name: t.price for t in self.settings.targets if t.price},
            "sent": self.stats.calls,
            "ambiguous": self.stats.ambiguous,
            "unanswered": self._unanswered(self._flying if is_running else 0).as_json(),
            "fallback_usd": max(self.spent_before, self.fallback_usd()),
            "wall_s": round(self.wall_before + wall_s, 3),
            "stats": self.stats.as_json(),
            "timeline": self.timeline.as_json(),
            "retrying": self.is_retry and not complete,
            "steered": self.steered,
            "regions": {
                region.name: {"state": region.in_words, "rpm": region.rpm, "tpm": region.tpm}
                for region in self.regions
            },
        }
        content = checkpoint.encode(fields)
        await self.journal.sync()
        await self.publish(".checkpoint.json", content)

    @property
    def _flying(self) -> int:
        """The most requests that a kill may find."""
        return max(0, min(self.workers, self.jobs - self.journal.records))

    def _unanswered(self, in_flight: int) -> Unanswered:
        if self.budget is None:  # a later run may have one
            return self.unanswered.and_flying(in_flight)
        return Unanswered.of(self.budget, self.stats, self.prices, in_flight)

    async def publish(self, suffix: str, content: bytes) -> None:
        """Replace a file beside the results at one stroke."""
        await anyio.to_thread.run_sync(publish, sibling(self.path, suffix), content)


def _mended(path: Path, found: Recovered) -> str | None:
    """What recovery had to take out, in words."""
    if not (found.bad_bytes or found.duplicates):
        return None
    return (
        f"{found.bad_bytes:,} damaged bytes and {found.duplicates:,} doubled lines were taken out "
        f"of {path} and kept in {found.kept_in}; a job whose line was damaged runs again"
    )
