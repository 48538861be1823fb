"""Whole lines of results files, found by the request that they answer.

Theory of operation. The answers stay where they are, in the files; only where each stands is kept
in memory. A file is read once, when it is put on the shelf, and held open: when another run
replaces it by a mended one, the lines that were seen are still there. Whatever else happens to it
meanwhile, a line that is taken must be whole, by its checksum, and must name the whole request,
of which the index knows half: else it was never there.

What the system still has in memory is read at once, since a thread for each would cost ten times
as much as the read; only what has to come from the disk is waited for in a thread.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio.to_thread

from ..errors import UsageError
from .disk import DISK, Disk
from .index import Index
from .lines import MAX_LINE, check, may_begin, request_in
from .results_file import physical_lines

_OFFSET = 48  #: bits of a place that are the offset in the file; those above are its number
_GLANCE = 16 << 10  #: bytes of a line that are looked for in memory; most are shorter
_PIECE = 1 << 20


@dataclass(slots=True)
class Found:
    """What putting one file on the shelf came to."""

    physical: int = 0  #: lines, but none of ours that lacks its end
    whole: int = 0
    wanted: int = 0  #: of these
    named: int = 0  #: of these, those that name their request


class Shelf:
    """Finds whole lines by their requests; close it when the run has ended."""

    def __init__(self, room: int = 0, disk: Disk = DISK) -> None:
        self._index = Index(room)
        self._files: list[int] = []
        self._disk = disk

    def __len__(self) -> int:
        return len(self._index)

    def add(self, path: Path, wanted: Callable[[bytes], bool]) -> Found:
        """Read a file, and find its ``wanted`` lines from now on; damaged ones are passed over.

        Where lines answer the same request the last one is found, and that of the file that was
        added last. Blocks, so call it in a thread. Raises UsageError where it cannot be read.
        """
        found, offset = Found(), 0
        try:
            with self._disk.reader(path.resolve()) as file:
                self._files.append(self._disk.open(path.resolve(), 0))
                for line in physical_lines(file):
                    found.physical += line.endswith(b"\n") or not may_begin(line)
                    if check(line) is not None:
                        found.whole += 1
                        if wanted(line):
                            found.wanted += 1
                            found.named += self._note(line, len(self._files) - 1, offset)
                    offset += len(line)
        except FileNotFoundError:
            raise UsageError(f"{path} does not exist: name the results of a run") from None
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from None
        return found

    def note(self, request: str, offset: int) -> None:
        """Find a line that the file that was added first has at ``offset`` now."""
        self._index.put(int(request[:16], 16), offset)

    async def find(self, request: str) -> bytes | None:
        """The whole line that answers a request; None where there is none."""
        place = self._index.get(int(request[:16], 16))
        if place is None:
            return None
        fd, offset = self._files[place >> _OFFSET], place & (1 << _OFFSET) - 1
        line = _first(self._disk.peek(fd, _GLANCE, offset))
        if line is None:
            line = await anyio.to_thread.run_sync(self._read, fd, offset)
        if line is None or check(line) is None or request_in(line) != request.encode():
            return None
        return line

    def close(self) -> None:
        """Close the files."""
        while self._files:
            self._disk.close(self._files.pop())

    def _note(self, line: bytes, number: int, offset: int) -> bool:
        request = request_in(line)
        if request is not None:
            self._index.put(int(request[:16], 16), number << _OFFSET | offset)
        return request is not None

    def _read(self, fd: int, offset: int) -> bytes | None:
        """The line at ``offset``, from the disk."""
        line = bytearray()
        read = partial(self._disk.pread, fd, _PIECE)
        try:
            while len(line) < MAX_LINE and (piece := read(offset + len(line))):
                line += piece
                if b"\n" in piece:
                    return _first(bytes(line))
        except OSError:  # it cannot be read any more: then it is asked for again
            return None
        return None


def _first(text: bytes) -> bytes | None:
    """The first line of a text, with its end; None where it goes on."""
    end = text.find(b"\n") + 1
    return text[:end] if end else None
