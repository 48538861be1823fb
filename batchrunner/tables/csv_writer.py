"""A table as CSV: texts in quotes, numbers without, null as nothing at all.

So readers that look at quotes can tell a text from a number, and an empty text from none. What a
text says may differ from the answer in two ways, because of who opens CSV: what could be a formula
has an apostrophe before it, unless that is not wanted, and a NUL, at which some readers stop, is
U+FFFD.
"""

from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from .defuse import defuse
from .digits import Digits
from .rows import Layout, Row
from .types import BARE, BINARY, Column, dumped


class CsvWriter:
    """Writes rows as lines of cells."""

    def __init__(
        self, file: BinaryIO, layout: Layout, *, delimiter: str = ",", harmless: bool = True
    ) -> None:
        self._file, self._delimiter = file, delimiter
        self._given = [column.name for column in layout.given]
        self._spell: Callable[[str], str] = defuse if harmless else _as_it_is
        self._spellings = [self._spelling(column) for column in layout.given]
        header = [*self._given, *(column.name for column in layout.new)]
        self._line([self._cell(name) for name in header])

    def write(self, rows: Sequence[Row]) -> None:
        """Write some more rows."""
        for row in rows:
            values = row.values
            cells = [
                spell(values.get(name))
                for name, spell in zip(self._given, self._spellings, strict=True)
            ]
            self._line([*cells, *map(self._cell, row.cells)])

    def close(self) -> None:
        """There is no end to be written."""

    def abandon(self) -> None:
        """There is nothing to let go of."""

    def _spelling(self, column: Column) -> Callable[[Any], str]:
        """How the cells of a column of the input are spelled."""
        if column.type in BARE:
            return self._bare
        return _base64 if column.type == BINARY else self._cell

    def _line(self, cells: Sequence[str]) -> None:
        # a line of nothing would be taken for no line
        line = self._delimiter.join(cells) or '""'
        self._file.write(line.encode("utf-8", "replace") + b"\n")

    def _bare(self, value: Any) -> str:
        """Of a CSV file every cell is a text, of Parquet a decimal is one."""
        return value if isinstance(value, str) else self._cell(value)

    def _cell(self, value: Any) -> str:
        match value:
            case None:
                return ""
            case str():
                return self._text(value)
            case bool() | int() | float() | Digits():
                return dumped(value)
            case _:
                return self._text(dumped(value))

    def _text(self, text: str) -> str:
        spelled = self._spell(text)
        if "\0" in spelled:
            spelled = spelled.replace("\0", "\N{REPLACEMENT CHARACTER}")
        return '"' + spelled.replace('"', '""') + '"'


def _base64(value: Any) -> str:
    return "" if value is None else f'"{value}"'


def _as_it_is(text: str) -> str:
    return text
