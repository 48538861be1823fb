"""A table as Parquet: typed columns, in groups of rows."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import UsageError
from .guess import utc, value_of
from .rows import Layout, Row
from .types import Column, Type, UnfitError, fit

GROUP = 10_000  #: rows of a group
AT_ONCE = 1_000  #: rows of a Parquet input that are read at a time
GROUP_BYTES = 4 << 20  #: or so much of them


def pyarrow() -> Any:
    """The library, or what to do where it is missing."""
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError:
        raise UsageError(
            "Parquet needs pyarrow: pip install 'batchrunner[table]', or export to .csv or .jsonl"
        ) from None
    with _pandas_out_of_sight():
        pa.array([])
    return pa


@contextmanager
def _pandas_out_of_sight() -> Iterator[None]:
    """At its first array Arrow imports pandas, to know a list of its own: half a second, 50 MB."""

    class Absent:
        @staticmethod
        def find_spec(name: str, *_: Any) -> None:
            if name == "pandas":
                raise ModuleNotFoundError(name=name)

    sys.meta_path.insert(0, Absent)
    try:
        yield
    finally:
        sys.meta_path.remove(Absent)


class ParquetWriter:
    """Writes rows as columns."""

    def __init__(self, file: BinaryIO, layout: Layout) -> None:
        self._pa = pyarrow()
        self._layout = layout
        self._source = None if layout.parquet is None else _Source(self._pa, layout.parquet)
        self._waiting: list[Any] = []
        given = self._source.schema if self._source else map(self._field, layout.given)
        self._schema = self._pa.schema([*given, *map(self._field, layout.new)])
        self._writer = self._pa.parquet.ParquetWriter(file, self._schema, compression="zstd")

    def write(self, rows: Sequence[Row]) -> None:
        """Write some more rows."""
        if not rows:
            return
        given = (
            self._source.take(len(rows)) if self._source else list(self._columns_of_input(rows))
        )
        new = [
            self._array(column, [row.cells[at] for row in rows], rows)
            for at, column in enumerate(self._layout.new)
        ]
        arrays = [*given, *new]
        self._waiting.append(self._pa.Table.from_arrays(arrays, schema=self._schema))
        if (
            sum(len(part) for part in self._waiting) >= GROUP
            or sum(part.nbytes for part in self._waiting) >= GROUP_BYTES
        ):
            self._flush()

    def close(self) -> None:
        """Write what is left, and the end."""
        self._flush()
        self._end()

    def abandon(self) -> None:
        """Let go of everything: nobody will read this table."""
        with suppress(Exception):  # what ended it was worse
            self._end()

    def _end(self) -> None:
        self._writer.close()
        if self._source is not None:
            self._source.close()

    def _flush(self) -> None:
        if self._waiting:
            table = self._pa.concat_tables(self._waiting)
            self._waiting = []
            self._writer.write_table(table, row_group_size=max(1, len(table)))

    def _columns_of_input(self, rows: Sequence[Row]) -> Iterator[Any]:
        values = [row.values for row in rows]
        for column in self._layout.given:
            cells = [row.get(column.name) for row in values]
            if self._layout.texts:
                cells = [None if text is None else value_of(text, column.type) for text in cells]
            yield self._array(column, cells, rows)

    def _array(self, column: Column, cells: Sequence[Any], rows: Sequence[Row]) -> Any:
        fitted = []
        for row, cell in zip(rows, cells, strict=True):
            try:
                fitted.append(_moment(fit(cell, column.type), column.type))
            except UnfitError as error:
                raise UsageError(
                    f"row {row.ordinal + 1}, column {column.name!r}: {error}, as the column would "
                    "be in Parquet: export to .jsonl or .csv, which keep any value"
                ) from None
        return self._pa.array(fitted, type=_arrow(self._pa, column.type))

    def _field(self, column: Column) -> Any:
        return self._pa.field(column.name, _arrow(self._pa, column.type))


class _Source:
    """The columns of a Parquet file, as many rows at a time as somebody wants."""

    def __init__(self, pa: Any, path: Path) -> None:
        self._pa = pa
        self._file = pa.parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
        self.schema = self._file.schema_arrow.remove_metadata()
        self._batches = self._file.iter_batches(AT_ONCE, use_threads=False)
        self._held: list[Any] = []

    def take(self, count: int) -> list[Any]:
        """The next ``count`` rows, column by column."""
        while sum(map(len, self._held)) < count:
            self._held.append(self._pa.Table.from_batches([next(self._batches)]))
        table = self._pa.concat_tables(self._held)
        self._held = [table.slice(count)]
        return list(table.slice(0, count).columns)

    def close(self) -> None:
        self._file.close()


def _moment(value: Any, kind: Type) -> Any:
    match kind.name:
        case "date" if value is not None:
            return date.fromisoformat(value)
        case "timestamp" if value is not None:
            return datetime.fromisoformat(value)
        case "instant" if value is not None:
            return utc(value)
        case _:
            return value


def _arrow(pa: Any, kind: Type) -> Any:
    if kind.item is not None:
        return pa.list_(_arrow(pa, kind.item))
    if kind.fields:
        return pa.struct([pa.field(name, _arrow(pa, part)) for name, part in kind.fields])
    return {
        "text": pa.string(),
        "json": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "float": pa.float32(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us"),
        "instant": pa.timestamp("us", tz="UTC"),
    }[kind.name]
