"""What recovery cuts out of the results is kept beside them."""

import os
from pathlib import Path
from typing import Self

from .disk import NEW, Disk, sibling, write_all


class Torn:
    """``OUTPUT.torn-<utc>``: made with the first byte to keep, on the medium at the end.

    ``path`` is None as long as there was nothing to keep.
    """

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path: Path | None = None
        self._base = sibling(path, f".torn-{disk.stamp()}")
        self._disk = disk
        self._fd = -1

    def keep(self, data: bytes) -> None:
        """Add what is about to be cut out."""
        if self.path is None:
            self._create()
        write_all(self._disk, self._fd, data)

    def _create(self) -> None:
        path, attempt = self._base, 1
        while self.path is None:
            try:
                self._fd = self._disk.open(path, os.O_WRONLY | NEW)
                self.path = path
            except FileExistsError:
                path, attempt = sibling(self._base, f"-{attempt}"), attempt + 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.path is None:
            return
        try:
            if kind is None:
                self._disk.fsync(self._fd)
                self._disk.fsync_directory(self.path.parent)
        finally:
            self._disk.close(self._fd)
