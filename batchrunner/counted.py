"""What a checkpoint counts, and what the lines behind it add.

The results file alone says which jobs are done; a checkpoint may be older than its last lines, or
announce a compaction that came or did not come.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .outputs.done import DoneSet
from .outputs.lines import check, decode, failed
from .outputs.results_file import tail
from .stats import Stats

COUNTED = ("stats", "results", "withdrawn", "counted")  #: what a checkpoint says of lines


def restore(path: Path, saved: Mapping[str, Any]) -> Stats:
    """The statistics of the checkpoint, and of the lines written after it."""
    stats, offset = base(saved)
    for line in tail(path, offset):
        count(stats, line)
    return stats


def settled(path: Path, saved: Mapping[str, Any]) -> Mapping[str, Any]:
    """A checkpoint as it is; one that announces a compaction, as that came or did not come.

    A compacted file is another file. Nothing was written to it before the next checkpoint, so the
    statistics that were announced are those of all its lines.
    """
    announced = saved.get("compaction")
    if announced is None or not path.exists():
        return saved
    now = path.stat()
    if now.st_ino == announced["inode"]:
        return {**saved, **announced["before"], "compaction": None}
    return {**saved, "stats": announced["stats"], "counted": now.st_size, "compaction": None}


def base(saved: Mapping[str, Any]) -> tuple[Stats, int]:
    """The statistics of a checkpoint, and up to where the lines are counted in them."""
    known = saved.get("stats")
    if not known:
        return withdrawn(saved), 0
    counted = saved.get("counted")
    return Stats.from_json(known), saved["results"]["synced"] if counted is None else counted


def count(stats: Stats, line: bytes) -> None:
    """Take in a whole line."""
    try:
        stats.add_line(decode(line))
    except ValueError:  # nested too deeply to be read, but whole: it counts as it is
        stats.add_unread(is_failure=failed(line))


def withdrawn(saved: Mapping[str, Any]) -> Stats:
    """What was called for failures that were taken out to run again."""
    known = saved.get("withdrawn")
    return Stats.from_json(known) if known else Stats()


def done(path: Path) -> DoneSet:
    """The jobs that have a line, those to be dropped included."""
    found = DoneSet()
    for line in tail(path):
        if (entry := check(line)) is not None:
            found.mark(*entry)
    return found
