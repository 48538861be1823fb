"""Exact counts of prompt tokens, for those who install ``batchrunner[tokens]``.

A message is its text and three tokens around it, and three more begin the answer (OpenAI
Cookbook, "How to count tokens with tiktoken"). So are the items of a response's input, and its
instructions; what is to be embedded is nothing but its text, or its tokens themselves. Pictures
and tools are not counted: what they add is learned from ``usage`` like anything else.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import orjson

from ..errors import ConfigError
from ..model import CHAT, EMBEDDINGS

AROUND, ANSWER = 3, 3  #: tokens for each message, and for the beginning of the answer
NEWEST = "o200k_base"  #: of the models that are not known by name

Count = Callable[[str, str, bytes], int]  #: of a path, a model and a request body
Encode = Callable[[str], list[int]]


def counter() -> Count:
    """A function that counts the tokens of a prompt; ConfigError where none is installed."""
    try:
        import bpe_openai  # an extra of 75 MB
    except ImportError:
        raise ConfigError(
            "--count-tokens needs bpe-openai: pip install 'batchrunner[tokens]'"
        ) from None

    @lru_cache
    def encoding(model: str) -> Any:
        try:
            return bpe_openai.get_encoding(bpe_openai.encoding_name_for_model(model))
        except (LookupError, RuntimeError):  # an unknown model, or one that never chatted
            return bpe_openai.get_encoding(NEWEST)

    def count(path: str, model: str, body: bytes) -> int:
        encode = encoding(model).encode_ordinary
        request = orjson.loads(body)
        if path == EMBEDDINGS:
            return _bare(request["input"], encode)
        texts = _texts(_spoken(request, path))
        return sum(AROUND + len(encode(text)) for text in texts) + ANSWER

    return count


def _bare(given: Any, encode: Encode) -> int:
    """The tokens of what is to be embedded: a text, tokens, or a list of either."""
    match given:
        case str(text):
            return len(encode(text))
        case list(items):
            return sum(1 if isinstance(item, int) else _bare(item, encode) for item in items)
        case _:
            return 0


def _spoken(request: dict[str, Any], path: str) -> list[Any]:
    """All that is said to the model, as messages."""
    if path == CHAT:
        return list(request["messages"])
    given = request["input"]
    items = given if isinstance(given, list) else [{"content": given}]
    instructions = request.get("instructions")
    return items if instructions is None else [{"content": instructions}, *items]


def _texts(messages: list[Any]) -> Iterator[str]:
    """The text of every message."""
    for message in messages:
        match message.get("content") if isinstance(message, dict) else None:
            case str(text):
                yield text
            case list(parts):
                found = (part.get("text") for part in parts if isinstance(part, dict))
                yield "\n".join(text for text in found if isinstance(text, str))
            case _:
                yield ""
