"""What a column holds. Pure.

One small set of types stands between JSON, JSON Schema, the texts of a CSV file and Parquet.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite
from typing import Any

from .digits import Digits, dumps

INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a column, or of what a list or an object in it holds."""

    name: str
    item: "Type | None" = None  #: of a list
    fields: tuple[tuple[str, "Type"], ...] = ()  #: of an object

    def __str__(self) -> str:
        if self.item is not None:
            return f"list of {self.item}"
        if self.fields:
            return "object of " + ", ".join(f"{name}: {kind}" for name, kind in self.fields)
        return self.name


TEXT = Type("text")
INTEGER = Type("integer")
NUMBER = Type("number")
BOOLEAN = Type("boolean")
DATE = Type("date")
TIMESTAMP = Type("timestamp")  #: without a zone
INSTANT = Type("instant")  #: a timestamp with a zone
JSON = Type("json")  #: anything, as the text of its JSON
FLOAT = Type("float")  #: a number of 32 bits, which is what embeddings are made of
EMBEDDING = Type("list", item=FLOAT)
BINARY = Type("binary")  #: bytes, as a text in base64

#: texts that other readers take for a number, true or false
BARE = frozenset({INTEGER, NUMBER, BOOLEAN})


class UnfitError(ValueError):
    """A value is not of the type of its column."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    type: Type


def fit(value: Any, kind: Type) -> Any:
    """``value`` as its column can hold it; null fits everywhere. Raises ``UnfitError``."""
    if value is None:
        return None
    match kind.name:
        case "text":
            return value if isinstance(value, str) else dumped(value)
        case "json":
            return dumped(value)
        case "list" if kind.item is not None:
            return _fit_list(value, kind.item)
        case "struct":
            return _fit_struct(value, kind.fields)
        case _:
            return _fit_scalar(value, kind)


def dumped(value: Any) -> str:
    """``value`` as JSON text."""
    return dumps(value).decode()


def _fit_list(value: Any, item: Type) -> list[Any]:
    if not isinstance(value, list):
        raise UnfitError(f"{_shown(value)} is no list")
    return [fit(member, item) for member in value]


def _fit_struct(value: Any, fields: tuple[tuple[str, Type], ...]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise UnfitError(f"{_shown(value)} is no object")
    return {name: fit(value.get(name), kind) for name, kind in fields}


def _fit_scalar(value: Any, kind: Type) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind.name:
        case "number" | "float" if isinstance(value, Digits) and isfinite(float(value.text)):
            return float(value.text)
        case "boolean" if isinstance(value, bool):
            return value
        case "number" | "float" if is_number:
            with suppress(OverflowError):
                return float(value)
        case "integer" if is_number and value % 1 == 0 and int(value) in INT64:
            return int(value)
        case "date" | "timestamp" | "instant" if isinstance(value, str):
            return value
    raise UnfitError(f"{_shown(value)} is no {kind}")


def _shown(value: Any) -> str:
    is_number = type(value) in (int, float)  # of which JSON does not know every one
    text = repr(value) if is_number else dumped(value)
    return text if len(text) <= 60 else text[:59] + "…"
