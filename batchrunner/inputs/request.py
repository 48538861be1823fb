"""What a job may ask for: the shape of a request body, and the fields that no job may set."""

import re
from functools import lru_cache
from typing import Annotated, Any, Literal, NotRequired, Required

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic needs this one below Python 3.12

from ..model import CHAT, EMBEDDINGS, RESPONSES
from .strict import RefusedError, kind

#: The field of a body that it cannot do without, by its path.
INPUT_OF = {CHAT: "messages", RESPONSES: "input", EMBEDDINGS: "input"}
#: The paths that a job may be posted to, by the ``url`` of a Batch line …
PATHS = {version + path: path for path in INPUT_OF for version in ("/v1", "")}
#: … and by the name of what lines without a ``url`` ask for
ENDPOINTS = {"chat": CHAT, "responses": RESPONSES, "embeddings": EMBEDDINGS}

_ELSEWHERE = "is no request field: keys and endpoints come from the environment, not from a job"
_OPTION = "is no request field: "

#: Fields that no body may have, and the reason: they would reroute, unlock or reshape the request.
REFUSED = {
    **dict.fromkeys(
        (
            *("api_key", "api-key", "authorization", "organization", "project"),
            *("base_url", "endpoint", "azure_endpoint", "azure_deployment", "azure_ad_token"),
            *("api_version", "api-version", "url", "path", "method"),
            *("headers", "extra_headers", "default_headers", "extra_query", "query"),
        ),
        _ELSEWHERE,
    ),
    "extra_body": _OPTION + "write its fields directly into the body",
    "timeout": _OPTION + "use --timeout",
    "max_retries": _OPTION + "use --max-attempts",
    "system": _OPTION + "write a message with the role system, or use --system",
    "prompt": "belongs to a line without messages or body: write either the one or the other",
    "id": "belongs beside the body, not into it",
    "custom_id": "belongs beside the body, not into it",
    "body": "stands inside of another body: write its fields directly",
}
_REFUSED = frozenset(REFUSED)

Count = Annotated[int, Field(ge=1)]


_Input = Annotated[str, Field(min_length=1)] | Annotated[list[Any], Field(min_length=1)]


class _Message(TypedDict):
    __pydantic_config__ = ConfigDict(strict=True)  # type: ignore[misc]  # how pydantic is told
    role: Annotated[str, Field(min_length=1)]
    content: NotRequired[str | list[Any] | None]


class _Chat(TypedDict, total=False):
    """The fields that this program reads; the service judges the others."""

    __pydantic_config__ = ConfigDict(strict=True)  # type: ignore[misc]
    messages: Required[Annotated[list[_Message], Field(min_length=1)]]
    model: str
    max_tokens: Count | None
    max_completion_tokens: Count | None
    n: Count | None
    stream: Literal[False] | None


class _Responses(TypedDict, total=False):
    __pydantic_config__ = ConfigDict(strict=True)  # type: ignore[misc]
    input: Required[_Input]
    model: str
    instructions: str | list[Any] | None
    max_output_tokens: Count | None
    text: dict[str, Any] | None
    stream: Literal[False] | None
    background: Literal[False] | None
    previous_response_id: None
    conversation: None


class _Embeddings(TypedDict, total=False):
    __pydantic_config__ = ConfigDict(strict=True)  # type: ignore[misc]
    input: Required[_Input]
    model: str
    dimensions: Count | None
    encoding_format: Literal["float", "base64"] | None


_VALIDATE = {
    path: TypeAdapter(shape).validator.validate_python
    for path, shape in {CHAT: _Chat, RESPONSES: _Responses, EMBEDDINGS: _Embeddings}.items()
}

_ONE_REGION = "left out: one region keeps what it names, and a job may go to any"
_MUST_BE = {
    "messages": "a list of at least one message",
    "message": 'an object such as {"role": "user", "content": "…"}',
    "role": 'a text such as "user"',
    "content": "a text, a list of parts, or null",
    "model": "a text",
    "stream": "false or left out: answers are written whole",
    "background": "false or left out: an answer is waited for",
    "input": "a text, or a list of at least one item",
    "instructions": "a text",
    "text": 'an object such as {"format": …}',
    "previous_response_id": _ONE_REGION,
    "conversation": _ONE_REGION,
    "encoding_format": '"float" or "base64"',
}
_BRANCHES = ("constrained-str", "str", "list[any]", "constrained-list")  # of a union
_BODY = {path: f"an object with {name}" for path, name in INPUT_OF.items()}
_NUMBER = "a whole number of at least 1"


def check(body: Any, at: str = "", path: str = CHAT) -> None:
    """Refuse a body that cannot be a request to ``path``; ``at`` is where it stands."""
    if type(body) is dict and not _REFUSED.isdisjoint(body):
        field = next(field for field in body if field in REFUSED)
        raise RefusedError(f"{at}{field} {REFUSED[field]}")
    try:
        _VALIDATE[path](body)
    except ValidationError as error:
        raise RefusedError(_sentence(error, at, path)) from None
    if path == EMBEDDINGS and not _can_be_embedded(body["input"]):
        raise RefusedError(f"{at}input must be a text, or a list of texts or of tokens")


def _can_be_embedded(given: str | list[Any]) -> bool:
    """Whether it is a text, texts, tokens, or lists of tokens; none of them empty."""
    if isinstance(given, str):
        return True
    match set(map(type, given)):
        case kinds if kinds == {str}:
            return all(given)
        case kinds if kinds == {int}:
            return True
        case kinds if kinds == {list}:
            return all(set(map(type, tokens)) == {int} for tokens in given)
    return False


@lru_cache(maxsize=1024)
def check_model(name: str) -> str:
    """``name``, if it can be one; it becomes a part of the URL in Azure."""
    if _MODEL.fullmatch(name) is None or ".." in name:
        raise RefusedError("model must be a name such as gpt-4o-mini: letters, digits, . _ - : /")
    return name


_MODEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/@+-]{0,255}")


def _sentence(error: ValidationError, at: str, path: str) -> str:
    """The first thing that is wrong, and what should be there instead."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = [part for part in first["loc"] if part not in _BRANCHES]
    match place:
        case [str(name)]:
            field, must = f"{at}{name}", _MUST_BE.get(name, _NUMBER)
        case [str(name), int(index)]:
            field, must = f"{at}{name}[{index}]", _MUST_BE["message"]
        case [str(name), int(index), str(part), *_]:
            field, must = f"{at}{name}[{index}].{part}", _MUST_BE[part]
        case _:
            field, must = at.rstrip("."), _BODY[path]
    if first["type"] == "missing":
        return f"{field} is missing: it must be {must}"
    value = first["input"]
    found = "empty" if value in ("", []) else kind(value)
    return f"{field} must be {must}; it is {found}"
