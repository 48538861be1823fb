"""Rows joined with their results, and written, some at a time."""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

import anyio.to_thread
import orjson

from ..outputs.found import Results
from .exported import Exported
from .input_rows import InputRows, name_of
from .reader import Reader
from .rows import Row, Writer
from .types import TEXT, Column

ROWS = 64  #: that are held at a time: a row may have an embedding of thousands of numbers
ID = Column("custom_id", TEXT)  #: what stands for a row without the input
Joined = tuple[int, bytes, Mapping[str, Any] | None]


async def joined(
    rows: InputRows | None, results: Results, ids: str | None
) -> AsyncIterator[list[Joined]]:
    """Every row with its ordinal and its result, some at a time."""
    if rows is None:
        some: list[Joined] = []
        for ordinal, record in results.all():
            some.append((ordinal, orjson.dumps({ID.name: record["custom_id"]}), record))
            if len(some) == ROWS:
                yield some
                some = []
        yield some
        return
    end = 0

    def join(block: Sequence[tuple[int, bytes]]) -> list[Joined]:
        return [
            (at, rows.data(line), results.of(at, line, partial(name_of, line, at, ids)))
            for at, line in block
        ]

    async for block in rows.blocks():
        for start in range(0, len(block), ROWS):
            yield await anyio.to_thread.run_sync(join, block[start : start + ROWS])
        end = block[-1][0] + 1
    results.check_end(end)


async def write(
    told: Exported, writer: Writer, pairs: AsyncIterator[list[Joined]], read: Reader
) -> None:
    """Write what was joined, and count in ``told`` what it was."""
    async for some in pairs:
        rows = [Row(ordinal, line, _cells(told, record, read)) for ordinal, line, record in some]
        await anyio.to_thread.run_sync(writer.write, rows)


def _cells(told: Exported, record: Mapping[str, Any] | None, read: Reader) -> list[Any]:
    told.rows += 1
    if record is None:
        told.missing += 1
        return read.nothing
    cells, answered = read.cells(record)
    told.answered += answered
    told.failed += not answered
    return cells
