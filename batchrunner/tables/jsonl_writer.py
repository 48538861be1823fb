"""A table as JSON Lines: every row as it was, to the digit, with its new columns behind."""

from collections.abc import Mapping, Sequence
from typing import BinaryIO

import orjson

from .digits import dumps
from .guess import value_of
from .rows import Layout, Row
from .types import TEXT


class JsonlWriter:
    """Writes rows as JSON objects."""

    def __init__(self, file: BinaryIO, layout: Layout) -> None:
        self._file = file
        self._types = {c.name: c.type for c in layout.given if layout.texts and c.type != TEXT}
        self._new = [column.name for column in layout.new]

    def write(self, rows: Sequence[Row]) -> None:
        """Write some more rows."""
        for row in rows:
            line = self._typed(row.values) if self._types else row.line
            added = dumps(dict(zip(self._new, row.cells, strict=True)))
            self._file.write(_joined(line, added) + b"\n")

    def close(self) -> None:
        """There is no end to be written."""

    def abandon(self) -> None:
        """There is nothing to let go of."""

    def _typed(self, values: Mapping[str, str]) -> bytes:
        types = self._types
        return orjson.dumps(
            {name: value_of(text, types.get(name, TEXT)) for name, text in values.items()}
        )


def _joined(left: bytes, right: bytes) -> bytes:
    """Two objects without a common key, as one."""
    begins, ends = left[:-1].rstrip(), right[1:]
    if begins == b"{" or ends == b"}":
        return begins + ends
    return begins + b"," + ends
