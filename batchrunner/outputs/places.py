"""Where the line of each job lies in the results: eight bytes a job.

The lines stand in the order in which the answers came, which is nearly that of the input: by
ordinal they lie here and there in a stretch that the system has in its cache.
"""

import os
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ..errors import DamagedError, UsageError
from .disk import DISK, Disk
from .lines import MAX_LINE, check, failed
from .results_file import physical_lines

USUAL = 1 << 13  #: bytes that most lines are shorter than


class Places:
    """The whole lines of a results file, by ordinal. What a run goes on to write is not seen."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.failed = 0
        self._file = file
        self._places = array("Q")  # one more than the offset; 0: no line
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, ordinal: int) -> bool:
        return ordinal < len(self._places) and self._places[ordinal] > 0

    @property
    def end(self) -> int:
        """One more than the largest ordinal."""
        return len(self._places)

    def line(self, ordinal: int) -> bytes | None:
        """The line of a job; None where there is none."""
        if ordinal not in self:
            return None
        offset, size = self._places[ordinal] - 1, USUAL
        while True:
            found = os.pread(self._file.fileno(), size, offset)
            end = found.find(b"\n") + 1
            if end or len(found) < size or size >= MAX_LINE:
                return found[: end or len(found)]
            size *= 4

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def put(self, ordinal: int, offset: int) -> bool:
        """Remember where a line begins; False where the job has one already."""
        if ordinal in self:
            return False
        if ordinal >= len(self._places):
            self._places.frombytes(bytes(8 * (ordinal + 1 - len(self._places))))
        self._places[ordinal] = offset + 1
        self._count += 1
        return True


def places(path: Path, look: Callable[[bytes], None], disk: Disk = DISK) -> Places:
    """Read the results at ``path`` once, and show each whole line to ``look``.

    Half a line at the end is one that is being written. Anything else that is no whole line of one
    job raises DamagedError.
    """
    found = Places(path, opened(path, disk))
    try:
        _scan(found, found._file, look)  # noqa: SLF001 - of this module
    except BaseException:
        found.close()
        raise
    return found


def opened(path: Path, disk: Disk = DISK) -> BinaryIO:
    """The results, or what to do where there are none."""
    try:
        return disk.reader(path)
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist: name the results of a run") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def _scan(found: Places, file: BinaryIO, look: Callable[[bytes], None]) -> None:
    offset = 0
    bad: int | None = None
    line = b""
    for number, line in enumerate(physical_lines(file), 1):
        if bad is not None:
            raise _damaged(found.path, bad)
        entry = check(line)
        if entry is None:
            bad = number
        elif not found.put(entry[0], offset):
            raise _damaged(found.path, number)
        else:
            found.failed += failed(line)
            look(line)
        offset += len(line)
    if bad is not None and line.endswith(b"\n"):
        raise _damaged(found.path, bad)


def _damaged(path: Path, number: int) -> DamagedError:
    return DamagedError(
        f"line {number} of {path} is damaged or doubled: nothing was exported; "
        f"look at it with: batchrunner verify {path}"
    )
