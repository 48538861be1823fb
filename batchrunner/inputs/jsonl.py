"""One line of JSON Lines to one job.

A line has one of four forms:

    {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"messages": …}}
    {"id": "a", "messages": [{"role": "user", "content": "…"}], …}
    {"id": "a", "prompt": "…", …}
    {"id": "a", "title": "…", …}

The first is the Batch format of OpenAI and Azure; the next are request bodies with an id, which
may be missing; a prompt becomes the only message. Where there is a template, every line has the
last form, a row: its columns are data, and the request is made by the template.
"""

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from ..model import EMBEDDINGS, Job
from .bodies import answer_tokens, fill, of_messages
from .broken import Broken
from .defaults import NO_DEFAULTS, Defaults, Template
from .request import INPUT_OF, PATHS, REFUSED, check, check_model
from .sameness import request_of
from .special import id_column, params_of
from .strict import RefusedError, dump, kind, load, quoted
from .tokens import Count

Parts = tuple[str, str, str, dict[str, Any]]  #: id, path, model, body

_LONGEST_ID = 512
_ENVELOPE = frozenset({"method", "url", "body"})  # and an id, which is taken away first
_URLS = " or ".join(f'"{url}"' for url in PATHS if url.startswith("/v1/"))
_UNSAFE = re.compile("[\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no job."""

    ordinal: int
    fingerprint: str
    id: str  #: the line's id where it can be read, else the ordinal
    reason: str  #: why, and what to do, in one line


def fingerprint(line: bytes) -> str:
    """What tells this line from an edited one; line ends and a byte order mark do not count.

    Of a line that is too long it is that of its first 16 MiB, because no more was kept.
    """
    bare = line.rstrip(b"\r\n").removeprefix(_BOM)
    return blake2b(bare, digest_size=8).hexdigest()


def parse(
    line: bytes,
    ordinal: int,
    defaults: Defaults = NO_DEFAULTS,
    mark: str | None = None,
    count: Count | None = None,
) -> Job | BadLine:
    """The job on ``line``; ``mark`` is its fingerprint, where that is known already.

    ``count`` counts the tokens of its prompt.
    """
    mark = mark or fingerprint(line)
    try:
        name, path, model, values = read(line, ordinal, defaults)
        body = dump(values)
    except RefusedError as refused:
        return BadLine(ordinal, mark, _id_of(line, defaults) or str(ordinal), str(refused))
    tokens = None if count is None else count(path, model, body)
    most, request = answer_tokens(values, path), request_of(path, model, values)
    return Job(ordinal, mark, name, path, model, body, most, tokens, request)


def examine(line: bytes, ordinal: int, defaults: Defaults) -> tuple[str, str]:
    """Id and model of the job on ``line``; or a ``RefusedError``, where ``parse`` finds no job."""
    name, _, model, body = read(line, ordinal, defaults)
    dump(body)
    return name, model


def read(line: bytes, ordinal: int, defaults: Defaults) -> Parts:
    """The job on ``line``, in parts; or a ``RefusedError``."""
    if type(line) is Broken:
        raise RefusedError(line.reason)
    values = load(line)
    if defaults.template is not None:
        return _read_row(values, ordinal, defaults, defaults.template)
    id_ = _take_id(values)
    path, at = defaults.path, ""
    if "body" in values:
        path, at = _open_envelope(values), "body."
        values = values["body"]
    elif INPUT_OF[path] not in values:
        _take_prompt(values, path)
    check(values, at, path)
    model = values.pop("model", defaults.model)
    if model is None:
        raise RefusedError(f"{at}model is missing: write it, or use --model")
    check_model(model)
    if defaults.fills:
        fill(values, path, defaults)
    name = str(ordinal) if id_ is None else id_
    return name, path, model, values


def _read_row(row: dict[str, Any], ordinal: int, defaults: Defaults, template: Template) -> Parts:
    """The job that ``template`` makes of ``row``."""
    id_, path = _id_of_row(row, defaults), defaults.path
    params = {} if defaults.params is None else params_of(row, defaults.params, path)
    body = of_messages(template.messages(row), path) | params
    check(body, f"{defaults.params}." if params else "", path)
    model = body.pop("model", defaults.model) or row.get("model")
    if not model:
        raise RefusedError("model is missing: use --model, or fill a column of this name")
    if type(model) is not str:
        raise RefusedError(f"model must be a text; it is {kind(model)}")
    check_model(model)
    fill(body, path, defaults)
    name = str(ordinal) if id_ is None else id_
    return name, path, model, body


def _take_id(values: dict[str, Any]) -> str | None:
    """Remove the id, under either of its names."""
    name = "custom_id" if "custom_id" in values else "id"
    if name not in values:
        return None
    value = values.pop(name)
    if "id" in values:
        raise RefusedError("has both custom_id and id: keep one of them")
    return _checked_id(name, value)


def _id_of_row(row: dict[str, Any], defaults: Defaults) -> str | None:
    column = id_column(row, defaults.id_column)
    return None if column is None else _checked_id(quoted(column), row[column])


def _checked_id(name: str, value: Any) -> str:
    if type(value) is int and -(2**53) < value < 2**53:
        return str(value)
    if type(value) is not str or not value:
        found = "an empty text" if value == "" else kind(value)
        raise RefusedError(f"{name} must be a text or a whole number below 2^53; it is {found}")
    if len(value) > _LONGEST_ID:
        raise RefusedError(f"{name} is too long: {_LONGEST_ID} characters are the most")
    if not value.isprintable() and _UNSAFE.search(value):
        raise RefusedError(f"{name} holds a control character: remove it")
    return value


def _id_of(line: bytes, defaults: Defaults) -> str | None:
    """The id of a line that may be bad in any way."""
    try:
        values = load(line)
        return _take_id(values) if defaults.template is None else _id_of_row(values, defaults)
    except RefusedError:
        return None


def _open_envelope(values: dict[str, Any]) -> str:
    """The path that a Batch line is posted to."""
    url = values.get("url")
    path = PATHS.get(url) if type(url) is str else None
    if path is None or values.get("method") != "POST" or len(values) != len(_ENVELOPE):
        raise RefusedError(_wrong_envelope(values))
    return path


def _wrong_envelope(values: dict[str, Any]) -> str:
    """What is wrong beside the body."""
    for field in values:
        if field not in _ENVELOPE:
            reason = REFUSED.get(field, "does not belong beside body: move it there, or remove it")
            return f"{quoted(field)} {reason}"
    if values.get("method") != "POST":
        return f'method must be "POST"; it {_found(values, "method")}'
    return f"url must be {_URLS}; it {_found(values, 'url')}"


def _take_prompt(values: dict[str, Any], path: str) -> None:
    """Replace the prompt by what the endpoint calls it."""
    if "prompt" not in values:
        raise RefusedError(_nothing_to_ask(values, path))
    prompt = values.pop("prompt")
    if type(prompt) is not str or not prompt:
        found = "empty" if prompt == "" else kind(prompt)
        raise RefusedError(f"prompt must be a text; it is {found}")
    values[INPUT_OF[path]] = (
        prompt if path == EMBEDDINGS else [{"role": "user", "content": prompt}]
    )


def _nothing_to_ask(values: dict[str, Any], path: str) -> str:
    own = INPUT_OF[path]
    if other := next((name for name in INPUT_OF.values() if name in values), None):
        return f"has {other} and no {own}: say with --endpoint what it asks for"
    return (
        f"has neither {own}, nor prompt, nor body: one of them is the job;"
        " of a row with other columns --prompt makes one"
    )


def _found(values: dict[str, Any], field: str) -> str:
    if field not in values:
        return "is missing"
    value = values[field]
    return f"is {quoted(value) if type(value) is str else kind(value)}"
