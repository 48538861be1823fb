"""JSON that conforms to a JSON schema, made from a seed."""

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

Schema = Mapping[str, Any]

#: Below this depth arrays are empty, optional properties absent, and nullable values null.
DEEP = 6
BOTTOM = 32  #: a schema that asks for something still deeper never ends

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
_TRIES = 50  #: for one more item that is not there yet
_SPAN = 100  #: how far numbers go where only one bound is named, or none
_MULTIPLIER, _INCREMENT, _MASK = 6_364_136_223_846_793_005, 1_442_695_040_888_963_407, 2**64 - 1


def schema_of(wanted: Schema, inner: Schema) -> Schema | None:
    """The schema of a wanted format, which ``inner`` holds; None where free text is wanted."""
    if wanted.get("type") == "json_object":
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    schema = inner.get("schema") if wanted.get("type") == "json_schema" else None
    return schema if isinstance(schema, dict) else None


class Shaper:
    """Makes a value for one schema; strings begin with ``digest``, so that they tell their origin.

    What is chosen among the values that conform depends on ``number`` only. Left out of account,
    so that values may break them, are ``pattern``, ``not``, ``if``, ``contains``,
    ``propertyNames``, ``patternProperties``, ``dependentRequired`` and ``minProperties``.
    """

    def __init__(self, schema: Schema, digest: str, number: int) -> None:
        self._root = schema
        self._digest = digest
        self._state = number

    def make(self) -> Any:
        """A value that conforms."""
        return self._value(self._root, "answer", 0)

    def make_broken(self) -> Any:
        """An object that lacks something required; None where nothing is."""
        required = self._resolve(self._root, 0).get("required")
        value = self.make()
        if not required or not isinstance(value, dict):
            return None
        return {key: part for key, part in value.items() if key != required[-1]}

    def _below(self, count: int) -> int:
        """One of the first ``count`` numbers, by chance."""
        self._state = (self._state * _MULTIPLIER + _INCREMENT) & _MASK
        return (self._state >> 33) * count >> 31

    def _value(self, schema: Any, name: str, depth: int) -> Any:
        schema = self._resolve(schema, depth)
        if "const" in schema:
            return schema["const"]
        if choices := schema.get("enum"):
            return choices[self._below(len(choices))]
        if depth > BOTTOM:
            return None
        kind = _type(schema, depth)
        return self._MAKERS[kind if kind in self._MAKERS else "string"](self, schema, name, depth)

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
                schema = _merge(schema, [self._resolve(_choose(choices, depth), depth)])
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
        most = min(int(schema.get("maxItems", least + 3)), least + 3)
        first, rest = schema.get("prefixItems", []), schema.get("items", {})
        most = min(most, len(first)) if rest is False else most
        wanted = least if depth >= DEEP or not most else max(least, 1 + self._below(most))
        is_set = schema.get("uniqueItems") is True
        made: list[Any] = []
        for number in range(wanted):
            items = first[number] if number < len(first) else rest
            value = self._value(items, f"{name}{number}", depth + 1)
            for _ in range(_TRIES if is_set and value in made else 0):
                value = self._value(items, f"{name}{number}", depth + 1)
                if value not in made:
                    break
            if not is_set or value not in made:
                made.append(value)
        return made

    def _string(self, schema: Schema, name: str, depth: int) -> str:  # noqa: ARG002  # all makers take the same
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        text = f"{self._digest} {name}".ljust(int(schema.get("minLength", 0)), ".")
        return text[: int(schema.get("maxLength", len(text)))]

    def _boolean(self, schema: Schema, name: str, depth: int) -> bool:  # noqa: ARG002  # all makers take the same
        return self._below(2) == 1

    def _null(self, schema: Schema, name: str, depth: int) -> None:
        pass

    def _integer(self, schema: Schema, name: str, depth: int) -> int:  # noqa: ARG002  # all makers take the same
        return int(self._step(schema, schema.get("multipleOf") or 1))

    def _number(self, schema: Schema, name: str, depth: int) -> float:  # noqa: ARG002  # all makers take the same
        """With two decimals, where the bounds leave room for that."""
        if step := schema.get("multipleOf"):
            return self._step(schema, step)
        low, high = _bounds(schema)
        exact = low + (high - low) * (self._below(1_000_000) + 0.5) / 1_000_000
        short = round(exact, 2)
        return short if low < short < high else exact

    def _step(self, schema: Schema, step: float) -> float:
        """A multiple of ``step`` within the bounds."""
        low, high = _bounds(schema)
        least, most = math.ceil(low / step), math.floor(high / step)
        least += least * step in _excluded(schema, "exclusiveMinimum")
        most -= most * step in _excluded(schema, "exclusiveMaximum")
        found = (least + self._below(max(1, most - least + 1))) * step
        return found if isinstance(step, int) else round(found, 9)

    _MAKERS: ClassVar[dict[str, Callable[["Shaper", Schema, str, int], Any]]] = {
        "object": _object,
        "array": _array,
        "string": _string,
        "integer": _integer,
        "number": _number,
        "boolean": _boolean,
        "null": _null,
    }


def _excluded(schema: Schema, name: str) -> tuple[float, ...]:
    return (schema[name],) if name in schema else ()


def _bounds(schema: Schema) -> tuple[float, float]:
    """The least and the largest number, which may be excluded."""
    lows = [schema[name] for name in ("minimum", "exclusiveMinimum") if name in schema]
    highs = [schema[name] for name in ("maximum", "exclusiveMaximum") if name in schema]
    if lows:
        low = max(lows)
        return low, min(highs, default=low + _SPAN)
    high = min(highs, default=_SPAN)
    return min(0, high - _SPAN), high


def _type(schema: Schema, depth: int) -> str:
    kind = schema.get("type") or _implied(schema)
    if isinstance(kind, list):
        kind = "null" if depth >= DEEP and "null" in kind else kind[0]
    return str(kind)


def _implied(schema: Schema) -> str:
    """The type of a schema that names none."""
    if "properties" in schema or "required" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else "string"


def _choose(choices: list[Any], depth: int) -> Any:
    """The first choice; deep inside null is preferred, so that recursion ends."""
    nulls = [c for c in choices if isinstance(c, Mapping) and c.get("type") == "null"]
    return nulls[0] if nulls and depth >= DEEP else choices[0]


_MERGED = frozenset({"allOf", "anyOf", "oneOf"})


def _merge(schema: Schema, parts: list[Schema]) -> Schema:
    """One schema that asks for what all parts ask for, and the schema beside them."""
    merged: dict[str, Any] = {}
    for part in [*parts, {key: value for key, value in schema.items() if key not in _MERGED}]:
        properties = {**merged.get("properties", {}), **part.get("properties", {})}
        required = [*merged.get("required", ()), *part.get("required", ())]
        merged.update(part)
        merged |= {"properties": properties} if properties else {}
        merged |= {"required": list(dict.fromkeys(required))} if required else {}
    return merged
