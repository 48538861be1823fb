"""Files that are replaced whole: whoever looks sees the old one or the new one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .disk import DISK, NEW, Disk, sibling, write_all


def publish(path: Path, content: bytes, disk: Disk = DISK) -> None:
    """Put ``content`` under the name ``path``, durably and at one stroke.

    One publisher of a path at a time: the holder of the output's lock. Raises what
    ``replacement`` does.
    """
    with replacement(path, sibling(path, ".tmp"), disk) as fd:
        write_all(disk, fd, content)


@contextmanager
def replacement(path: Path, draft: Path, disk: Disk = DISK) -> Iterator[int]:
    """A new file to read and write, which has the name ``path`` once the block has ended well.

    1. all of it is written to ``draft``, a new file that only its owner can read;
    2. fsync, or the name could outlive the content;
    3. rename, which readers see at once or not at all;
    4. fsync the directory, or the old name could come back.

    Where anything goes wrong the old file stays, the draft goes, and ``OSError`` is raised, or
    what the block raised.
    """
    disk.unlink(draft)  # of a process that was killed at it
    fd = disk.open(draft, os.O_RDWR | NEW)
    try:
        try:
            yield fd
            disk.fsync(fd)
        finally:
            disk.close(fd)
        disk.replace(draft, path)
    except BaseException:
        with suppress(OSError):
            disk.unlink(draft)
        raise
    disk.fsync_directory(path.parent)
