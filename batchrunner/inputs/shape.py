"""The nouns of an input that may be a table."""

from dataclasses import dataclass
from typing import Literal

Type = Literal["text", "integer", "number", "boolean", "date", "timestamp", "json", "binary"]
Noun = Literal["line", "row"]


@dataclass(frozen=True, slots=True)
class Shape:
    """How a CSV file is written; None is found out."""

    delimiter: str | None = None
    encoding: str | None = None


PLAIN = Shape()


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table. In a CSV file every cell is a text, and the type is a guess."""

    name: str
    type: Type
