"""Settings that name files -> settings that hold what is in them.

What a prompt says belongs to the meaning of a run, and where it stood does not: a run goes on with
the same prompt in another file, and not with another prompt in the same one.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from ..config import Settings
from ..errors import ConfigError
from ..model import EMBEDDINGS
from . import schema
from .request import ENDPOINTS, check
from .strict import RefusedError

if TYPE_CHECKING:  # Jinja2 takes time that only those with a template spend
    from .template import RowTemplate

_LONGEST = 16 * 1024 * 1024  # bytes of a file
_ONE = ("prompt", "prompt_file", "messages", "messages_file")
_MARKED = re.compile(rb"\{\{|\{%")
_CALLED = {
    **dict.fromkeys(("messages", "messages_file"), "--messages"),
    **dict.fromkeys(("answer_schema", "schema_file"), "--schema"),
}


def filled(settings: Settings) -> Settings:
    """``settings`` with what is in the files that they name; ConfigError says what is wrong."""
    _refuse_two(settings)
    found: dict[str, Any] = {}
    if settings.prompt_file is not None:
        found |= {"prompt": _text(settings.prompt_file), "prompt_file": None}
    if settings.messages_file is not None:
        found |= {"messages": _messages(settings.messages_file), "messages_file": None}
    if settings.schema_file is not None:
        found |= {"answer_schema": schema.load(settings.schema_file), "schema_file": None}
    full = settings.model_copy(update=found) if found else settings
    _refuse_idle(full)
    template(full, settings.prompt_file or settings.messages_file)
    _refuse_constant(full)
    return full


def template(settings: Settings, file: str | None = None) -> "RowTemplate | None":
    """What makes messages of a row; None where lines are jobs of their own.

    ConfigError names the line of the template that cannot be used, and its ``file``.
    """
    if settings.prompt is None and settings.messages is None:
        return None
    from .grammar import BadTemplateError
    from .template import compile_messages, compile_prompt

    try:
        if settings.prompt is not None:
            return compile_prompt(settings.prompt, settings.system)
        return compile_messages(settings.messages or (), settings.system)
    except BadTemplateError as error:
        raise ConfigError(f"{file}: {error}" if file else str(error)) from None


def _refuse_two(settings: Settings) -> None:
    """One thing is asked about each row."""
    given = [_option(name) for name in _ONE if getattr(settings, name) is not None]
    if len(given) > 1:
        raise ConfigError(f"{given[0]} and {given[1]} say the same thing: give one of them")


def _refuse_idle(settings: Settings) -> None:
    """Nothing is given in vain."""
    if settings.prompt is None and settings.messages is None:
        for name in ("params", "id_column"):
            if getattr(settings, name) is not None:
                raise ConfigError(
                    f"{_option(name)} names a column of rows, which --prompt, --prompt-file or"
                    " --messages makes requests of: give one of them"
                )
    if ENDPOINTS[settings.endpoint] == EMBEDDINGS:
        for name in ("messages", "answer_schema", "schema_file"):
            if getattr(settings, name) is not None:
                raise ConfigError(f"{_option(name)} means nothing to embeddings: leave it out")


def _refuse_constant(settings: Settings) -> None:
    """Every row would be asked the same, and be paid for."""
    asked = settings.prompt if settings.prompt is not None else settings.messages
    texts = orjson.dumps([asked, settings.system])
    if asked is not None and settings.params is None and not _MARKED.search(texts):
        raise ConfigError(
            f"{_option('prompt' if settings.messages is None else 'messages')} names no column, so"
            " every row would ask the same: write a column's name as {{ name }}"
        )


def _option(name: str) -> str:
    return _CALLED.get(name) or "--" + name.replace("_", "-")


def _text(file: str) -> str:
    """The text of ``file``."""
    try:
        with Path(file).open("rb") as opened:
            content = opened.read(_LONGEST + 1)
    except OSError as error:
        raise ConfigError(f"{file}: {(error.strerror or 'cannot be read').lower()}") from None
    if len(content) > _LONGEST:
        raise ConfigError(f"{file} is too long: {_LONGEST >> 20} MiB are the most")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = error.start + 1
        raise ConfigError(f"{file} is not UTF-8 at byte {where}: save it as UTF-8") from None
    if not text.strip():
        raise ConfigError(f"{file} is empty: write what is to be asked into it")
    return text


def _messages(file: str) -> tuple[dict[str, Any], ...]:
    """The messages that stand in ``file``."""
    text = _text(file)
    try:
        messages = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError(
            f"{file} is no JSON at line {error.lineno}: {error.msg}; write a list of messages such"
            ' as [{"role": "user", "content": "… {{ title }} …"}]'
        ) from None
    if isinstance(messages, Mapping) and set(messages) == {"messages"}:
        messages = messages["messages"]
    try:
        check({"messages": messages})
    except RefusedError as refused:
        raise ConfigError(f"{file}: {refused}") from None
    return tuple(messages)
