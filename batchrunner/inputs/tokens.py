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

BYTES_PER_TOKEN = 4  #: of English text

Count = Callable[[str, str, bytes], int]  #: of a path, a model and a request body
Length = Callable[[str], int]  #: of a text, in tokens


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
        return _counted(path, body, lambda text: len(encode(text)))

    return count


def estimate(path: str, body: bytes) -> int:
    """About how many tokens a prompt has, by the size of its texts; needs nothing installed."""
    return _counted(path, body, lambda text: -(-len(text.encode()) // BYTES_PER_TOKEN))


def _counted(path: str, body: bytes, length: Length) -> int:
    request = orjson.loads(body)
    if path == EMBEDDINGS:
        return _bare(request["input"], length)
    return sum(AROUND + length(text) for text in _texts(_spoken(request, path))) + ANSWER


def _bare(given: Any, length: Length) -> int:
    """The tokens of what is to be embedded: a text, tokens, or a list of either."""
    match given:
        case str(text):
            return length(text)
        case list(items):
            return sum(1 if isinstance(item, int) else _bare(item, length) for item in items)
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
