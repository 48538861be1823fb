"""Is an output what it says: every line whole, every job once, none missing."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio.to_thread

from .errors import BatchrunnerError
from .inputs.jsonl import fingerprint
from .inputs.opening import Shape, open_lines
from .inputs.remote import at_hand, is_remote, shown
from .outputs import checkpoint, foreign
from .outputs.done import DoneSet
from .outputs.lines import check, failed, settings_of
from .outputs.lock import holder
from .outputs.places import opened
from .outputs.results_file import physical_lines

LISTED = 10  #: line numbers that are named; the others are counted


@dataclass(slots=True)
class Finding:
    """Lines of one kind: the first few by number, and how many there are."""

    count: int = 0
    first: list[int] = field(default_factory=list)

    def add(self, number: int) -> None:
        """Count one more."""
        self.count += 1
        if len(self.first) < LISTED:
            self.first.append(number)


@dataclass(slots=True)
class Verification:
    """What was found. Numbers of lines begin with 1, in the results as in the input."""

    output: Path
    size: int = 0
    lines: int = 0  #: physical lines of the results
    failed: int = 0
    damaged: Finding = field(default_factory=Finding)  #: lines of the results, none of them last
    doubled: Finding = field(default_factory=Finding)
    unfinished_bytes: int = 0  #: at the end: a write under way, or cut off by a kill
    settings: Counter[str] = field(default_factory=Counter)  #: lines by the mark of their settings
    done: DoneSet = field(default_factory=DoneSet)
    input: str | None = None  #: the file that it was compared with
    noun: str = "line"  #: what a line of the input is called
    missing: Finding | None = None  #: lines or rows of the input without a result; None: not known
    changed: Finding = field(default_factory=Finding)  #: lines of the input that are others now
    beyond: Finding = field(default_factory=Finding)  #: results behind the end of the input
    lost_bytes: int = 0  #: that the checkpoint called safe and that are not there
    lost_jobs: int = 0
    notes: list[str] = field(default_factory=list)  #: what could not be checked, or is not over
    complete: bool = False  #: the checkpoint says so, and the file is as long as it says
    writer: str | None = None  #: the process that is writing it

    @property
    def records(self) -> int:
        """Jobs that have a whole line."""
        return len(self.done)

    @property
    def is_damaged(self) -> bool:
        """Whether something happened to it that no run does."""
        trouble = self.damaged.count + self.doubled.count + self.lost_bytes + self.lost_jobs
        return trouble > 0

    @property
    def exit_code(self) -> int:
        """0 where every job has an answer, once; see ``batchrunner verify --help``."""
        if self.is_damaged:
            return 5
        if self.changed.count or self.beyond.count:
            return 4
        missing = self.missing is not None and self.missing.count
        whole = self.complete and not self.unfinished_bytes and not missing
        return 0 if whole and not self.failed else 1

    def as_json(self) -> dict[str, Any]:
        """All of it, for ``--json``."""
        found = {
            name: {"count": finding.count, "first": finding.first}
            for name in ("damaged", "doubled", "changed", "beyond")
            for finding in [getattr(self, name)]
        }
        missing = self.missing and {"count": self.missing.count, "first": self.missing.first}
        return {
            "ok": self.exit_code == 0,
            "exit_code": self.exit_code,
            "output": str(self.output),
            "size": self.size,
            "lines": self.lines,
            "records": self.records,
            "failed": self.failed,
            "complete": self.complete,
            "unfinished_bytes": self.unfinished_bytes,
            "lost_bytes": self.lost_bytes,
            "lost_jobs": self.lost_jobs,
            "input": self.input,
            "missing": missing,
            **found,
            "settings": dict(self.settings),
            "running": self.writer,
            "notes": self.notes,
        }


async def verify(output: Path, input_: Path | str | None = None) -> Verification:
    """Read all of ``output``, and of the input it was made from where that can be reached.

    Nothing is changed and nothing locked, so it may be asked while a run goes on. Raises
    UsageError where there are no results, or only the Batch output of a service.
    """
    found = Verification(output, writer=holder(output))
    loaded = checkpoint.load(checkpoint.checkpoint_path(output))  # first: it never runs ahead
    await anyio.to_thread.run_sync(_read, found)
    saved = loaded.fields or {}
    if loaded.reason:
        found.notes.append(f"{loaded.reason}: it is not known whether this is complete")
    if found.writer:
        found.notes.append(f"{found.writer} is writing it")
    _compare_checkpoint(found, saved)
    await _compare_input(found, saved.get("input") or {}, input_)
    return found


def _read(found: Verification) -> None:
    """Every line of the results."""
    foreign.refuse(found.output, "it has no checksums to verify; see batchrunner status")
    with opened(found.output) as file:
        bad = b""
        for number, line in enumerate(physical_lines(file), 1):
            if bad:
                found.damaged.add(number - 1)
            bad = b"" if _take(found, number, line) else line
            found.lines, found.size = number, found.size + len(line)
    if bad.endswith(b"\n"):
        found.damaged.add(found.lines)
    else:
        found.unfinished_bytes = len(bad)


def _take(found: Verification, number: int, line: bytes) -> bool:
    entry = check(line)
    if entry is None:
        return False
    if not found.done.mark(*entry):
        found.doubled.add(number)
        return True
    found.failed += failed(line)
    found.settings[settings_of(line)] += 1
    return True


def _compare_checkpoint(found: Verification, saved: Mapping[str, Any]) -> None:
    results = saved.get("results") or {"synced": 0, "records": 0}
    found.lost_bytes = max(0, results["synced"] - (found.size - found.unfinished_bytes))
    found.lost_jobs = max(0, results["records"] - found.records)
    found.complete = bool(saved.get("complete")) and found.size == results["synced"]
    jobs = (saved.get("input") or {}).get("jobs")
    if jobs is not None and found.records < jobs:
        found.complete = False
        found.notes.append(f"{jobs - found.records:,} of {jobs:,} jobs have no result yet")


async def _compare_input(
    found: Verification, known: Mapping[str, Any], input_: Path | str | None
) -> None:
    name = known.get("path") if input_ is None else input_
    if name is None or (input_ is None and not _may_be_there(name)):
        found.notes.append("the input is not at hand: it was not compared (see --input)")
        return
    try:
        async with at_hand(name) as path:
            found.input = shown(str(name)) if is_remote(name) else str(path)
            await _read_input(found, path, known)
    except BatchrunnerError as error:
        if input_ is not None:
            raise
        found.notes.append(f"the input could not be compared: {error}")


def _may_be_there(name: Path | str) -> bool:
    """Whether it makes sense to look; what has to be fetched says so itself."""
    return is_remote(name) or Path(name).exists()


async def _read_input(found: Verification, path: Path, known: Mapping[str, Any]) -> None:
    """Every line that is not blank has a result, and no result has another line."""
    limit = known.get("limit")
    found.missing = Finding()
    ordinal = -1
    rows = open_lines(path, Shape.of(known))
    found.noun = rows.noun
    async with rows as source:
        async for lines in source:
            for ordinal, line in enumerate(lines, ordinal + 1):  # noqa: B020 - goes on
                if line and not line.isspace():
                    limit = limit if limit is None else limit - 1
                    _compare_line(found, found.missing, ordinal, line, wanted=(limit or 0) >= 0)
    highest = found.done.highest
    for beyond in range(ordinal + 1, 0 if highest is None else highest + 1):
        if beyond in found.done:
            found.beyond.add(beyond + 1)


def _compare_line(
    found: Verification, missing: Finding, ordinal: int, line: bytes, *, wanted: bool
) -> None:
    if ordinal not in found.done:
        if wanted:
            missing.add(ordinal + 1)
    elif found.done.fingerprint(ordinal) != fingerprint(line):
        found.changed.add(ordinal + 1)
