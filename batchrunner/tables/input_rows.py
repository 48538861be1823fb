"""The rows of an input, as they go into the new table."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio.to_thread
import orjson

from ..inputs.broken import Broken
from ..inputs.opening import Form, form_of, open_lines
from ..inputs.shape import PLAIN, Shape
from .guess import TextGuess, ValueGuess
from .types import BINARY, BOOLEAN, DATE, INTEGER, JSON, NUMBER, TEXT, TIMESTAMP, Column

_TYPES = {
    "integer": INTEGER,
    "number": NUMBER,
    "boolean": BOOLEAN,
    "date": DATE,
    "timestamp": TIMESTAMP,
    "json": JSON,
    "binary": BINARY,
}


@dataclass(frozen=True, slots=True)
class InputRows:
    """An input, to be read again."""

    path: Path
    shape: Shape = PLAIN
    limit: int | None = None  #: rows that the last run was about
    answered: int = 0  #: rows below this ordinal are there in any case: an earlier one had more
    whole: bool = False  #: whether every field of a line is data, as with a prompt of its own
    form: Form = field(init=False)  #: whether cells are texts, typed values, or JSON

    def __post_init__(self) -> None:
        object.__setattr__(self, "form", form_of(self.path.name))

    async def blocks(self) -> AsyncGenerator[list[tuple[int, bytes]]]:
        """Every row that is not blank, with its ordinal, a block at a time."""
        ordinal, left = -1, self.limit
        async with open_lines(self.path, self.shape) as lines:
            async for some in lines:
                numbered = list(enumerate(some, ordinal + 1))
                ordinal = numbered[-1][0]
                rows = [(at, line) for at, line in numbered if line and not line.isspace()]
                if left is not None:
                    before = [row for row in rows[left:] if row[0] < self.answered]
                    rows, left = rows[:left] + before, left - min(left, len(rows))
                if rows:
                    yield rows
                if left == 0 and ordinal + 1 >= self.answered:
                    return

    async def columns(self) -> list[Column]:
        """The columns with their types; costs reading all of it, unless it says them itself."""
        async with open_lines(self.path, self.shape) as lines:
            known = lines.columns
        if self.form == "parquet" and known is not None:
            return [Column(column.name, _TYPES.get(column.type, TEXT)) for column in known]
        guesses: dict[str, TextGuess | ValueGuess] = {}
        guess = TextGuess if known is not None else ValueGuess
        if known is not None:
            guesses = {column.name: TextGuess() for column in known}

        def look(rows: list[tuple[int, bytes]]) -> None:
            for _, line in rows:
                for name, value in orjson.loads(self.data(line)).items():
                    (guesses.get(name) or guesses.setdefault(name, guess())).add(value)

        async for rows in self.blocks():
            await anyio.to_thread.run_sync(look, rows)
        return [Column(name, found.type) for name, found in guesses.items()]

    async def first_names(self) -> list[str]:
        """The columns that the first row has; of a table all of them have the same."""
        async with aclosing(self.blocks()) as blocks:
            async for (_, line), *_ in blocks:
                return list(orjson.loads(self.data(line)))
        return []

    def data(self, line: bytes) -> bytes:
        """What of a row goes into the table: of a Batch line its id; of a broken row nothing."""
        is_row = self.form != "jsonl" and not isinstance(line, Broken)
        if is_row and (self.whole or b'"url"' not in line):  # it was made of cells, as it must be
            return line
        values = None if isinstance(line, Broken) else _object(line)
        if values is None:
            return b"{}"
        if not self.whole and "body" in values and "url" in values:
            return orjson.dumps({"custom_id": values.get("custom_id", values.get("id"))})
        return line.removeprefix(b"\xef\xbb\xbf").strip()


def name_of(line: bytes, ordinal: int, column: str | None = None) -> str:
    """The id of a row, which a service was given as ``custom_id``.

    It stands in ``column``, or else in one of the usual names; without it a row is known by its
    place, and all of them are where ``column`` is empty.
    """
    values = _object(line) or {}
    found = values.get("custom_id", values.get("id")) if column is None else values.get(column)
    return str(ordinal) if found is None else str(found)


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        values = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return None
    return values if isinstance(values, dict) else None
