"""Which schemas the services can enforce: the strict subset of OpenAI's structured outputs. Pure.

In strict mode an object has ``additionalProperties: false`` and requires every property, so that
what is optional is written as a union with null; the root is a plain object; only some keywords
are known, and there are bounds for the size. A schema outside the subset is refused with a 400
in strict mode, and only a hint without it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

MOST_PROPERTIES = 5_000
MOST_LEVELS = 10  #: of objects
MOST_VALUES = 1_000  #: of all enums
MOST_CHARACTERS = 120_000  #: of all names and enum values

_WORDS = frozenset({"type", "title", "description", "enum", "const", "anyOf", "$ref", "$schema"})
_OBJECT = frozenset({"properties", "required", "additionalProperties"})
_NUMBER = frozenset({"multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
_OTHER = frozenset({"items", "minItems", "maxItems", "pattern", "format"})
_DEFINITIONS = ("$defs", "definitions")
_KNOWN = _WORDS | _OBJECT | _NUMBER | _OTHER | frozenset(_DEFINITIONS)
_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)
_TYPES = frozenset({"string", "number", "boolean", "integer", "object", "array", "null"})


def is_strict(schema: Mapping[str, Any]) -> bool:
    """Whether the services accept ``schema`` with ``strict``; what is in doubt is not strict."""
    if schema.get("type") != "object" or "anyOf" in schema or "$ref" in schema:
        return False
    parts = list(_walk(schema, 1))
    return all(_is_plain(part, level) for part, level in parts) and _is_small(
        [part for part, _ in parts]
    )


def strict_form(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a pydantic model, as near to the strict subset as its meaning allows.

    Every field must be given, nothing else may be; defaults go, for they mean nothing then. What
    is told apart by a tag is a plain union.
    """
    strict: dict[str, Any] = _strict(schema, schema, ())
    return strict


def resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The schema behind local references; None where they lead nowhere, or in a circle."""
    seen: set[str] = set()
    found: Any = schema
    while isinstance(found, Mapping) and "$ref" in found:
        target = found["$ref"]
        if not isinstance(target, str) or target in seen:
            return None
        seen.add(target)
        found = at(root, target)
    return found if isinstance(found, Mapping) else None


def at(root: Mapping[str, Any], target: str) -> Any:
    """What a JSON pointer such as ``#/$defs/Name`` points to."""
    if target != "#" and not target.startswith("#/"):
        return None
    found: Any = root
    for part in target.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found


def _walk(schema: Any, level: int) -> Iterator[tuple[Any, int]]:
    """Every schema in a schema, and how many objects deep it stands."""
    yield schema, level
    if not isinstance(schema, Mapping):
        return
    for name in _DEFINITIONS:
        for part in _members(schema, name):
            yield from _walk(part, 1)
    for part in _members(schema, "properties"):
        yield from _walk(part, level + 1)
    for part in _listed(schema, "anyOf"):
        yield from _walk(part, level)
    if "items" in schema:
        yield from _walk(schema["items"], level)


def _members(schema: Mapping[str, Any], name: str) -> list[Any]:
    found = schema.get(name)
    return list(found.values()) if isinstance(found, Mapping) else []


def _listed(schema: Mapping[str, Any], name: str) -> list[Any]:
    found = schema.get(name)
    return found if isinstance(found, list) else []


def _is_plain(schema: Any, level: int) -> bool:
    """Whether one schema, its parts aside, uses only what is known in strict mode."""
    if not isinstance(schema, Mapping) or not schema.keys() <= _KNOWN:
        return False
    if "$ref" in schema:
        return len(schema) == 1
    if "format" in schema and schema["format"] not in _FORMATS:
        return False
    type_ = schema.get("type")
    types = {type_} if isinstance(type_, str) else set(type_ or ())
    if not types <= _TYPES or not (types or schema.get("anyOf")):
        return False
    if "array" in types and "items" not in schema:
        return False
    return "object" not in types or _is_closed(schema, level)


def _is_closed(schema: Mapping[str, Any], level: int) -> bool:
    names = schema.get("properties", {})
    return (
        level <= MOST_LEVELS
        and schema.get("additionalProperties") is False
        and set(schema.get("required", ())) == set(names)
    )


def _is_small(parts: list[Any]) -> bool:
    names = [name for part in parts for name in part.get("properties", ())]
    values = [value for part in parts for value in part.get("enum", ())]
    others = [name for part in parts for key in _DEFINITIONS for name in part.get(key, ())]
    others += [part["const"] for part in parts if "const" in part]
    texts = (text for text in [*names, *values, *others] if isinstance(text, str))
    return (
        len(names) <= MOST_PROPERTIES
        and len(values) <= MOST_VALUES
        and sum(map(len, texts)) <= MOST_CHARACTERS
    )


def _strict(schema: Any, root: Mapping[str, Any], inlined: tuple[str, ...]) -> Any:
    """One schema and all below it; ``inlined`` are the references that led here."""
    if not isinstance(schema, Mapping):
        return schema
    made = {key: part for key, part in schema.items() if key != "default"}
    if made.pop("discriminator", None):
        made["anyOf"] = made.pop("oneOf", [])
    if "$ref" in made and len(made) > 1:
        return _without_ref(made, root, inlined)
    if made.get("type") == "object":
        made.setdefault("additionalProperties", False)
        made["required"] = list(made.setdefault("properties", {}))
    return made | dict(_strict_parts(made, root, inlined))


def _strict_parts(
    made: dict[str, Any], root: Mapping[str, Any], inlined: tuple[str, ...]
) -> Iterator[tuple[str, Any]]:
    """The keywords of one schema that hold others."""
    for name in ("properties", *_DEFINITIONS):
        if name in made:
            path = inlined if name == "properties" else ()
            yield name, {key: _strict(part, root, path) for key, part in made[name].items()}
    if "anyOf" in made:
        yield "anyOf", [_strict(part, root, inlined) for part in _listed(made, "anyOf")]
    if "items" in made:
        yield "items", _strict(made["items"], root, inlined)


def _without_ref(made: dict[str, Any], root: Mapping[str, Any], inlined: tuple[str, ...]) -> Any:
    """A reference stands alone; what is said beside it goes to a copy of what it points to."""
    target = made["$ref"]
    found = at(root, target)
    if target in inlined or not isinstance(found, Mapping):
        return {"$ref": target}
    beside = {key: part for key, part in made.items() if key != "$ref"}
    return _strict({**found, **beside}, root, (*inlined, target))
