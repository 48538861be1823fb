"""Any input, opened by what its name ends in."""

from pathlib import Path

from .csvfile import CsvFile
from .packing import bare
from .parquet import ParquetFile
from .rows import Rows
from .shape import PLAIN, Column, Lines, Shape
from .source import Source

__all__ = ["PLAIN", "Column", "Lines", "Shape", "open_lines"]


def open_lines(path: Path, shape: Shape = PLAIN) -> Lines:
    """The lines of ``path``, or the rows where it is a table; to be entered first.

    ``shape`` is what is known of a CSV file; the rest is found out.
    """
    match Path(bare(path.name)).suffix.lower():
        case ".csv" | ".tsv":
            return Rows(path, shape, CsvFile)
        case ".parquet":
            return Rows(path, shape, ParquetFile)
        case _:
            return Source(path)
