"""A table's rows, a batch at a time, for the event loop.

Files of tables are read and parsed in a thread by something that blocks. As in ``source.py``, what
a thread has read is kept here and not in the task that asked for it.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Protocol, Self

import orjson
from anyio import to_thread

from ..errors import BatchrunnerError, InputError
from .shape import Column, Noun, Shape

BATCH = 1024 * 1024  #: bytes of rows after which a batch ends


class Reader(Protocol):
    """A file that is open, and whose header is known."""

    columns: tuple[Column, ...]
    shape: Shape

    def batches(self) -> Iterator[list[bytes]]:
        """Its rows, some at a time."""

    def close(self) -> None:
        """Let go of the file."""


class Rows:
    """An async iterator over lists of rows, each a line of JSON; ``open_`` runs in a thread."""

    noun: Noun = "row"
    columns: tuple[Column, ...] | None = None

    def __init__(self, path: Path, shape: Shape, open_: Callable[[Path, Shape], Reader]) -> None:
        self.path = path
        self.shape = shape
        self._open = open_
        self._reader: Reader | None = None
        self._batches: Iterator[list[bytes]] = iter(())
        self._turn = Lock()
        self._read: deque[list[bytes]] = deque()
        self._fault: BatchrunnerError | None = None
        self._ended = False

    async def __aenter__(self) -> Self:
        self._reader = await to_thread.run_sync(self._open, self.path, self.shape)
        self.columns, self.shape = self._reader.columns, self._reader.shape
        self._batches = self._reader.batches()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._turn:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[bytes]:
        while not self._read:
            if self._fault:
                raise self._fault
            if self._ended:
                raise StopAsyncIteration
            await to_thread.run_sync(self._fetch)
        return self._read.popleft()

    def _fetch(self) -> None:
        """Parse a batch; runs in a thread."""
        with self._turn:
            if self._reader is None:
                raise RuntimeError("a table is read within its `async with`")
            try:
                batch = next(self._batches, None)
            except BatchrunnerError as fault:
                self._fault = fault
                return
            if batch is None:
                self._ended = True
            else:
                self._read.append(batch)


def line_of(row: Mapping[str, Any], default: Callable[[Any], Any] | None = None) -> bytes:
    """A row as a line of JSON.

    What orjson returns keeps 4 KiB, however short it is; a part of it is a copy of its own size.
    """
    return orjson.dumps(row, default, orjson.OPT_APPEND_NEWLINE)[:-1]


def check_names(path: Path, names: Sequence[str]) -> None:
    """Refuse a header in which a column has no name, or that of another."""
    for number, name in enumerate(names, 1):
        if not name.strip():
            raise InputError(
                f"{path}: column {number} has no name in the header: name it, or remove it"
                " (pandas writes such a column unless it is told index=False)"
            )
    name, count = Counter(names).most_common(1)[0] if names else ("", 0)
    if count > 1:
        places = " and ".join(str(n) for n, other in enumerate(names, 1) if other == name)
        raise InputError(
            f"{path}: columns {places} have the same name, {name!a}: give each its own"
        )
