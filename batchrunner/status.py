"""What has been done for an output, from its files alone: nothing is locked, nothing changed."""

import os
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

from .counted import base, count, settled
from .errors import UsageError
from .outputs import checkpoint, foreign
from .outputs.disk import sibling
from .outputs.lines import MAX_LINE, check, decode
from .outputs.lock import holder
from .outputs.results_file import physical_lines
from .policy.answer import usage_of
from .prices import PriceList
from .stats import RegionUsage, Stats, Tokens
from .summary import RUNNING, Progress, Stop, Summary

SEAL = 20  #: bytes, the checksum of a line among them
BATCH = "batch"  #: in the place of a region, for the Batch output of a service


def status(output: Path) -> tuple[Summary, str | None]:
    """The numbers as they are now, and the process that is writing, where there is one.

    The checkpoint is read first and the lines behind it are added, so a run that goes on only
    makes the numbers newer. The Batch output of a service is counted too. Raises UsageError where
    there are no results.
    """
    with closing(Follower(output)) as follower:
        return follower.look()


class Follower:
    """Looks at an output again and again, and reads only what is new.

    A new checkpoint says what is counted up to where, so each look begins at the last one. A file
    that was replaced, as by a compaction, or is not what it was, is read from there too. The file
    is held open from look to look: no other one can be taken for it.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self._file: BinaryIO | None = None
        self._checkpoint: tuple[int, int] | None = None  #: which one was read
        self._saved: Mapping[str, Any] = {}
        self._stats = Stats()
        self._offset = 0  #: of what is counted
        self._seal = b""  #: the last bytes before it

    def look(self) -> tuple[Summary, str | None]:
        """As ``status``; raises UsageError where the output is gone."""
        writer = holder(self.output)  # first: what it wrote before it went is seen below
        if self._file is None and foreign.is_foreign(self.output):
            return _of_batch(self.output), None
        try:
            if not self._goes_on():
                self._begin()
            self._read()
        except FileNotFoundError:
            raise UsageError(f"{self.output} does not exist: name the results of a run") from None
        except OSError as error:
            raise UsageError(f"{self.output} cannot be read: {error.strerror}") from None
        return self._summary(writer), writer

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _goes_on(self) -> bool:
        """Whether what was counted is still the beginning of the output."""
        if self._file is None or _stamp(self.output) != self._checkpoint:
            return False
        now, then = self.output.stat(), os.fstat(self._file.fileno())
        if (now.st_dev, now.st_ino) != (then.st_dev, then.st_ino):
            return False
        size = len(self._seal)
        return os.pread(self._file.fileno(), size, self._offset - size) == self._seal

    def _begin(self) -> None:
        self.close()
        self._checkpoint = _stamp(self.output)  # before it is read: a newer one is noticed
        loaded = checkpoint.load(checkpoint.checkpoint_path(self.output))
        saved = settled(self.output, loaded.fields or {})
        self._file = self.output.open("rb")
        self._saved, self._seal = saved, b""
        self._stats, self._offset = base(saved)

    def _read(self) -> None:
        """Count what is new, up to the last line that is there in full."""
        if self._file is None:
            return
        self._file.seek(self._offset)
        for line in physical_lines(self._file):
            if not line.endswith(b"\n") and len(line) < MAX_LINE:
                break  # it is being written
            if check(line):
                count(self._stats, line)
            self._offset += len(line)
            self._seal = line[-SEAL:]

    def _summary(self, writer: str | None) -> Summary:
        saved, stats = self._saved, self._stats
        total = max(stats.ok + stats.failed, (saved.get("input") or {}).get("jobs") or 0)
        prices = PriceList.recall(saved)
        progress = Progress(total, resumed=0, wall_s=0.0, stats=stats, regions=(), prices=prices)
        reason = None if saved.get("complete") else _unfinished(self.output, saved, writer)
        return Summary(
            progress=progress,
            output=self.output,
            wall_s=saved.get("wall_s") or 0.0,
            cost_usd=progress.cost_usd,
            configured=tuple(prices.providers),
            stop=None if reason is None else Stop(0, reason),
            steered=tuple(saved.get("steered") or ()),
        )


def _stamp(output: Path) -> tuple[int, int] | None:
    """What tells one checkpoint from the next."""
    try:
        found = checkpoint.checkpoint_path(output).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def _of_batch(output: Path) -> Summary:
    """What the Batch output of OpenAI or Azure counts up to."""
    stats, service = Stats(), RegionUsage()
    for _, record in foreign.records(output):
        service.calls += 1
        if record["error"]:
            stats.failed += 1
            service.failed += 1
            stats.codes[record["error"]["code"]] += 1
        else:
            stats.ok += 1
            service.ok += 1
            usage = usage_of(record["response"]["body"])
            service.models.setdefault(usage.model, Tokens()).add(usage)
    stats.regions[BATCH] = service
    left = foreign.beside(output)
    prices = PriceList({BATCH: "openai"})
    progress = Progress(stats.ok + stats.failed, 0, 0.0, stats, (), prices=prices)
    return Summary(
        progress=progress,
        output=output,
        wall_s=0.0,
        cost_usd=progress.cost_usd,
        configured=(BATCH,),
        stop=None if left is None else Stop(0, left),
    )


def as_json(summary: Summary, writer: str | None) -> dict[str, Any]:
    """As ``OUTPUT.stats.json``, and who is writing; how a region is just now stands in no file."""
    content = summary.as_json() | {"running": writer}
    for region in content["regions"].values():
        del region["state"]
    return content


def _unfinished(output: Path, saved: Mapping[str, Any], writer: str | None) -> str:
    if writer is not None:
        return f"running: {writer}"
    if not saved:
        return "without a checkpoint: run the same command again to go on"
    if why := _stopped(output):
        return f"not finished: {why}"
    return "not finished, killed: run the same command again to go on"


def _stopped(output: Path) -> str | None:
    """Why the last run stopped, as it said itself; None where it could not say."""
    try:
        with sibling(output, ".stats.json").open("rb") as file:
            stopped = decode(file.read(checkpoint.LARGEST)).get("stopped")
    except (OSError, ValueError):
        return None
    return stopped if isinstance(stopped, str) and stopped != RUNNING else None
