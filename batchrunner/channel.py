"""The way from a command to a live run: a socket beside the output, for its owner alone.

The name of a socket may have some 107 bytes, paths have more: so both sides go through a
descriptor of the directory, or of the socket itself, where the system has ``/proc/self/fd``. The
socket gets its mode before it has a name, listens before others can find it, and takes its place
by a rename, which also replaces what a killed run left there.
"""

import os
import secrets
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SUFFIX = ".ctl"
LONGEST = 4096  #: bytes of an order
BACKLOG = 1024  #: connections that nobody has looked at yet
ROOT = 0  # may do everything anyway
OURS = 0o600
_DESCRIPTORS = Path("/proc/self/fd")


@contextmanager
def listening_at(path: Path) -> Iterator[socket.socket]:
    """A socket at ``path`` that only this user can reach, until the end.

    OSError where none can be made. Whatever else stands there stays, and is an error.
    """
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _refuse_other(path.name, directory)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            mark = _listen(listener, path, directory)
            try:
                yield listener
            finally:
                _remove(path.name, mark, directory)
    finally:
        os.close(directory)


def connect(path: Path, patience: float) -> socket.socket:
    """A connection to the socket at ``path``; OSError where nobody listens."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(patience)
    try:
        if not (_DESCRIPTORS.is_dir() and hasattr(os, "O_PATH")):
            connection.connect(str(path))
            return connection
        itself = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            connection.connect(f"{_DESCRIPTORS}/{itself}")
        finally:
            os.close(itself)
    except BaseException:
        connection.close()
        raise
    return connection


def is_own(connection: socket.socket) -> bool:
    """Whether the other side is this user or root; True where the system does not tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    size = struct.calcsize("3i")
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return struct.unpack("3i", found)[1] in {os.geteuid(), ROOT}


def _listen(listener: socket.socket, path: Path, directory: int) -> tuple[int, int]:
    """Make the socket findable, once nobody else can use it; returns what it is known by."""
    listener.settimeout(0)
    os.fchmod(listener.fileno(), OURS)  # the name is made with this mode, on Linux
    name = f".{secrets.token_hex(4)}{SUFFIX}"
    listener.bind(
        f"{_DESCRIPTORS}/{directory}/{name}" if _DESCRIPTORS.is_dir() else str(path.parent / name)
    )
    try:
        if stat.S_IMODE(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode) != OURS:
            os.chmod(name, OURS, dir_fd=directory)  # nobody can connect before it listens
        listener.listen(BACKLOG)
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        os.rename(name, path.name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        os.unlink(name, dir_fd=directory)
        raise
    return found.st_dev, found.st_ino


def _refuse_other(name: str, directory: int) -> None:
    with suppress(FileNotFoundError):
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if not stat.S_ISSOCK(found.st_mode):
            raise FileExistsError(0, f"{name} is no socket: move it away")


def _remove(name: str, mark: tuple[int, int], directory: int) -> None:
    """Take the name away, unless it is another socket's by now."""
    with suppress(OSError):
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if (found.st_dev, found.st_ino) == mark:
            os.unlink(name, dir_fd=directory)
