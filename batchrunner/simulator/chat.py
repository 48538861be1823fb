"""Chat completions: what asks for them, and what they look like."""

from collections.abc import Mapping
from typing import Any

from .completion import Choice, Usage, Written, dated
from .dialect import Json
from .order import (
    Complaint,
    Operation,
    Order,
    bad_mode,
    bad_number,
    empty,
    missing,
    name_of,
    text_of,
)
from .shapes import schema_of

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_SAMPLING = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0}


def read(table: dict[str, Any]) -> Order | Complaint:
    """The order that a request makes, or what is wrong with it."""
    return _complaint(table) or _order(table)


def body(written: Written) -> Json:
    """The body of an answer."""
    return {
        "id": f"chatcmpl-{written.number:032x}",
        "object": "chat.completion",
        "created": written.created,
        "model": dated(written.model),
        "choices": [_choice(index, choice) for index, choice in enumerate(written.choices)],
        "usage": _usage(written.usage),
    }


def _choice(index: int, choice: Choice) -> Json:
    return {
        "index": index,
        "message": {
            "role": "assistant",
            "content": choice.content,
            "refusal": choice.refusal,
            "annotations": [],
        },
        "finish_reason": choice.finish,
        "logprobs": None,
    }


def _usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _complaint(table: dict[str, Any]) -> Complaint | None:
    messages = table.get("messages")
    if messages is None:
        return missing("messages")
    if not isinstance(messages, list):
        return Complaint("Invalid type for 'messages': expected an array.", "messages")
    if not messages:
        return empty("messages")
    return _bad_message(messages) or _bad_option(table)


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


def _bad_option(table: dict[str, Any]) -> Complaint | None:
    for name in ("max_tokens", "max_completion_tokens", "n"):
        complaint = bad_number(table, name)
        if complaint:
            return complaint
    return bad_mode(table, "stream")


def _order(table: dict[str, Any]) -> Order:
    messages = table["messages"]
    texts = [text_of(message.get("content")) for message in messages]
    roles = [message["role"] for message in messages]
    users = [i for i, role in enumerate(roles) if role == "user"]
    return Order(
        operation=Operation.CHAT,
        text="\n".join(texts),
        last=texts[users[-1] if users else -1],
        messages=len(texts),
        model=name_of(table.get("model")),
        max_tokens=table.get("max_completion_tokens") or table.get("max_tokens"),
        choices=table.get("n") or 1,
        schema=_schema(table.get("response_format")),
        sampling=tuple(n for n, usual in _SAMPLING.items() if table.get(n) not in (None, usual)),
        old_limit=table.get("max_tokens") is not None,
        is_answered="assistant" in roles,
        table=table,
    )


def _schema(wanted: Any) -> Mapping[str, Any] | None:
    if not isinstance(wanted, dict):
        return None
    inner = wanted.get("json_schema")
    return schema_of(wanted, inner if isinstance(inner, dict) else {})
