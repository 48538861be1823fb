"""Request bodies of every endpoint: made of messages, filled up, and measured.

What is the same thing to a user has another name at each of them: a system message is called
``instructions`` by ``/responses``, and an embedding has neither that nor a longest answer.
"""

from typing import Any

from ..model import CHAT, EMBEDDINGS, RESPONSES
from .defaults import Defaults
from .strict import RefusedError

Body = dict[str, Any]

_INSTRUCTIONS = frozenset({"system", "developer"})


def of_messages(messages: list[dict[str, Any]], path: str) -> Body:
    """A request of ``messages``; an embedding is one of the last of them."""
    if path == CHAT:
        return {"messages": messages}
    if path == EMBEDDINGS:
        return {"input": messages[-1]["content"]}
    first = messages[0]
    if first.get("role") == "system" and isinstance(first.get("content"), str) and messages[1:]:
        return {"input": messages[1:], "instructions": first["content"]}
    return {"input": messages}


def fill(body: Body, path: str, defaults: Defaults) -> None:
    """Set what ``body`` leaves open."""
    if path == CHAT:
        _fill_chat(body, defaults)
    elif path == RESPONSES:
        _fill_response(body, defaults)
    elif defaults.response_format is not None:
        raise RefusedError("asks for embeddings, which have no schema: leave --schema out")


def _fill_chat(body: Body, defaults: Defaults) -> None:
    if defaults.temperature is not None:
        body.setdefault("temperature", defaults.temperature)
    if defaults.max_tokens is not None and "max_completion_tokens" not in body:
        body.setdefault("max_tokens", defaults.max_tokens)
    if defaults.response_format is not None:
        body.setdefault("response_format", defaults.response_format)
    messages = body["messages"]
    if defaults.system is not None and not any(m["role"] in _INSTRUCTIONS for m in messages):
        messages.insert(0, {"role": "system", "content": defaults.system})


def _fill_response(body: Body, defaults: Defaults) -> None:
    if defaults.temperature is not None:
        body.setdefault("temperature", defaults.temperature)
    if defaults.max_tokens is not None:
        body.setdefault("max_output_tokens", defaults.max_tokens)
    if defaults.system is not None and not _is_instructed(body["input"]):
        body.setdefault("instructions", defaults.system)
    if defaults.response_format is not None:
        shape = {"type": "json_schema", **defaults.response_format["json_schema"]}
        body["text"] = {"format": shape} | (body.get("text") or {})


def _is_instructed(given: str | list[Any]) -> bool:
    """Whether one of the messages is such as ``--system`` would be."""
    if isinstance(given, str):
        return False
    return any(isinstance(item, dict) and item.get("role") in _INSTRUCTIONS for item in given)


def answer_tokens(body: Body, path: str) -> int | None:
    """The most that an answer may use; None where it is open."""
    if path == CHAT:
        most = body.get("max_completion_tokens") or body.get("max_tokens")
        return most and most * (body.get("n") or 1)
    return body.get("max_output_tokens") if path == RESPONSES else 0
