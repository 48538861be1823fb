"""JSON that conforms to a JSON schema, made from a seed text."""

from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]

#: Below this depth arrays are empty, optional properties absent, and nullable values null.
DEEP = 6

_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class Shaper:
    """Makes values for one schema; strings begin with ``seed``, so that they tell their origin.

    Patterns, ``not``, ``if`` and ``multipleOf`` are ignored: values may break them.
    """

    def __init__(self, schema: Schema, seed: str) -> None:
        self._root = schema
        self._seed = seed
        self._makers: dict[str, Callable[[Schema, str, int], Any]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": self._integer,
            "number": self._number,
            "boolean": lambda schema, name, depth: int(self._seed[-1:] or "0", 36) % 2 == 0,  # noqa: ARG005  # all makers take the same
            "null": lambda schema, name, depth: None,  # noqa: ARG005  # all makers take the same
        }

    def make(self) -> Any:
        """A value for the whole schema."""
        return self._value(self._root, "answer", 0)

    def _value(self, schema: Schema, name: str, depth: int) -> Any:
        schema = self._resolve(schema, depth)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][len(self._seed + name) % len(schema["enum"])]
        return self._makers[_type(schema, depth)](schema, name, depth)

    def _resolve(self, schema: Any, depth: int) -> Schema:
        """Follow references and choose among alternatives until a plain schema is left."""
        for _ in range(32):
            if not isinstance(schema, Mapping):
                return {}
            if "$ref" in schema:
                schema = self._follow(str(schema["$ref"]))
            elif "allOf" in schema:
                schema = _merge(schema, [self._resolve(part, depth) for part in schema["allOf"]])
            elif choices := schema.get("anyOf") or schema.get("oneOf"):
                schema = _choose(choices, depth)
            else:
                return schema
        return {}

    def _follow(self, reference: str) -> Any:
        place: Any = self._root
        for part in reference.removeprefix("#").strip("/").split("/"):
            if part:
                place = place.get(part, {}) if isinstance(place, Mapping) else {}
        return place

    def _object(self, schema: Schema, name: str, depth: int) -> dict[str, Any]:  # noqa: ARG002  # all makers take the same
        properties: Schema = schema.get("properties", {})
        required = schema.get("required", properties if depth < DEEP else ())
        return {key: self._value(properties.get(key, {}), key, depth + 1) for key in required}

    def _array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        least = int(schema.get("minItems", 0))
        wanted = max(least, 0 if depth >= DEEP else min(2, int(schema.get("maxItems", 2))))
        items = schema.get("items", {})
        return [self._value(items, f"{name}{number}", depth + 1) for number in range(wanted)]

    def _string(self, schema: Schema, name: str, depth: int) -> str:  # noqa: ARG002  # all makers take the same
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        text = f"{self._seed} {name}".ljust(int(schema.get("minLength", 0)), ".")
        return text[: int(schema.get("maxLength", len(text)))]

    def _integer(self, schema: Schema, name: str, depth: int) -> int:  # noqa: ARG002  # all makers take the same
        low, high = _bounds(schema)
        return -int(-low // 1) if low is not None else int(high // 1) if high is not None else 7

    def _number(self, schema: Schema, name: str, depth: int) -> float:  # noqa: ARG002  # all makers take the same
        low, high = _bounds(schema)
        if low is not None and high is not None:
            return (low + high) / 2
        return low + 0.5 if low is not None else high - 0.5 if high is not None else 0.5


def _bounds(schema: Schema) -> tuple[float | None, float | None]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + (1 if schema.get("type") == "integer" else 1e-6)
    if high is None and "exclusiveMaximum" in schema:
        high = schema["exclusiveMaximum"] - (1 if schema.get("type") == "integer" else 1e-6)
    return low, high


def _type(schema: Schema, depth: int) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = "null" if depth >= DEEP and "null" in kind else kind[0]
    return kind if kind in _TYPES else "string"


_TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})


def _choose(choices: list[Any], depth: int) -> Any:
    """The first choice; deep inside null is preferred, so that recursion ends."""
    nulls = [c for c in choices if isinstance(c, Mapping) and c.get("type") == "null"]
    return nulls[0] if nulls and depth >= DEEP else choices[0]


def _merge(schema: Schema, parts: list[Schema]) -> Schema:
    merged: dict[str, Any] = {}
    for part in [*parts, {key: value for key, value in schema.items() if key != "allOf"}]:
        properties = {**merged.get("properties", {}), **part.get("properties", {})}
        required = [*merged.get("required", ()), *part.get("required", ())]
        merged.update(part)
        merged |= {"properties": properties} if properties else {}
        merged |= {"required": list(dict.fromkeys(required))} if required else {}
    return merged
