"""Make the results file whole again, however the last run ended.

Theory of operation. A line certifies itself (see ``lines``), so the file alone says which jobs
are done: a job is done exactly when a whole line with its ordinal is in the file. A first pass
sorts the lines and changes nothing. Then, depending on what it found:

* all lines are whole, each ordinal once: nothing to do;
* bad bytes at the end only: a write was under way. They are cut off;
* bad bytes with whole lines behind them: after a power cut, blocks of the last moments survive in
  any order. The whole lines are copied to a new file that replaces the old one (*compaction*).
  Lines that came twice, and failures that are to be tried again, go the same way;
* bad bytes before ``synced``, or fewer bytes or lines than the checkpoint counted: that was safe
  on the medium, so something else happened to it. Nothing is touched unless ``repair`` says so.

What is cut out is kept in ``OUTPUT.torn-<utc>``, except the failures that were asked to go.

A crash at any point of this is harmless: the copy of the bad bytes and the new file are on the
medium before the old file changes, and it changes at one stroke. One thing outside the file must
not be forgotten: a compacted file may be shorter than ``synced``, and the next start would take
that for lost data. Therefore ``before_compaction`` is called first, and there the caller withdraws
the promise: it publishes a checkpoint with ``synced`` and ``records`` zero. The lines to be
dropped can still be read at that moment, with ``tail``.

Finally the file and its directory are synced, though this run has written nothing yet: lines may
be in the cache of the system only, left there by a run that was killed, and from now on they count
as done. Those behind ``synced`` are even written again, in place and byte by byte the same: if a
sync had failed, the system may hold them for safe when they are not.
"""

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ..errors import DamagedError, UsageError
from .disk import BLOCK, DISK, NEW, Disk, disk_error, sibling, write_all
from .done import DoneSet
from .lines import START, may_begin
from .results_file import open_results
from .survey import Kind, Survey, sorted_lines, survey
from .torn import Torn

GROUP = 256  #: lines written at once by a compaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known about the results file before it is read, and what is to be done with it."""

    synced: int = 0  #: bytes that the checkpoint counts as safe
    records: int = 0  #: lines that it counts
    drop: Callable[[bytes], bool] | None = None  #: whole lines whose jobs shall run again
    repair: bool = False  #: whether to go on with what is left of a damaged file
    before_compaction: Callable[[], None] | None = None  #: withdraws the promise of the checkpoint


@dataclass(slots=True)
class Recovered:
    """A whole results file, open for appending, and what had to be done to it."""

    fd: int
    size: int
    done: DoneSet
    bad_lines: int = 0
    bad_bytes: int = 0
    duplicates: int = 0
    dropped: int = 0
    compacted: bool = False
    kept_in: Path | None = None  #: where the bytes that were cut out are


def recover(path: Path, known: Known, disk: Disk = DISK) -> Recovered:
    """Open the results file at ``path`` and leave it whole, on the medium, one line per job.

    To be called by the holder of the lock only. Raises ``DamagedError`` where lines are gone that
    were safe, ``UsageError`` where the file is none of ours, ``DiskError`` where the disk fails;
    then the file is as it was. Calling it again changes nothing more.
    """
    fd, size = open_results(path, disk)
    try:
        return _recover(path, known, disk, Recovered(fd, size, DoneSet()))
    except OSError as error:
        raise disk_error("recover", path, error) from error


def _recover(path: Path, known: Known, disk: Disk, result: Recovered) -> Recovered:
    try:
        disk.unlink(sibling(path, ".compact"))  # an unfinished one never counted
        found = survey(path, known.drop, disk)
        if not known.repair:
            _refuse_damage(path, found, known)
        if not known.synced:
            _refuse_foreign(path, found, disk)
        _mend(path, found, known, disk, result)
        _settle(path, min(known.synced, result.size), disk, result)
    except BaseException:
        disk.close(result.fd)
        raise
    return result


