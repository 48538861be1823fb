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
from ..outputs.disk import BLOCK, DISK, Disk, disk_error, sibling
from ..outputs.publish import replacement


@contextmanager
def draft(path: Path, disk: Disk = DISK) -> Iterator[BinaryIO]:
    """A new file, which takes the place of ``path`` once the block has ended well.

    Where anything goes wrong the old one stays, and a full disk is a DiskError. Several processes
    may do so at once: the last one wins.
    """
    try:
        with (
            replacement(path, sibling(path, f".{os.getpid()}.tmp"), disk) as fd,
            open(fd, "w+b", BLOCK, closefd=False) as file,
        ):
            yield file
    except OSError as error:
        raise cannot_write(path, error) from None


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
    return disk_error(
        "write", path, error, then="export again; what was there before is as it was"
    )
