"""One run at a time for each output."""

import os
import platform
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from ..errors import LockedError, UsageError
from .disk import DISK, Disk, disk_error, sibling, write_all

PROBES, PROBE_SECONDS = 3, 0.005  #: a probe lasts microseconds


class Lock:
    """Held from ``acquire`` to ``release``, or to the death of the process, however it dies.

    The file stays when the lock goes: removing it would let two runs lock two files of one name.
    """

    def __init__(self, fd: int, disk: Disk) -> None:
        self._fd: int | None = fd
        self._disk = disk

    def release(self) -> None:
        """Let others have the output. Once is enough, twice does no harm."""
        fd, self._fd = self._fd, None
        if fd is not None:
            self._disk.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def acquire(output: Path, disk: Disk = DISK) -> Lock:
    """Lock ``OUTPUT.lock``; ``LockedError`` names the process that has it, as far as is known."""
    path = sibling(output, ".lock")
    try:
        fd = disk.open(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise UsageError(
            f"cannot create {path}: {error.strerror}; choose another place with --output"
        ) from error
    try:
        _take(fd, path, output, disk)
    except BaseException:
        disk.close(fd)
        raise
    return Lock(fd, disk)


def holder(output: Path, disk: Disk = DISK) -> str | None:
    """The process that writes an output now, as far as is known; None where there is none."""
    path = sibling(output, ".lock")
    try:
        fd = disk.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        disk.probe(fd)
    except BlockingIOError:
        return _holder(path, disk) or "a process"
    except OSError:
        return None
    finally:
        disk.close(fd)
    return None


def _take(fd: int, path: Path, output: Path, disk: Disk) -> None:
    try:
        _lock(fd, disk)
    except BlockingIOError:
        who = _holder(path, disk)
        raise LockedError(
            f"another run{f' ({who})' if who else ''} is writing {output}: "
            "wait for it, stop it, or choose another --output"
        ) from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be locked ({error.strerror}): put the output on a local disk"
        ) from error
    try:
        disk.ftruncate(fd, 0)
        write_all(disk, fd, f"{os.getpid()} {platform.node()}\n".encode())
    except OSError as error:
        raise disk_error("write", path, error) from error


def _lock(fd: int, disk: Disk) -> None:
    """Lock it, though somebody may be asking at this very moment whether it is locked."""
    for _ in range(PROBES):
        with suppress(BlockingIOError):
            return disk.lock(fd)
        time.sleep(PROBE_SECONDS)
    return disk.lock(fd)


def _holder(path: Path, disk: Disk) -> str:
    """Information, not proof: the lock is what counts."""
    try:
        with disk.reader(path) as file:
            pid, _, host = file.read(300).decode("utf-8", "replace").strip().partition(" ")
    except OSError:
        return ""
    return f"process {pid} on {host}" if pid.isdecimal() and host.isprintable() else ""
