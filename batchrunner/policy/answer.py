"""What the body of a success must hold to be an answer, by the path that it answers. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from ..model import CHAT, EMBEDDINGS, RESPONSES, Usage

LONGEST_MODEL = 256
#: what a usage calls what it took, the details of that, and what it gave
_PROMPT = ("prompt_tokens", "prompt_tokens_details", "completion_tokens")
_INPUT = ("input_tokens", "input_tokens_details", "output_tokens")
MOST_TOKENS = 10**12  #: no answer uses more; what says so says nothing


def is_answer(path: str, body: Any) -> bool:
    """Whether a decoded body answers a job that was posted to ``path``."""
    return isinstance(body, dict) and _HOLDS[path](body)


def usage_of(answer: Mapping[str, Any]) -> Usage:
    """What an answer says it used: prompt and completion, or input and output."""
    model, usage = answer.get("model"), answer.get("usage")
    model = model[:LONGEST_MODEL] if isinstance(model, str) else ""
    if not isinstance(usage, dict):
        return Usage(model)
    taken, details, given = _INPUT if "input_tokens" in usage else _PROMPT
    prompt, more = _count(usage.get(taken)), usage.get(details)
    cached = _count(more.get("cached_tokens")) if isinstance(more, dict) else 0
    return Usage(model, prompt, _count(usage.get(given)), min(cached, prompt))


def _is_chat(body: dict[str, Any]) -> bool:
    """At least one choice that has a message, however it ends."""
    try:
        return isinstance(body["choices"][0]["message"], dict)
    except (LookupError, TypeError):
        return False


def _is_response(body: dict[str, Any]) -> bool:
    """An output that is over, be it cut off; one still in progress is no answer."""
    return isinstance(body.get("output"), list) and body.get("status") in _OVER


def _is_embedding(body: dict[str, Any]) -> bool:
    """A vector in every place, as numbers or in base64."""
    data = body.get("data")
    return isinstance(data, list) and bool(data) and all(map(_has_vector, data))


def _has_vector(item: Any) -> bool:
    vector = item.get("embedding") if isinstance(item, dict) else None
    return isinstance(vector, list | str) and bool(vector)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and 0 < value < MOST_TOKENS else 0


_OVER = ("completed", "incomplete")
_HOLDS: dict[str, Callable[[dict[str, Any]], bool]] = {
    CHAT: _is_chat,
    RESPONSES: _is_response,
    EMBEDDINGS: _is_embedding,
}
