"""Any input, opened by what its name ends in."""

from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from .csvfile import CsvFile
from .packing import bare
from .parquet import ParquetFile
from .rows import Rows
from .shape import PLAIN, Column, Noun, Shape
from .source import Source

__all__ = ["PLAIN", "Column", "Lines", "Shape", "open_lines"]


class Lines(Protocol):
    """An async iterator over lists of lines; a row of a table is a line of JSON.

    To be used within ``async with``; from then on ``columns`` and ``shape`` are known.
    """

    path: Path
    noun: Noun  #: what messages call one of them
    columns: tuple[Column, ...] | None  #: None: no table, and each line has fields of its own
    shape: Shape  #: how it is read: what was asked for, and what was found out

    async def __aenter__(self) -> Self:
        """Open it, and read the header."""

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go of it."""

    def __aiter__(self) -> Self:
        """Itself."""

    async def __anext__(self) -> list[bytes]:
        """The next ones, at least one; only a few of all are ever held."""


def open_lines(path: Path, shape: Shape = PLAIN) -> Lines:
    """The lines of ``path``, or the rows where it is a table; to be entered first.

    ``shape`` is what is known of a CSV file; the rest is found out.
    """
    match Path(bare(path.name)).suffix.lower():
        case ".csv" | ".tsv":
            return Rows(path, shape, CsvFile)
        case ".parquet":
            return Rows(path, shape, ParquetFile)
        case _:
            return Source(path)
