"""The nouns of an input that may be a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

Type = Literal["text", "integer", "number", "boolean", "date", "timestamp", "json", "binary"]
Noun = Literal["line", "row"]


@dataclass(frozen=True, slots=True)
class Shape:
    """How a CSV file is written; None is found out."""

    delimiter: str | None = None
    encoding: str | None = None

    @classmethod
    def of(cls, saved: Mapping[str, Any]) -> Self:
        """The shape in which a checkpoint says that its input was read."""
        shape = saved.get("shape") or {}
        return cls(shape.get("delimiter"), shape.get("encoding"))


PLAIN = Shape()


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table. In a CSV file every cell is a text, and the type is a guess."""

    name: str
    type: Type
