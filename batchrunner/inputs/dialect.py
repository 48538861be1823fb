"""How a CSV file is written, told from its beginning. Pure.

The delimiter is the one that cuts the first rows into as many cells as the header; of several, the
one that makes most of them. Only what is UTF-8 or begins with a byte order mark is recognised:
every file is some text in cp1252, so that one must be asked for.
"""

import codecs
import csv
import re
from collections.abc import Sequence

from ..errors import ConfigError
from .shape import Shape, Type

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ROWS = 50  # that are looked at
_TYPES: tuple[tuple[Type, re.Pattern[str]], ...] = (
    ("integer", re.compile(r"-?(0|[1-9][0-9]{0,17})")),
    ("number", re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")),
    ("boolean", re.compile("true|false", re.IGNORECASE)),
    ("date", re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")),
    (
        "timestamp",
        re.compile(
            r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9.]+)?(Z|[+-][0-9:]{5,6})?"
        ),
    ),
)


def checked(shape: Shape) -> Shape:
    """``shape`` as it was asked for, with the tab written out; or a ConfigError."""
    delimiter, encoding = shape.delimiter, shape.encoding
    if delimiter in ("\\t", "tab"):
        delimiter = "\t"
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n\0'):
        raise ConfigError(
            f"--delimiter: {delimiter!a} is no delimiter: write one character, or tab"
        )
    try:
        "".encode(encoding or "utf-8")
    except (LookupError, ValueError):
        raise ConfigError(
            f"--encoding: {encoding!a} is not known: write a name such as utf-8, utf-16 or cp1252"
        ) from None
    return Shape(delimiter, encoding)


def encoding_of(start: bytes) -> str:
    """The encoding of a file that begins so."""
    return next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8")


def delimiter_of(lines: Sequence[str]) -> str:
    """What stands between the cells of these first lines; a comma where nothing does."""
    scores = {delimiter: _score(lines, delimiter) for delimiter in DELIMITERS}
    return max(scores, key=lambda delimiter: scores[delimiter])


def _score(lines: Sequence[str], delimiter: str) -> tuple[float, int]:
    """The share of rows that are as wide as the header, and its width; zeros for one column."""
    rows = [row for row in csv.reader(lines, delimiter=delimiter) if row][:_ROWS]
    width = len(rows[0]) if rows else 0
    if width < 2:
        return 0.0, 0
    return sum(len(row) == width for row in rows) / len(rows), width


def type_of(cells: Sequence[str]) -> Type:
    """What these cells of one column seem to be."""
    filled = [cell for cell in cells if cell]
    for name, pattern in _TYPES:
        if filled and all(pattern.fullmatch(cell) for cell in filled):
            return name
    return "text"
