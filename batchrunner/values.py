"""Nouns of which every job needs a few: immutable for the type checker, and cheap to make.

A dataclass that is frozen at run time sets each field through ``object.__setattr__``: five fields
take 2.3 µs so and 0.6 µs otherwise. mypy refuses an assignment either way.
"""

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

Value = TypeVar("Value")


@dataclass_transform(frozen_default=True)
def value(cls: type[Value]) -> type[Value]:
    """A dataclass whose instances nobody may change; equal ones have equal hashes."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
