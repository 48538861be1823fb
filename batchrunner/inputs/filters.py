"""The filters of templates, each so made that it pays before it works.

Those of Jinja2 that can make much out of little (``center``, ``format``, ``indent`` …) are not
here; nor is what prompts do not need, such as escapes of HTML.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from jinja2 import pass_context
from jinja2.runtime import Context, Undefined

from .budget import BUDGET, Budget
from .strict import RefusedError, kind

BITS = 64  #: of the largest number


def budget_of(context: Context) -> Budget:
    """What the rendering under way may still do."""
    budget: Budget = context.parent[BUDGET]
    return budget


def known(value: Any) -> Any:
    """``value``; where there is none this raises what Jinja2 says of it."""
    if isinstance(value, Undefined):
        str(value)
    return value


def number(value: Any, operator: str) -> Any:
    """``value``, a number that JSON could hold."""
    if type(known(value)) not in (int, float):
        raise RefusedError(f"{operator} needs numbers; here is {kind(value)}")
    if not (abs(value) < 2**BITS if type(value) is int else math.isfinite(value)):
        raise RefusedError(f"{operator} makes a number beyond {BITS} bits")
    return value


def _count(value: Any, name: str) -> int:
    """``value``, a whole number that a filter is given."""
    if type(known(value)) is not int:
        raise RefusedError(f"{name} needs a whole number; here is {kind(value)}")
    return int(value)


@pass_context
def shown(_context: Context, value: Any) -> str:
    """A value as text: null is empty, the rest is as in JSON."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if type(known(value)) in (int, float, bool, list, tuple, dict):
        return orjson.dumps(value).decode()
    raise RefusedError("writes something that is no value")


def _items(context: Context, value: Any) -> Sequence[Any]:
    """The items of a list, the keys of an object, the characters of a text; each is a turn."""
    if isinstance(known(value), str | dict | list | tuple):
        budget_of(context).turn(len(value))
        return value if isinstance(value, list | tuple) else list(value)
    raise RefusedError(f"needs a list; here is {kind(value)}")


def _text(change: Callable[[str], str]) -> Callable[..., str]:
    """A filter that makes a text of about the size of another."""

    @pass_context
    def changed(context: Context, value: Any) -> str:
        text = shown(context, value)
        budget = budget_of(context)
        budget.turn()
        budget.make(3 * len(text))  # the capitals of one letter are three at most
        return change(text)

    return changed


