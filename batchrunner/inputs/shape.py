"""The nouns of an input that may be a table."""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

Type = Literal["text", "integer", "number", "boolean", "date", "timestamp", "json", "binary"]
Noun = Literal["line", "row"]


@dataclass(frozen=True, slots=True)
class Shape:
    """How a CSV file is written; None is found out."""

    delimiter: str | None = None
    encoding: str | None = None


PLAIN = Shape()


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table. In a CSV file every cell is a text, and the type is a guess."""

    name: str
    type: Type


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
