"""Jinja2 templates over the columns of a row: what is asked about each row.

Who writes the template is trusted little and the rows are not trusted at all: a row's values are
data, which no template ever reads again as one. ``grammar.py`` says what a template may consist
of, ``sandbox.py`` what it can reach, ``budget.py`` when it has to end.

Imported late: Jinja2 takes a tenth of a second.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from jinja2 import Template, TemplateError, UndefinedError

from .budget import BUDGET, Budget
from .defaults import absent
from .grammar import ROW, compiled
from .strict import RefusedError

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowTemplate:
    """The messages that are made of each row."""

    columns: frozenset[str]  #: those it needs; one that it asks for with ``is defined`` is none
    _messages: tuple[Any, ...]
    _system: Any = None

    def missing(self, there: Sequence[str]) -> str | None:
        """What is wrong with a row that has only the columns that are ``there``."""
        lacking = sorted(self.columns.difference(there))
        return absent(lacking[0], "the prompt", there) if lacking else None

    def messages(self, row: Row) -> list[dict[str, Any]]:
        """The messages for ``row``; RefusedError says what the row lacks."""
        if not self.columns <= row.keys():
            raise RefusedError(self.missing(list(row)) or "")
        variables = {**row, ROW: row, BUDGET: Budget()}
        messages = [_made(message, variables) for message in self._messages]
        if all(_is_blank(message) for message in messages):
            raise RefusedError("makes an empty prompt: its columns are empty")
        system = _made(self._system, variables)
        if system and not any(m.get("role") in ("system", "developer") for m in messages):
            messages.insert(0, {"role": "system", "content": system})
        return messages


def compile_prompt(prompt: str, system: str | None = None) -> RowTemplate:
    """One message of the user, made of each row."""
    return _template([{"role": "user", "content": _Text("prompt", prompt)}], system)


def compile_messages(messages: Sequence[Mapping[str, Any]], system: str | None) -> RowTemplate:
    """Messages whose texts are templates, and everything else is as it is."""
    return _template(_texts(list(messages), "messages"), system)


def _template(messages: list[Any], system: str | None) -> RowTemplate:
    instructions = None if system is None else _Text("system", system)
    texts = [*_leaves(messages), *_leaves(instructions)]
    needed = frozenset().union(*(text.columns for text in texts))
    return RowTemplate(needed, tuple(messages), instructions)


def _texts(value: Any, place: str) -> Any:
    """``value`` with every text that has something of a template in it compiled."""
    match value:
        case str():
            return _Text(place, value)
        case list():
            return [_texts(item, f"{place}[{number}]") for number, item in enumerate(value)]
        case dict():
            return {name: _texts(item, f"{place}.{name}") for name, item in value.items()}
        case _:
            return value


def _leaves(value: Any) -> Iterator["_Text"]:
    match value:
        case _Text():
            yield value
        case list():
            for item in value:
                yield from _leaves(item)
        case dict():
            yield from _leaves(list(value.values()))
        case _:
            pass


def _made(value: Any, variables: dict[str, Any]) -> Any:
    """``value`` with every template rendered."""
    match value:
        case _Text():
            return value.render(variables)
        case list():
            return [_made(item, variables) for item in value]
        case dict():
            return {name: _made(item, variables) for name, item in value.items()}
        case _:
            return value


def _is_blank(message: dict[str, Any]) -> bool:
    """Whether a message says nothing, or is none of the user."""
    if message.get("role") in ("system", "developer"):
        return True
    content = message.get("content")
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return all(isinstance(text, str) and not text.strip() for text in texts)
    return content is None or (isinstance(content, str) and not content.strip())


class _Text:
    """One text that is a template."""

    __slots__ = ("_place", "_plain", "_template", "columns")

    def __init__(self, place: str, source: str) -> None:
        self._place = place
        self._plain = source
        self._template: Template | None = None
        self.columns: frozenset[str] = frozenset()
        if "{" in source:
            self._template, self.columns = compiled(place, source)

    def render(self, variables: dict[str, Any]) -> str:
        """The text for a row; RefusedError names the line of the template."""
        template = self._template
        if template is None:
            return self._plain
        budget: Budget = variables[BUDGET]
        pieces = []
        # Not ``generate``: after an error it would lose the line that is under way.
        stream = template.root_render_func(template.new_context(variables, shared=True))
        try:
            for piece in stream:
                budget.make(len(piece))
                pieces.append(piece)
        except (TemplateError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            line = _line_of(error.__traceback__, stream) or 1
            line = template.get_corresponding_lineno(line)
            raise RefusedError(f"{self._place}, line {line}: {_reason(error)}") from None
        return "".join(pieces)


def _line_of(trace: TracebackType | None, stream: Any) -> int | None:
    """The line of the generated code that an error comes from."""
    frame = stream.gi_frame
    line = None if frame is None else frame.f_lineno
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == stream.gi_code.co_filename:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _reason(error: Exception) -> str:
    """What went wrong, on one line."""
    if isinstance(error, UndefinedError):
        return f"{error.message}: see whether it is there with 'is defined' or '| default(…)'"
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) < 200 else text[:199] + "…"