@pass_context
def _replace(context: Context, value: Any, old: Any, new: Any) -> str:
    text, old, new = (shown(context, part) for part in (value, old, new))
    if not old:
        raise RefusedError("replace needs a text to look for; here is an empty one")
    budget = budget_of(context)
    budget.look(text)
    budget.make(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


@pass_context
def _truncate(context: Context, value: Any, length: Any = 255, end: str = "…") -> str:
    """The first ``length`` characters, with ``end`` where something is left out."""
    text, length = shown(context, value), max(0, _count(length, "truncate"))
    if len(text) <= length:
        return text
    budget_of(context).make(length + len(end))
    return text[:length] + end


@pass_context
def _tojson(context: Context, value: Any) -> str:
    text = orjson.dumps(known(value)).decode()
    budget_of(context).make(len(text))
    return text


@pass_context
def _join(context: Context, value: Any, between: Any = "", attribute: Any = None) -> str:
    items = _items(context, value)
    if attribute is not None:
        items = _map(context, items, attribute)
    between = shown(context, between)
    return _concat(context, *(part for item in items for part in (between, item)))[len(between) :]


@pass_context
def _concat(context: Context, *parts: Any) -> str:
    made, budget = [], budget_of(context)
    for part in parts:
        made.append(shown(context, part))
        budget.make(len(made[-1]))
    return "".join(made)


@pass_context
def _map(context: Context, value: Any, attribute: Any) -> list[Any]:
    return [context.environment.getitem(item, attribute) for item in _items(context, value)]


@pass_context
def _pairs(context: Context, value: Any) -> list[tuple[str, Any]]:
    if not isinstance(known(value), dict):
        raise RefusedError(f"items needs an object; here is {kind(value)}")
    _items(context, value)
    return list(value.items())


def _listed(change: Callable[[Sequence[Any]], Any]) -> Callable[..., Any]:
    """A filter of a list."""

    @pass_context
    def changed(context: Context, value: Any) -> Any:
        return change(_items(context, value))

    return changed


@pass_context
def _sort(context: Context, value: Any, reverse: Any = False) -> list[Any]:  # noqa: FBT002 - templates give it by its place
    items = _items(context, value)
    for item in items:
        budget_of(context).look(item)
    return sorted(items, reverse=bool(reverse))


@pass_context
def _unique(context: Context, value: Any) -> list[Any]:
    items = _items(context, value)
    return list({_tojson(context, item): item for item in items}.values())


def _length(value: Any) -> int:
    if isinstance(known(value), str | dict | list | tuple):
        return len(value)
    raise RefusedError(f"length needs a text, a list or an object; here is {kind(value)}")


def _end(number: int) -> Callable[..., Any]:
    @pass_context
    def end(context: Context, value: Any) -> Any:
        return context.environment.getitem(known(value), number)

    return end


def _default(value: Any, instead: Any = "", or_empty: Any = False) -> Any:  # noqa: FBT002 - templates give it by its place
    """``instead`` of what is missing; with ``or_empty`` of null and empty texts as well."""
    return instead if isinstance(value, Undefined) or (or_empty and not value) else value


def _round(value: Any, digits: Any = 0) -> float:
    return round(float(number(value, "round")), max(-20, min(20, _count(digits, "round"))))


def _whole(value: Any) -> Any:
    try:
        return number(int(_short(value)), "int")
    except ValueError:
        return number(int(_float(value)), "int")


def _float(value: Any) -> Any:
    return number(float(_short(value)), "float")


def _short(value: Any) -> Any:
    """``value``, if it can be a number at all."""
    if type(known(value)) is str and len(value) > BITS:
        raise RefusedError("a number is needed; here is a long text")
    return value


@pass_context
def _turns(context: Context, value: Any) -> Sequence[Any]:
    return _items(context, value)


@pass_context
def _looked(context: Context, value: Any) -> Any:
    budget_of(context).look(value)
    return value


@pass_context
def _slice(context: Context, value: Any, *place: Any) -> Any:
    if not isinstance(known(value), str | list | tuple):
        raise RefusedError(f"[:] needs a text or a list; here is {kind(value)}")
    part = slice(*(None if end is None else _count(end, "[:]") for end in place))
    size = len(range(*part.indices(len(value))))
    (budget_of(context).make if isinstance(value, str) else budget_of(context).turn)(size)
    return value[part]


FILTERS: Mapping[str, Callable[..., Any]] = {
    "abs": lambda value: abs(number(value, "abs")),
    "capitalize": _text(str.capitalize),
    "count": _length,
    "d": _default,
    "default": _default,
    "first": _end(0),
    "float": _float,
    "int": _whole,
    "items": _pairs,
    "join": _join,
    "last": _end(-1),
    "length": _length,
    "list": _listed(list),
    "lower": _text(str.lower),
    "map": _map,
    "replace": _replace,
    "reverse": _listed(lambda items: list(items[::-1])),
    "round": _round,
    "sort": _sort,
    "string": _text(str),
    "title": _text(str.title),
    "tojson": _tojson,
    "trim": _text(str.strip),
    "truncate": _truncate,
    "unique": _unique,
    "upper": _text(str.upper),
}
#: what the rewritten template uses; a template cannot write these names
CONCAT, LOOKED, SLICE, TAKE_TURNS = "~concat", "~looked", "~slice", "~turns"
INTERNAL: Mapping[str, Callable[..., Any]] = {
    CONCAT: _concat,
    LOOKED: _looked,
    SLICE: _slice,
    TAKE_TURNS: _turns,
}
