"""Which format a new table has, and what writes it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from ..errors import UsageError
from ..inputs.packing import bare, by_name
from ..inputs.remote import plain, refuse_remote
from .csv_writer import CsvWriter
from .draft import cannot_write, draft, packed
from .jsonl_writer import JsonlWriter
from .parquet_writer import ParquetWriter, pyarrow
from .rows import Layout, Writer

Format = Literal["csv", "tsv", "jsonl", "parquet"]
_SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a table goes; without a path to standard output."""

    path: Path | None
    format: Format
    packing: str = ""  #: ``.gz``, ``.zst``, or none


def target(name: str, asked: Format | None = None) -> Target:
    """The target that a file's name asks for; ``-`` is standard output, and CSV by itself."""
    if name == "-":
        if asked == "parquet":
            raise UsageError("Parquet needs a file: give -o TABLE.parquet")
        return Target(None, asked or "csv")
    refuse_remote(name, "write the table to a local -o, and copy it there when it is whole")
    name = plain(name)
    found = by_name(name)
    format_ = asked or _SUFFIXES.get(Path(bare(name)).suffix.lower())
    if format_ is None:
        raise UsageError(
            f"{name}: what kind of table is that? Let its name end in .csv, .tsv, .jsonl (each "
            "also .gz or .zst) or .parquet, or say --format"
        )
    if format_ == "parquet":
        if found is not None:
            raise UsageError(f"{name}: Parquet is packed by itself: leave out {found.suffix}")
        pyarrow()
    return Target(Path(name), format_, found.suffix if found else "")


@contextmanager
def written(where: Target, layout: Layout, *, harmless: bool) -> Iterator[Writer]:
    """A writer for the table, which is there when the block has ended well, and not before."""
    with opened(where) as file, packed(file, where.packing) as inner:
        writer = _writer(inner, where.format, layout, harmless=harmless)
        try:
            yield writer
        except BaseException:
            writer.abandon()
            raise
        writer.close()


@contextmanager
def opened(where: Target) -> Iterator[BinaryIO]:
    """The file behind a target."""
    if where.path is not None:
        with draft(where.path) as file:
            yield file
        return
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise cannot_write(Path("standard output"), error) from None


def _writer(file: BinaryIO, format_: Format, layout: Layout, *, harmless: bool) -> Writer:
    match format_:
        case "parquet":
            return ParquetWriter(file, layout)
        case "jsonl":
            return JsonlWriter(file, layout)
        case _:
            delimiter = "\t" if format_ == "tsv" else ","
            return CsvWriter(file, layout, delimiter=delimiter, harmless=harmless)
