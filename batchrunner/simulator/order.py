"""What a request asks for, read as the services read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from .text import CHARACTERS

#: Prompts that contain one of these always meet the content filter, or are always too long.
FILTER_MARKER = "[[filter]]"
LONG_MARKER = "[[too-long]]"

#: The answers to prompts that contain this are written, and then withheld by the filter.
WITHHELD_MARKER = "[[filter-answer]]"

_REASONING = ("o1", "o3", "o4", "gpt-5")
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_SAMPLING = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0}


@dataclass(frozen=True, slots=True)
class Complaint:
    """Why a request is no good: status 400."""

    message: str
    param: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A request that can be answered."""

    text: str  #: the whole prompt
    last: str  #: the last user message, or the last message where there is none
    messages: int
    model: str | None
    max_tokens: int | None
    choices: int
    schema: Mapping[str, Any] | None  #: None is free text; an empty schema is any object
    sampling: tuple[str, ...]  #: the sampling parameters that are not at their default
    old_limit: bool  #: the limit was given as ``max_tokens``

    @property
    def estimate(self) -> int:
        """Prompt tokens as the service estimates them on admission, from the characters."""
        return -(-len(self.text) // CHARACTERS)

    @property
    def prompt_tokens(self) -> int:
        """Prompt tokens as they are counted: the words cost a little more than estimated."""
        return len(self.text) * 10 // 38 + 4 * self.messages + 3


def read(body: bytes) -> Order | Complaint:
    """The order that a request body makes, or what is wrong with it."""
    try:
        table = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Complaint(
            "We could not parse the JSON body of your request. (HINT: This likely means you "
            "aren't using your HTTP library correctly. The API expects a JSON payload, but what "
            "was sent was not valid JSON.)"
        )
    if not isinstance(table, dict):
        return Complaint("Invalid type for request body: expected an object.")
    return _complaint(table) or _order(table)


def unsupported(order: Order, model: str) -> Complaint | None:
    """What reasoning models refuse and others do not."""
    if not model.startswith(_REASONING):
        return None
    if order.old_limit:
        return Complaint(
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead.",
            "max_tokens",
            "unsupported_parameter",
        )
    if order.sampling:
        name = order.sampling[0]
        return Complaint(
            f"Unsupported value: '{name}' does not support the given value with this model. "
            "Only the default value is supported.",
            name,
            "unsupported_value",
        )
    return None


def _complaint(table: dict[str, Any]) -> Complaint | None:
    messages = table.get("messages")
    if messages is None:
        return Complaint(
            "Missing required parameter: 'messages'.", "messages", "missing_required_parameter"
        )
    if not isinstance(messages, list):
        return Complaint("Invalid type for 'messages': expected an array.", "messages")
    if not messages:
        return Complaint(
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got "
            "an empty array instead.",
            "messages",
            "empty_array",
        )
    return _bad_message(messages) or _bad_number(table)


def _bad_message(messages: list[Any]) -> Complaint | None:
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            return Complaint(
                f"Invalid value for 'messages[{number}].role': expected one of "
                f"{', '.join(sorted(_ROLES))}.",
                f"messages[{number}].role",
                "invalid_value",
            )
    return None


def _bad_number(table: dict[str, Any]) -> Complaint | None:
    for name in ("max_tokens", "max_completion_tokens", "n"):
        value = table.get(name)
        if value is not None and (type(value) is not int or value < 1):
            return Complaint(
                f"Invalid '{name}': expected an integer of at least 1.", name, "invalid_value"
            )
    if table.get("stream"):
        return Complaint("The simulator does not stream.", "stream", "unsupported_value")
    return None


def _order(table: dict[str, Any]) -> Order:
    messages = table["messages"]
    texts = [_text(message.get("content")) for message in messages]
    users = [i for i, message in enumerate(messages) if message["role"] == "user"]
    limit = table.get("max_completion_tokens") or table.get("max_tokens")
    model = table.get("model")
    return Order(
        text="\n".join(texts),
        last=texts[users[-1] if users else -1],
        messages=len(texts),
        model=model if isinstance(model, str) else None,
        max_tokens=limit,
        choices=table.get("n") or 1,
        schema=_schema(table.get("response_format")),
        sampling=tuple(n for n, usual in _SAMPLING.items() if table.get(n) not in (None, usual)),
        old_limit=table.get("max_tokens") is not None,
    )


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "\n".join(part for part in parts if isinstance(part, str))
    return ""


def _schema(wanted: Any) -> Mapping[str, Any] | None:
    if not isinstance(wanted, dict):
        return None
    if wanted.get("type") == "json_object":
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    inner = wanted.get("json_schema") if wanted.get("type") == "json_schema" else None
    schema = inner.get("schema") if isinstance(inner, dict) else None
    return schema if isinstance(schema, dict) else None
