"""The Responses API: what asks for a response, and what it looks like."""

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

_ROLES = frozenset({"system", "developer", "user", "assistant"})
_SAMPLING = {"temperature": 1, "top_p": 1}
_LEAST = 16  #: the smallest limit of an answer that the service takes
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def read(table: dict[str, Any]) -> Order | Complaint:
    """The order that a request makes, or what is wrong with it."""
    given = table.get("input")
    if given is None:
        return missing("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    if not isinstance(items, list):
        return Complaint("Invalid type for 'input': expected a text or an array.", "input")
    return (
        (None if items else empty("input"))
        or _bad_item(items)
        or bad_number(table, "max_output_tokens", _LEAST)
        or bad_mode(table, "stream", "background")
        or _order(table, items)
    )


def body(written: Written) -> Json:
    """The body of an answer: one message, whole or cut off."""
    asked, choice = written.order.table, written.choices[0]
    reason = _INCOMPLETE.get(choice.finish)
    status = "incomplete" if reason else "completed"
    return {
        "id": f"resp_{written.number:032x}",
        "object": "response",
        "created_at": written.created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "instructions": asked.get("instructions"),
        "max_output_tokens": written.order.max_tokens,
        "model": dated(written.model),
        "output": [
            {
                "id": f"msg_{written.number:032x}",
                "type": "message",
                "status": status,
                "role": "assistant",
                "content": _content(choice),
            }
        ],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": asked.get("store", True),
        "temperature": asked.get("temperature", 1.0),
        "text": asked.get("text") or {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": asked.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": _usage(written.usage),
        "user": asked.get("user"),
        "metadata": asked.get("metadata") or {},
    }


def _content(choice: Choice) -> list[Json]:
    if choice.refusal is not None:
        return [{"type": "refusal", "refusal": choice.refusal}]
    if choice.content is None:
        return []
    return [{"type": "output_text", "annotations": [], "logprobs": [], "text": choice.content}]


def _usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt + usage.completion,
    }


def _bad_item(items: list[Any]) -> Complaint | None:
    """A message without a proper role; items of another type are not looked into."""
    for number, item in enumerate(items):
        is_message = isinstance(item, dict) and item.get("type", "message") == "message"
        if not isinstance(item, dict) or (is_message and item.get("role") not in _ROLES):
            return Complaint(
                f"Invalid value for 'input[{number}].role': expected one of "
                f"{', '.join(sorted(_ROLES))}.",
                f"input[{number}].role",
                "invalid_value",
            )
    return None


def _order(table: dict[str, Any], items: list[dict[str, Any]]) -> Order:
    instructions = table.get("instructions")
    texts = [text_of(item.get("content")) for item in items]
    users = [text for text, item in zip(texts, items, strict=True) if item.get("role") == "user"]
    said = [instructions, *texts] if isinstance(instructions, str) else texts
    return Order(
        operation=Operation.RESPONSES,
        text="\n".join(said),
        last=(users or texts)[-1],
        messages=len(said),
        model=name_of(table.get("model")),
        max_tokens=table.get("max_output_tokens"),
        schema=_schema(table.get("text")),
        sampling=tuple(n for n, usual in _SAMPLING.items() if table.get(n) not in (None, usual)),
        is_answered=any(item.get("role") == "assistant" for item in items),
        table=table,
    )


def _schema(text: Any) -> Mapping[str, Any] | None:
    wanted = text.get("format") if isinstance(text, dict) else None
    return schema_of(wanted, wanted) if isinstance(wanted, dict) else None
