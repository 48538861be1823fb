"""Small files that are replaced whole: whoever looks sees the old one or the new one."""

import os
from contextlib import suppress
from pathlib import Path

from .disk import DISK, NEW, Disk, sibling, write_all


def publish(path: Path, content: bytes, disk: Disk = DISK) -> None:
    """Put ``content`` under the name ``path``, durably and at one stroke.

    1. write all of it to ``path.tmp``, a new file;
    2. fsync, or the name could outlive the content;
    3. rename, which readers see at once or not at all;
    4. fsync the directory, or the old name could come back.

    On failure the old file stays, the temporary one goes, and ``OSError`` is raised. One
    publisher of a path at a time: the holder of the output's lock.
    """
    draft = sibling(path, ".tmp")
    disk.unlink(draft)  # of a run that was killed at it
    fd = disk.open(draft, os.O_WRONLY | NEW)
    try:
        _fill(fd, content, disk)
        disk.replace(draft, path)
    except OSError:
        with suppress(OSError):
            disk.unlink(draft)
        raise
    disk.fsync_directory(path.parent)


def _fill(fd: int, content: bytes, disk: Disk) -> None:
    try:
        write_all(disk, fd, content)
        disk.fsync(fd)
    finally:
        disk.close(fd)
