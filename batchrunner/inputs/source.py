"""A file's lines, a block at a time.

A block of a MiB costs one hop to a thread, so that neither the disk nor the decompressor holds up
the event loop, and a line costs nothing. What a thread has read is kept in the source and not in
the task that asked for it: a task that is cancelled while it reads loses no line for the others.
"""

import os
import stat
from collections import deque
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from anyio import to_thread

from ..errors import BatchrunnerError, DiskError, InputError, UsageError
from .packing import Packing, Readable, Unpacked, bare, by_content, by_name
from .shape import PLAIN, Column, Noun
from .splitting import Splitter
from .strict import LONGEST

BLOCK = 1024 * 1024

_PLAIN = frozenset({"", ".jsonl", ".ndjson"})
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class Source:
    """An async iterator over lists of lines, as bytes without their newlines."""

    noun: Noun = "line"
    columns: tuple[Column, ...] | None = None
    shape = PLAIN

    def __init__(
        self, path: str | os.PathLike[str], *, block: int = BLOCK, longest: int = LONGEST
    ) -> None:
        self.path = Path(path)
        self._block = block
        self._splitter = Splitter(longest)
        self._file: Readable | None = None
        self._turn = Lock()
        self._blocks: deque[bytes] = deque()
        self._fault: BatchrunnerError | None = None
        self._began = self._ended = False

    async def __aenter__(self) -> Self:
        self._file = await to_thread.run_sync(open_file, self.path)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        with self._turn:
            if self._file is not None:
                self._file.close()
                self._file = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[bytes]:
        while not self._ended:
            if not self._blocks:
                await to_thread.run_sync(self._read)
            if self._fault and not self._blocks:
                raise self._fault
            lines = self._split()
            if lines:
                return lines
        raise StopAsyncIteration

    def _read(self) -> None:
        """Fetch a block; runs in a thread."""
        with self._turn:
            if self._file is None:
                raise RuntimeError("a source is read within its `async with`")
            try:
                self._blocks.append(read_block(self._file, self._block, self.path))
            except BatchrunnerError as fault:
                self._fault = fault

    def _split(self) -> list[bytes]:
        block = self._blocks.popleft()
        self._ended = not block
        lines = self._splitter.feed(block) if block else self._splitter.finish()
        if lines and not self._began:
            self._began = True
            self._look_at(lines[0])
        return lines

    def _look_at(self, first: bytes) -> None:
        """Refuse a file of which no line can be read."""
        if first.startswith(_UTF_16) or (len(first) > 1 and (first[0] == 0) != (first[1] == 0)):
            raise InputError(f"{self.path} is UTF-16: save it as UTF-8")
        if (packing := by_content(first)) is not None:
            raise InputError(f"{self.path} is compressed: let its name end in {packing.suffix}")


def open_file(path: Path) -> Readable:
    """``path``, opened for reading what is inside of it."""
    suffix = Path(bare(path.name)).suffix
    if suffix.lower() not in _PLAIN:
        raise UsageError(
            f"{path} is a {suffix} file, which cannot be read: the input must be .jsonl, .ndjson,"
            " .csv or .tsv, each also .gz or .zst, or .parquet"
        )
    return open_any(path)


def open_any(path: Path) -> Readable:
    """The same, whatever its name says of what is inside."""
    packing = by_name(path.name)
    try:
        _check_kind(path, packing)
        return Unpacked(path, packing) if packing else path.open("rb", buffering=0)
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist: check the path of the input") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None


def _check_kind(path: Path, packing: Packing | None) -> None:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise UsageError(f"{path} is a directory: name a file in it")
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(
            f"{path} is no regular file, and the input is read twice: use - for stdin"
        )
    if packing and status.st_size == 0:
        raise InputError(
            f"{path} is empty, which no {packing.name} file is: it was cut short; make it again"
        )


def read_block(file: Readable, size: int, path: Path) -> bytes:
    """Up to ``size`` bytes; none at the end of the file, and only there."""
    try:
        return file.read(size) or b""
    except OSError as error:
        raise DiskError(f"{path} cannot be read: {error.strerror or error}") from None
