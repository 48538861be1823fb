"""Any input, opened by what its name ends in."""

from pathlib import Path

from .shape import PLAIN, Column, Lines, Shape
from .source import Source

__all__ = ["PLAIN", "Column", "Lines", "Shape", "open_lines"]


def open_lines(path: Path, shape: Shape = PLAIN) -> Lines:  # noqa: ARG001 - for tables
    """The lines of ``path``, or the rows where it is a table."""
    return Source(path)
