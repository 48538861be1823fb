"""The results file on the disk: what it must be, and how its lines are read."""

import errno
import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ..errors import BatchrunnerError, UsageError
from .disk import DISK, NEW, Disk, disk_error
from .lines import MAX_LINE, check

_APPEND = os.O_RDWR | os.O_APPEND
_NEAR_THE_END = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EIO}


def open_results(path: Path, disk: Disk) -> tuple[int, int]:
    """Descriptor and size of the results file, which is created if it is missing.

    A link, a pipe, a device or a directory in its place is refused, and so is a file with a second
    name, which would go on living as the old file when this one is compacted.
    """
    try:
        fd = _open_or_create(path, disk)
    except OSError as error:
        raise _refusal(path, error) from error
    try:
        return fd, _regular_size(path, disk.fstat(fd))
    except BaseException:
        disk.close(fd)
        raise


def tail(path: Path, offset: int = 0, disk: Disk = DISK) -> Iterator[bytes]:
    """The whole lines from ``offset`` on, oldest first; what is damaged is passed over.

    ``offset`` is the beginning of a line. One behind the end of the file gives nothing.
    """
    with disk.reader(path) as file:
        file.seek(offset)
        for line in physical_lines(file):
            if check(line):
                yield line


def last_line(path: Path, disk: Disk = DISK) -> bytes | None:
    """The last whole line; None where there is none."""
    with disk.reader(path) as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _NEAR_THE_END))
        last = _last_whole(file)
        if last is None:  # one line may be longer than that
            file.seek(0)
            last = _last_whole(file)
    return last


def _last_whole(file: BinaryIO) -> bytes | None:
    last = None
    for line in physical_lines(file):
        if check(line):
            last = line
    return last


def physical_lines(file: BinaryIO) -> Iterator[bytes]:
    """Everything up to the end, cut behind each line end.

    What is longer than any line comes in pieces, each of which is judged by itself: a piece that
    certifies itself is a line of ours, however much rubbish precedes it.
    """
    return iter(partial(file.readline, MAX_LINE), b"")


def _open_or_create(path: Path, disk: Disk) -> int:
    try:
        return disk.open(path, _APPEND)
    except FileNotFoundError:
        return disk.open(path, _APPEND | NEW)


def _regular_size(path: Path, status: os.stat_result) -> int:
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{path} is not a regular file: choose another --output")
    if status.st_nlink != 1:
        raise UsageError(
            f"{path} has {status.st_nlink} names (hard links): "
            "copy it, and use the copy as --output"
        )
    return status.st_size


def _refusal(path: Path, error: OSError) -> BatchrunnerError:
    if error.errno in _FULL:
        return disk_error("open", path, error)
    if error.errno in {errno.ELOOP, errno.EMLINK}:
        return UsageError(f"{path} is a symbolic link: give --output the file it points to")
    return UsageError(f"cannot open {path}: {error.strerror}; choose another --output")
