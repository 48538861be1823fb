"""Parquet: rows with typed values, a few pages at a time.

What JSON has no value for is a text: times in ISO 8601, decimals digit by digit, bytes in base64.
NaN and infinity are null.
"""

from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from ..errors import InputError, UsageError
from .broken import Broken
from .packing import by_name
from .rows import BATCH, check_names, line_of
from .shape import PLAIN, Column, Shape, Type
from .source import open_any

_MOST = 4096  # rows of a batch
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class ParquetFile:
    """A Parquet file that is open; it blocks."""

    shape = PLAIN

    def __init__(self, path: Path, _shape: Shape = PLAIN) -> None:
        if packing := by_name(path.name):
            raise UsageError(
                f"{path}: Parquet is packed inside; unpack the {packing.suffix} around it"
            )
        open_any(path).close()  # which says best why it cannot be
        parquet = _pyarrow()
        self._path = path
        try:
            self._file = parquet.ParquetFile(path, pre_buffer=False, buffer_size=BATCH)
        except (OSError, ValueError) as error:
            raise _unsound(path, error) from None
        schema = self._file.schema_arrow
        check_names(path, schema.names)
        self._stamps = {f.name: _stamp(f.type) for f in schema if _is_stamp(f.type)}
        self.columns = tuple(Column(f.name, _type_of(f.type)) for f in schema)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def batches(self) -> Iterator[list[bytes]]:
        """The rows, at most a few thousand at a time, and fewer where they are large."""
        size = _batch_size(self._file.metadata)
        try:
            for batch in self._file.iter_batches(size, use_threads=False):
                yield self._lines(batch)
        except (OSError, ValueError, OverflowError) as error:
            raise _unsound(self._path, error) from None

    def _lines(self, batch: Any) -> list[bytes]:
        names = batch.schema.names
        columns = [
            self._stamps.get(name, _values)(column)
            for name, column in zip(names, batch.columns, strict=True)
        ]
        rows = zip(*columns, strict=True) if columns else [()] * batch.num_rows
        return [_line(dict(zip(names, row, strict=True))) for row in rows]


def _pyarrow() -> Any:
    try:
        from pyarrow import parquet
    except ImportError:
        raise UsageError(
            "a Parquet file needs pyarrow: pip install 'batchrunner[table]'"
        ) from None
    return parquet


def _unsound(path: Path, error: Exception) -> InputError:
    said = str(error).partition("\n")[0].rstrip(".")
    return InputError(f"{path} is no sound Parquet file ({said}): make it again")


def _batch_size(metadata: Any) -> int:
    """So many rows that about a MiB is read at a time."""
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    widest = max((g.total_byte_size // max(1, g.num_rows) for g in groups), default=0)
    return max(1, min(_MOST, BATCH // max(1, int(widest))))


def _line(row: dict[str, Any]) -> bytes:
    try:
        return line_of(row, _text)
    except TypeError as error:
        return Broken(repr(list(row)).encode(), f"holds what JSON cannot: {error}")


def _text(value: Any) -> Any:
    """What stands in JSON for a value that it has no form for."""
    match value:
        case Decimal():
            return format(value, "f")
        case bytes():
            return b64encode(value).decode("ascii")
        case timedelta():
            return f"PT{value.total_seconds():.6f}".rstrip("0").rstrip(".") + "S"
        case datetime():  # with nanoseconds
            return value.isoformat()
        case _:
            raise TypeError(f"a value of the type {type(value).__name__}")


def _values(column: Any) -> list[Any]:
    values: list[Any] = column.to_pylist()
    return values


def _stamp(type_: Any) -> Callable[[Any], list[Any]]:
    """What makes texts of timestamps: Python's own know no nanoseconds."""
    per_second, zone = _PER_SECOND[type_.unit], "+00:00" if type_.tz else ""

    def text(ticks: int | None) -> str | None:
        if ticks is None:
            return None
        seconds, part = divmod(ticks, per_second)
        moment = (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()
        digits = f"{part * (10**9 // per_second):09d}"
        digits = digits.removesuffix("000").removesuffix("000").removesuffix("000")
        return f"{moment}.{digits}{zone}" if digits else moment + zone

    return lambda column: [text(ticks) for ticks in column.cast("int64").to_pylist()]


def _is_stamp(type_: Any) -> bool:
    from pyarrow import types

    return bool(types.is_timestamp(type_))


def _type_of(type_: Any) -> Type:
    """The type in our words."""
    from pyarrow import types

    if types.is_dictionary(type_):
        return _type_of(type_.value_type)
    kinds: list[tuple[Type, bool]] = [
        ("boolean", types.is_boolean(type_)),
        ("integer", types.is_integer(type_)),
        ("number", types.is_floating(type_) or types.is_decimal(type_)),
        ("date", types.is_date(type_)),
        ("timestamp", types.is_timestamp(type_)),
        ("json", types.is_nested(type_)),
        (
            "binary",
            types.is_binary(type_)
            or types.is_large_binary(type_)
            or types.is_fixed_size_binary(type_)
            or types.is_binary_view(type_),
        ),
    ]
    return next((name for name, holds in kinds if holds), "text")
