"""JSON of answers, read without losing a digit. Pure.

Whole numbers beyond 64 bits and fractions finer than a double are kept as they were written. Only
such have seventeen digits in a row, which is cheap to see, so most answers are read at full speed.
"""

import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

_DIGITS = bytes(0x30 if byte in b"0123456789." else 0x20 for byte in range(256))
_MANY_DIGITS = b"0" * 17  # a double gives back any number of fifteen, and the point is one here
_DEEP = 250  # levels, of which orjson writes a few more
_UNSIGNED = range(-(2**63), 2**64)  # what orjson writes


@dataclass(frozen=True, slots=True)
class Digits:
    """A number as it was written, since no number here can hold it."""

    text: str


def loads(text: str) -> Any:
    """What JSON says; ValueError or RecursionError where it is none, or none to write again."""
    if text.count("[") + text.count("{") < _DEEP and not _has_many_digits(text):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            pass
    value = _READER.decode(text)
    try:
        dumps([value])
    except TypeError as error:  # half a surrogate pair, or too deep
        raise ValueError(str(error)) from None
    return value


def dumps(value: Any) -> bytes:
    """``value`` as JSON, with every digit."""
    return orjson.dumps(value, default=_fragment, option=orjson.OPT_PASSTHROUGH_DATACLASS)


def _has_many_digits(text: str) -> bool:
    return _MANY_DIGITS in text.encode("utf-8", "replace").translate(_DIGITS)


def _fragment(value: Any) -> orjson.Fragment:
    if isinstance(value, Digits):
        return orjson.Fragment(value.text)
    raise TypeError(f"a value of the type {type(value).__name__}")


def _whole(text: str) -> int | Digits:
    found = int(text) if len(text) <= 20 else None
    return found if found is not None and found in _UNSIGNED else Digits(text)


def _fraction(text: str) -> float | Digits:
    found = float(text)
    try:
        is_same = Decimal(text) == Decimal(repr(found))
    except InvalidOperation:  # an exponent beyond all measure
        is_same = False
    return found if is_same else Digits(text)


_READER = json.JSONDecoder(parse_int=_whole, parse_float=_fraction)
