"""The columns that a JSON Schema promises. Pure.

Whatever has no type of its own here (a union of two types, an object with free keys, a schema that
refers to itself) becomes JSON text, so that nothing is lost.
"""

from collections.abc import Mapping
from typing import Any

from ..inputs.strictness import at
from .types import BOOLEAN, INTEGER, JSON, NUMBER, TEXT, Column, Type

_SCALARS = {"string": TEXT, "integer": INTEGER, "number": NUMBER, "boolean": BOOLEAN}
_VALUES = {str: TEXT, int: INTEGER, float: NUMBER, bool: BOOLEAN}


def answer_columns(schema: Mapping[str, Any]) -> tuple[Column, ...] | None:
    """One column for each property; None where an answer is no object with known properties."""
    kind = type_of(schema, schema)
    if kind.name != "struct":
        return None
    return tuple(Column(name, part) for name, part in kind.fields)


def type_of(schema: Any, root: Mapping[str, Any], within: frozenset[str] = frozenset()) -> Type:
    """The type of the values that ``schema``, a part of ``root``, describes.

    ``within`` are the references that led to it.
    """
    if not isinstance(schema, Mapping):
        return JSON
    if isinstance(reference := schema.get("$ref"), str):
        if reference in within:
            return JSON
        return type_of(at(root, reference), root, within | {reference})
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return _only(schema[choice], root, within)
    names = schema.get("type")
    if isinstance(names, list):
        others = [name for name in names if name != "null"]
        names = others[0] if len(others) == 1 else None
    if names is None:
        return _type_of_values(schema)
    return _named(names, schema, root, within)


def _named(
    name: Any, schema: Mapping[str, Any], root: Mapping[str, Any], within: frozenset[str]
) -> Type:
    if name == "array":
        return Type("list", item=type_of(schema.get("items"), root, within))
    if name != "object":
        return _SCALARS.get(name, JSON)
    properties = schema.get("properties")
    is_free = schema.get("additionalProperties") not in (None, False)
    if not isinstance(properties, Mapping) or not properties or is_free:
        return JSON
    fields = ((key, type_of(part, root, within)) for key, part in properties.items())
    return Type("struct", fields=tuple(fields))


def _only(choices: Any, root: Mapping[str, Any], within: frozenset[str]) -> Type:
    """The type of all choices but null, where it is one."""
    if not isinstance(choices, list):
        return JSON
    kinds = {
        type_of(choice, root, within)
        for choice in choices
        if not (isinstance(choice, Mapping) and choice.get("type") == "null")
    }
    return kinds.pop() if len(kinds) == 1 else JSON


def _type_of_values(schema: Mapping[str, Any]) -> Type:
    """The type of ``enum`` or ``const``."""
    values = schema["enum"] if "enum" in schema else [schema["const"]] if "const" in schema else []
    kinds = {_VALUES.get(type(value), JSON) for value in values if value is not None}
    return kinds.pop() if len(kinds) == 1 else JSON
