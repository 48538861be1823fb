"""A file that is written beside the old one and takes its place when it is whole."""

import gzip
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from ..errors import DiskError, UsageError
from ..inputs.packing import zstd
from ..outputs.disk import BLOCK, DISK, NEW, Disk, sibling


@contextmanager
def draft(path: Path, disk: Disk = DISK) -> Iterator[BinaryIO]:
    """A new file, which has the name ``path`` once the block has ended well.

    Then it is synced, renamed, and the directory synced. Where anything goes wrong the old file
    stays and the new one goes. Only its owner can read it, as the results.
    """
    name = sibling(path, f".{os.getpid()}.tmp")
    try:
        disk.unlink(name)  # of a process that was killed, and had the same number
        fd = disk.open(name, os.O_RDWR | NEW)
    except OSError as error:
        raise cannot_write(path, error) from None
    try:
        with open(fd, "w+b", BLOCK) as file:  # noqa: PTH123 - it is open already
            yield file
            file.flush()
            disk.fsync(file.fileno())
        disk.replace(name, path)
        disk.fsync_directory(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        with suppress(OSError):
            disk.unlink(name)


def check_target(path: Path, *sources: Path | None) -> None:
    """UsageError where ``path`` cannot be written, or is one of ``sources``."""
    for source in sources:
        if source is not None and _same(path, source):
            raise UsageError(f"{path} is a file of the run itself: give -o another one")
    if not path.absolute().parent.is_dir():
        raise UsageError(
            f"{path.absolute().parent} is no directory: make it, or choose another -o"
        )
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"{path} is no regular file: choose another -o")


def _same(path: Path, other: Path) -> bool:
    with suppress(OSError):
        return path.samefile(other)
    return path.resolve() == other.resolve()


@contextmanager
def packed(file: BinaryIO, suffix: str) -> Iterator[BinaryIO]:
    """What packs for ``file`` as its suffix (``.gz``, ``.zst`` or none) says."""
    if not suffix:
        yield file
        return
    packer: Any
    if suffix == ".gz":
        packer = gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0)
    else:
        packer = zstd().ZstdFile(file, "wb")
    with packer:
        yield cast("BinaryIO", packer)


def cannot_write(path: Path, error: OSError) -> DiskError:
    """The same error in the user's words."""
    return DiskError(
        f"cannot write {path}: {error.strerror or error}; make room or check the disk, and export "
        "again; what was there before is as it was"
    )
