"""Any input, opened by what its name ends in."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from ..errors import UsageError
from .csvfile import CsvFile
from .packing import bare
from .parquet import ParquetFile
from .remote import file_name, is_remote
from .rows import Rows
from .shape import PLAIN, Column, Noun, Shape
from .source import Source

__all__ = ["PLAIN", "Column", "Lines", "Shape", "open_lines"]

Form = Literal["csv", "parquet", "jsonl"]
_FORMS: Mapping[str, Form] = {".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}


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


def form_of(name: str) -> Form:
    """How a file of this name is written, packed or not; what is no table is lines of JSON."""
    return _FORMS.get(Path(bare(name)).suffix.lower(), "jsonl")


def refuse_shape(name: str, options: Mapping[str, object]) -> None:
    """UsageError for options that say how a CSV file is written, where ``name`` is none."""
    given = [key for key in ("delimiter", "encoding") if options.get(key) is not None]
    known = file_name(name) if is_remote(name) else name
    if given and name != "-" and form_of(known) != "csv":
        raise UsageError(
            f"--{given[0]} says how a CSV or TSV file is written, and the name of the input ends "
            "in neither: leave it out, or rename the input"
        )


def open_lines(path: Path, shape: Shape = PLAIN) -> Lines:
    """The lines of ``path``, or the rows where it is a table; to be entered first.

    ``shape`` is what is known of a CSV file; the rest is found out.
    """
    match form_of(path.name):
        case "csv":
            return Rows(path, shape, CsvFile)
        case "parquet":
            return Rows(path, shape, ParquetFile)
        case "jsonl":
            return Source(path)
