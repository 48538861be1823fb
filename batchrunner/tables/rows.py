"""What the writers are given: a row of the input, and its new cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from .types import Column


@dataclass(slots=True)
class Row:
    """One row of the new table."""

    ordinal: int
    line: bytes  #: the row of the input as a JSON object
    cells: Sequence[Any]  #: of the new columns

    @property
    def values(self) -> dict[str, Any]:
        """The row of the input, by column."""
        values: dict[str, Any] = orjson.loads(self.line)
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The columns of the new table, and what is known of those of the input."""

    given: Sequence[Column]
    new: Sequence[Column]
    texts: bool = False  #: the cells of the input are texts, and their columns say what they mean
    parquet: Path | None = None  #: the file that the rows come from: its columns keep their types


class Writer(Protocol):
    """Writes a table, a few thousand rows at a time."""

    def write(self, rows: Sequence[Row]) -> None:
        """Write some more rows."""

    def close(self) -> None:
        """Write what is left, and the end."""

    def abandon(self) -> None:
        """Let go of everything: nobody will read this table."""
