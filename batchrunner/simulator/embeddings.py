"""Embeddings: what asks for them, and vectors that depend on nothing but the text."""

import base64
import hashlib
import math
import struct
from typing import Any

from .completion import Written
from .dialect import Json
from .order import Complaint, Operation, Order, bad_number, empty, missing, name_of

DIMENSIONS = 16  #: of a vector, where nobody asks for another length: results stay small
MOST_DIMENSIONS = 3072
MOST_INPUTS = 2048


def read(table: dict[str, Any]) -> Order | Complaint:
    """The order that a request makes, or what is wrong with it."""
    given = table.get("input")
    if given is None:
        return missing("input")
    texts = _texts(given)
    if texts is None or "" in texts:
        return Complaint(
            "Invalid 'input': expected a text, tokens, or an array of either, and no empty one.",
            "input",
        )
    return (None if texts else empty("input")) or _bad_option(table, texts) or _order(table, texts)


def body(written: Written) -> Json:
    """The body of an answer: one vector for each text, in their order."""
    asked = written.order.table
    length = asked.get("dimensions") or DIMENSIONS
    packed = asked.get("encoding_format") == "base64"
    vectors = [vector(text, length) for text in _texts(asked["input"]) or ()]
    tokens = written.usage.prompt
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _packed(one) if packed else one}
            for index, one in enumerate(vectors)
        ],
        "model": written.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def vector(text: str, length: int) -> list[float]:
    """A direction that stands for a text: of length one, and the same each time.

    It has nothing to do with the meaning: similar texts are no nearer to each other.
    """
    seed = hashlib.shake_256(text.encode("utf-8", "surrogatepass")).digest(2 * length)
    found = [number + 0.5 for number in struct.unpack(f"<{length}h", seed)]  # none is zero
    size = math.hypot(*found)
    return [round(number / size, 9) for number in found]


def _packed(one: list[float]) -> str:
    """Four bytes a number, the least significant first, in base64."""
    return base64.b64encode(struct.pack(f"<{len(one)}f", *one)).decode()


def _texts(given: Any) -> list[str] | None:
    """What is to be embedded, tokens written as numbers; None where it is nothing of the kind."""
    match given:
        case str():
            return [given]
        case [int(), *_]:
            return [_tokens(given)]
        case list():
            return [one if isinstance(one, str) else _tokens(one) for one in given]
        case _:
            return None


def _tokens(given: Any) -> str:
    """Tokens in words; empty where they are none."""
    is_list = isinstance(given, list) and all(type(one) is int for one in given)
    return " ".join(map(str, given)) if is_list else ""


def _bad_option(table: dict[str, Any], texts: list[str]) -> Complaint | None:
    if len(texts) > MOST_INPUTS:
        return Complaint(f"Invalid 'input': more than {MOST_INPUTS} items.", "input")
    if table.get("encoding_format") not in (None, "float", "base64"):
        return Complaint(
            "Invalid value for 'encoding_format': expected 'float' or 'base64'.",
            "encoding_format",
            "invalid_value",
        )
    complaint = bad_number(table, "dimensions")
    if complaint is None and (table.get("dimensions") or 1) > MOST_DIMENSIONS:
        most = f"Invalid 'dimensions': expected at most {MOST_DIMENSIONS}."
        return Complaint(most, "dimensions", "invalid_value")
    return complaint


def _order(table: dict[str, Any], texts: list[str]) -> Order:
    return Order(
        operation=Operation.EMBEDDINGS,
        text="\n".join(texts),
        last=texts[-1],
        messages=0,
        model=name_of(table.get("model")),
        choices=0,
        table=table,
    )
