"""The one way to the disk, so that tests can put a failing or a simulated one in its place."""

import errno
import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from ..errors import DiskError, UsageError

BLOCK = 1 << 20
NEW = os.O_CREAT | os.O_EXCL  #: a file that must not have been there


class Disk:
    """System calls, as thin as they can be; every one of them may raise ``OSError``.

    No file is ever inherited by a child process, no symbolic link is followed, and a pipe in the
    place of a file does not block.
    """

    def open(self, path: Path, flags: int) -> int:
        """A file descriptor; a new file can be read by its owner only."""
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)

    def reader(self, path: Path) -> BinaryIO:
        """A buffered reader of the whole file."""
        return open(path, "rb", BLOCK, opener=lambda _, flags: self.open(path, flags))

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """At most so many bytes from ``offset`` on; none at the end of the file."""
        return os.pread(fd, size, offset)

    def peek(self, fd: int, size: int, offset: int) -> bytes:
        """What of these bytes is in memory, from the first on; never waits for the medium.

        Gives nothing where the system cannot tell, as on macOS.
        """
        room = bytearray(size)
        try:
            return bytes(room[: os.preadv(fd, [room], offset, os.RWF_NOWAIT)])
        except (OSError, AttributeError):
            return b""

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Write some of the data; the number of bytes that were."""
        return os.write(fd, data)

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        """Write some of the data at ``offset``; the file must not be open for appending."""
        return os.pwrite(fd, data, offset)

    def fsync(self, fd: int) -> None:
        """Wait until the file, whatever its size is now, is on the medium."""
        full = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: its fsync stops at the drive's cache
        if full is None:
            os.fsync(fd)
        else:
            fcntl.fcntl(fd, full)

    def fdatasync(self, fd: int) -> None:
        """As ``fsync``, without the times of the file."""
        if hasattr(os, "fdatasync"):
            os.fdatasync(fd)
        else:
            self.fsync(fd)

    def fsync_directory(self, path: Path) -> None:
        """Wait until the names in a directory are on the medium."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def ftruncate(self, fd: int, size: int) -> None:
        """Cut a file off."""
        os.ftruncate(fd, size)

    def fstat(self, fd: int) -> os.stat_result:
        """Kind, size and number of links."""
        return os.fstat(fd)

    def replace(self, source: Path, target: Path) -> None:
        """Give a file another's name, at one stroke."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Remove a name, which need not be there."""
        path.unlink(missing_ok=True)

    def lock(self, fd: int) -> None:
        """Lock a file for this process alone; ``BlockingIOError`` if another has it.

        flock, not fcntl: such a lock ends when *any* descriptor of the file is closed, and does
        not keep the same process from opening it twice.
        """
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def probe(self, fd: int) -> None:
        """``BlockingIOError`` if another process has locked the file; it stays as it is."""
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(fd, fcntl.LOCK_UN)

    def close(self, fd: int) -> None:
        """Close a file."""
        os.close(fd)

    def free(self, path: Path) -> int:
        """Bytes that may still be written beside ``path``."""
        room = os.statvfs(path)
        return room.f_bavail * room.f_frsize

    def stamp(self) -> str:
        """The time, for names of files."""
        return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


DISK = Disk()


def sibling(path: Path, suffix: str) -> Path:
    """The file beside ``path`` whose name goes on with ``suffix``.

    Raises UsageError where ``path`` has no name, such as ``.`` or ``/``.
    """
    if not path.name:
        raise UsageError(f"{path} is a directory: name a file")
    return path.with_name(path.name + suffix)


def write_all(disk: Disk, fd: int, data: bytes) -> None:
    """Write all of the data, however many calls it takes."""
    rest = memoryview(data)
    while rest:
        rest = rest[disk.write(fd, rest) :]


_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your disk quota",
    errno.EFBIG: "raise the limit of file sizes (ulimit -f)",
    errno.EIO: "look at the kernel's messages and check the disk",
    errno.EROFS: "make the file system writable",
}
_AGAIN = "run the same command again: it goes on where it stopped"


def disk_error(doing: str, path: Path, error: OSError, *, then: str = _AGAIN) -> DiskError:
    """The same error in the user's words, with what to do first, and ``then``."""
    remedy = _REMEDIES.get(error.errno or 0, "check the disk")
    return DiskError(f"cannot {doing} {path}: {error.strerror or error}; {remedy}, then {then}")
