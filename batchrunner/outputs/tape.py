"""The open results file as the writer sees it: whole groups of lines, and nothing else."""

from collections.abc import Sequence
from pathlib import Path

from ..errors import DiskError
from .disk import Disk, disk_error, write_all


class Tape:
    """Appends groups of lines to a file that is already recovered.

    ``size`` is the length of the whole groups written, ``synced`` how much of it is on the medium.
    """

    def __init__(self, path: Path, fd: int, size: int, disk: Disk) -> None:
        self.path = path
        self.size = size
        self.synced = size
        self._fd = fd
        self._disk = disk
        self._torn = False
        self._broken: str | None = None

    def write(self, lines: Sequence[bytes]) -> None:
        """Append all the lines, or none and raise ``OSError``: then the same may be tried again.

        Half a group is cut off at once, which also gives its space back. Where not even that can
        be done, nothing is written until it can: a line must never follow half a line.
        """
        self._refuse_if_broken()
        if self._torn:
            self._cut_back()
        data = b"".join(lines)
        try:
            write_all(self._disk, self._fd, data)
        except OSError:
            self._torn = True
            self._cut_back()
            raise
        self.size += len(data)

    def sync(self) -> None:
        """Wait until everything written is on the medium.

        An error here is final, also for every later call: the system may have dropped the data
        and would report the next attempt as a success.
        """
        self._refuse_if_broken()
        if self.synced == self.size:
            return
        try:
            self._disk.fdatasync(self._fd)
        except OSError as error:
            broken = disk_error("sync", self.path, error)
            self._broken = str(broken)
            raise broken from error
        self.synced = self.size

    def close(self) -> None:
        """Close the file, without syncing it."""
        self._disk.close(self._fd)

    def _cut_back(self) -> None:
        self._disk.ftruncate(self._fd, self.size)
        self._torn = False

    def _refuse_if_broken(self) -> None:
        if self._broken is not None:
            raise DiskError(self._broken)
