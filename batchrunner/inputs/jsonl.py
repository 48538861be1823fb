"""One line of JSON Lines to one job.

A line has one of three forms:

    {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"messages": …}}
    {"id": "a", "messages": [{"role": "user", "content": "…"}], …}
    {"id": "a", "prompt": "…", …}

The first is the Batch format of OpenAI and Azure; the others are request bodies with an id, which
may be missing. In the last the prompt becomes the only message.
"""

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from ..model import Job
from .broken import Broken
from .request import PATHS, REFUSED, check, check_model
from .strict import RefusedError, dump, kind, load
from .tokens import Count

_LONGEST_ID = 512
_ENVELOPE = frozenset({"method", "url", "body"})  # and an id, which is taken away first
_INSTRUCTIONS = frozenset({"system", "developer"})
_UNSAFE = re.compile("[\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a job gets where its line does not say."""

    model: str | None = None
    system: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None


NO_DEFAULTS = Defaults()


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
        name, path, model, body, answer_tokens = read(line, ordinal, defaults)
    except RefusedError as refused:
        return BadLine(ordinal, mark, _id_of(line) or str(ordinal), str(refused))
    tokens = None if count is None else count(model, body)
    return Job(ordinal, mark, name, path, model, body, answer_tokens, tokens)


def read(line: bytes, ordinal: int, defaults: Defaults) -> tuple[str, str, str, bytes, int | None]:
    """The job on ``line``: id, path, model, body, answer tokens; or a ``RefusedError``."""
    if type(line) is Broken:
        raise RefusedError(line.reason)
    values = load(line)
    id_ = _take_id(values)
    path, at = PATHS["/chat/completions"], ""
    if "body" in values:
        path, at = _open_envelope(values), "body."
        values = values["body"]
    elif "messages" not in values:
        _take_prompt(values)
    check(values, at)
    model = values.pop("model", defaults.model)
    if model is None:
        raise RefusedError(f"{at}model is missing: write it, or use --model")
    check_model(model)
    if defaults is not NO_DEFAULTS:
        _fill(values, defaults)
    name = str(ordinal) if id_ is None else id_
    return name, path, model, dump(values), _answer_tokens(values)


def _take_id(values: dict[str, Any]) -> str | None:
    """Remove the id, under either of its names."""
    name = "custom_id" if "custom_id" in values else "id"
    if name not in values:
        return None
    value = values.pop(name)
    if "id" in values:
        raise RefusedError("has both custom_id and id: keep one of them")
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


def _id_of(line: bytes) -> str | None:
    """The id of a line that may be bad in any way."""
    try:
        return _take_id(load(line))
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
            return f"{_shown(field)} {reason}"
    if values.get("method") != "POST":
        return f'method must be "POST"; it {_found(values, "method")}'
    return f'url must be "/v1/chat/completions"; it {_found(values, "url")}'


def _take_prompt(values: dict[str, Any]) -> None:
    """Replace the prompt by a message."""
    if "prompt" not in values:
        raise RefusedError("has neither messages, nor prompt, nor body: one of them is the job")
    prompt = values.pop("prompt")
    if type(prompt) is not str or not prompt:
        found = "empty" if prompt == "" else kind(prompt)
        raise RefusedError(f"prompt must be a text; it is {found}")
    values["messages"] = [{"role": "user", "content": prompt}]


def _fill(body: dict[str, Any], defaults: Defaults) -> None:
    if defaults.temperature is not None:
        body.setdefault("temperature", defaults.temperature)
    if defaults.max_tokens is not None and "max_completion_tokens" not in body:
        body.setdefault("max_tokens", defaults.max_tokens)
    messages = body["messages"]
    if defaults.system is not None and not any(m["role"] in _INSTRUCTIONS for m in messages):
        messages.insert(0, {"role": "system", "content": defaults.system})


def _answer_tokens(body: dict[str, Any]) -> int | None:
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    return most and most * (body.get("n") or 1)


def _found(values: dict[str, Any], field: str) -> str:
    if field not in values:
        return "is missing"
    value = values[field]
    return f"is {_shown(value) if type(value) is str else kind(value)}"


def _shown(text: str) -> str:
    """``text`` on one line, and no longer than a glance."""
    return ascii(text if len(text) <= 60 else text[:59] + "…").replace("'", '"')
