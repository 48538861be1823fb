"""Exact counts of prompt tokens, for those who install ``batchrunner[tokens]``.

A message is its text and three tokens around it, and three more begin the answer (OpenAI
Cookbook, "How to count tokens with tiktoken"). Pictures and tools are not counted: what they add
is learned from ``usage`` like anything else.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import orjson

from ..errors import ConfigError

AROUND, ANSWER = 3, 3  #: tokens for each message, and for the beginning of the answer
NEWEST = "o200k_base"  #: of the models that are not known by name

Count = Callable[[str, bytes], int]  #: of a model and a request body


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

    def count(model: str, body: bytes) -> int:
        encode = encoding(model).encode_ordinary
        texts = _texts(orjson.loads(body)["messages"])
        return sum(AROUND + len(encode(text)) for text in texts) + ANSWER

    return count


def _texts(messages: list[dict[str, Any]]) -> Iterator[str]:
    """The text of every message."""
    for message in messages:
        match message.get("content"):
            case str(text):
                yield text
            case list(parts):
                found = (part.get("text") for part in parts if isinstance(part, dict))
                yield "\n".join(text for text in found if isinstance(text, str))
            case _:
                yield ""