def _refuse_foreign(path: Path, found: Survey, disk: Disk) -> None:
    """Not one line is ours: then it must look like the torn first line, or like a hole."""
    if found.bad_at is None or found.records:
        return
    with disk.reader(path) as file:
        head = file.read(len(START)).rstrip(b"\0")
    if not may_begin(head):
        raise UsageError(
            f"{path} has no results in it, it is another kind of file: choose another --output"
        )


def _refuse_damage(path: Path, found: Survey, known: Known) -> None:
    if found.bad_at is not None and found.bad_at < known.synced:
        trouble = f"the line at byte {found.bad_at} is damaged"
    elif found.size < known.synced:
        trouble = f"it has {found.size} bytes"
    elif found.records < known.records:
        trouble = f"it has {found.records} whole lines"
    else:
        return
    raise DamagedError(
        f"{path} is not as it was left: {trouble}, but {known.synced} bytes with {known.records} "
        f"lines were safe; {found.records} lines are whole, {found.bad_lines} damaged "
        f"({found.bad_bytes} bytes). Restore the file, or add --repair to go on with the whole "
        "lines and run the other jobs again"
    )


def _mend(path: Path, found: Survey, known: Known, disk: Disk, result: Recovered) -> None:
    result.done, result.size = found.done, found.size
    result.bad_lines, result.bad_bytes = found.bad_lines, found.bad_bytes
    result.duplicates, result.dropped = found.duplicates, found.dropped
    if found.scattered or found.duplicates or found.dropped:
        if known.before_compaction is not None:
            known.before_compaction()
        _compact(path, known, disk, result)
    elif found.bad_at is not None:
        _cut(path, found.bad_at, disk, result)


def _cut(path: Path, size: int, disk: Disk, result: Recovered) -> None:
    with Torn(path, disk) as torn, disk.reader(path) as file:
        file.seek(size)
        while block := file.read(BLOCK):
            torn.keep(block)
    disk.ftruncate(result.fd, size)
    result.size, result.kept_in = size, torn.path


def _compact(path: Path, known: Known, disk: Disk, result: Recovered) -> None:
    """Replace the file by its whole lines, each ordinal once, in the order they have."""
    draft = sibling(path, ".compact")
    fd = disk.open(draft, os.O_RDWR | os.O_APPEND | NEW)
    try:
        with Torn(path, disk) as torn:
            size = _copy_whole(path, known, disk, fd, torn)
        disk.fsync(fd)
        disk.replace(draft, path)
    except BaseException:
        disk.close(fd)
        raise
    disk.close(result.fd)
    result.fd, result.size, result.compacted, result.kept_in = fd, size, True, torn.path


def _copy_whole(path: Path, known: Known, disk: Disk, fd: int, torn: Torn) -> int:
    size, group = 0, list[bytes]()
    with closing(sorted_lines(path, DoneSet(), known.drop, disk)) as lines:
        for kind, line in lines:
            if kind is Kind.WHOLE:
                size += len(line)
                group.append(line)
            elif kind is not Kind.DROPPED:
                torn.keep(line)
            if len(group) == GROUP:
                write_all(disk, fd, b"".join(group))
                group.clear()
    write_all(disk, fd, b"".join(group))
    return size


def _settle(path: Path, synced: int, disk: Disk, result: Recovered) -> None:
    """See to it that the medium has the file, its name, and every line in it."""
    if not result.compacted and result.size > synced:
        _write_again(path, synced, result.size, disk)
    disk.fsync(result.fd)
    disk.fsync_directory(path.parent)


def _write_again(path: Path, start: int, end: int, disk: Disk) -> None:
    fd = disk.open(path, os.O_WRONLY)
    try:
        with disk.reader(path) as file:
            file.seek(start)
            while start < end and (block := file.read(min(BLOCK, end - start))):
                _write_at(disk, fd, block, start)
                start += len(block)
    finally:
        disk.close(fd)


def _write_at(disk: Disk, fd: int, block: bytes, offset: int) -> None:
    while block:
        written = disk.pwrite(fd, block, offset)
        block, offset = block[written:], offset + written
