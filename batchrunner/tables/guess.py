"""The types of columns of which no file says them: every value is looked at. Pure."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from .types import BOOLEAN, DATE, INSTANT, INT64, INTEGER, JSON, NUMBER, TEXT, TIMESTAMP, Type

DIGITS = 15  #: that a number of 64 bits surely gives back
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?"
)
_BOOLEANS = {"true": True, "True": True, "TRUE": True}
_BOOLEANS |= {"false": False, "False": False, "FALSE": False}


def _is_integer(text: str) -> bool:
    return _INTEGER.fullmatch(text) is not None and int(text) in INT64


def _is_number(text: str) -> bool:
    if not _NUMBER.fullmatch(text):
        return False
    mantissa = text.lower().partition("e")[0]
    return sum(map(str.isdigit, mantissa)) <= DIGITS


def _is_date(text: str) -> bool:
    return _DATE.fullmatch(text) is not None and _reads(date.fromisoformat, text)


def _is_moment(text: str, *, zone: bool) -> bool:
    found = _MOMENT.fullmatch(text)
    if found is None or (found[1] is not None) is not zone:
        return False
    return _reads(utc if zone else datetime.fromisoformat, text)


def _reads(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except (ValueError, OverflowError):
        return False
    return True


def utc(text: str) -> datetime:
    """A timestamp with a zone; OverflowError where it is no longer, or not yet, in UTC's years."""
    return datetime.fromisoformat(text).astimezone(UTC)


_TESTS: tuple[tuple[Type, Callable[[str], bool]], ...] = (
    (INTEGER, _is_integer),
    (NUMBER, _is_number),
    (BOOLEAN, _BOOLEANS.__contains__),
    (DATE, _is_date),
    (TIMESTAMP, lambda text: _is_moment(text, zone=False)),
    (INSTANT, lambda text: _is_moment(text, zone=True)),
)


class TextGuess:
    """The narrowest type that all texts of a column are written in; empty ones say nothing."""

    def __init__(self) -> None:
        self._left: tuple[tuple[Type, Callable[[str], bool]], ...] | None = None

    def add(self, text: str) -> None:
        """Look at one more."""
        if text and self._left != ():
            tests = _TESTS if self._left is None else self._left
            self._left = tuple(test for test in tests if test[1](text))

    @property
    def type(self) -> Type:
        """Text where nothing narrower holds, or nothing was seen."""
        return self._left[0][0] if self._left else TEXT


class ValueGuess:
    """The one type of all JSON values of a column; null says nothing."""

    def __init__(self) -> None:
        self._seen: set[Type] = set()

    def add(self, value: Any) -> None:
        """Look at one more."""
        if value is not None:
            self._seen.add(_type_of(value))

    @property
    def type(self) -> Type:
        """Text where they differ."""
        if len(self._seen) == 1:
            return next(iter(self._seen))
        return NUMBER if self._seen == {INTEGER, NUMBER} else TEXT


def _type_of(value: Any) -> Type:
    match value:
        case bool():
            return BOOLEAN
        case int():
            return INTEGER if value in INT64 else TEXT
        case float():
            return NUMBER
        case str():
            return TEXT
        case _:
            return JSON


def value_of(text: str, kind: Type) -> Any:
    """What a text of a column of this type stands for; an empty one for null, where it is no text.

    Dates and times stay texts.
    """
    if kind == TEXT:
        return text
    if not text:
        return None
    match kind.name:
        case "integer":
            return int(text)
        case "number":
            return float(text)
        case "boolean":
            return _BOOLEANS[text]
        case _:
            return text
