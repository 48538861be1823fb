"""What a result says, for the cells of a row. Pure."""

import base64
import binascii
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..model import Usage
from ..policy.answer import usage_of
from ..policy.choices import choices
from ..prices import PriceList
from . import digits
from .types import BOOLEAN, EMBEDDING, INTEGER, NUMBER, TEXT, Column, Type

#: columns besides the answer, that are there where somebody asks for them
EXTRAS: Mapping[str, Type] = {
    "region": TEXT,
    "model": TEXT,
    "prompt_tokens": INTEGER,
    "completion_tokens": INTEGER,
    "cached_tokens": INTEGER,
    "cost_usd": NUMBER,
    "finish_reason": TEXT,
    "attempts": INTEGER,
    "error": TEXT,
    "error_code": TEXT,
    "reused": BOOLEAN,
}
ANSWER = Column("answer", TEXT)
EMBEDDED = Column("embedding", EMBEDDING)


class NoAnswerError(ValueError):
    """An answer is not what the schema says."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Takes from a record what the new columns hold."""

    answers: Sequence[Column]  #: properties of the schema; else answer, embedding or both
    extras: Sequence[str]
    structured: bool  #: whether answers are objects with the properties of a schema
    parsed: bool  #: whether they are JSON at all
    prices: PriceList  #: of the regions

    def cells(self, record: Mapping[str, Any]) -> tuple[list[Any], bool]:
        """The cells of a result, and whether it has an answer."""
        error = record["error"]
        found: list[Any] = [None] * len(self.answers)
        if error is None:
            try:
                found = self._answers(record["response"]["body"])
            except NoAnswerError as trouble:
                error = {"code": "invalid_output", "message": str(trouble)}
        more = [self._extra(name, record, error) for name in self.extras]
        return [*found, *more], error is None

    @property
    def nothing(self) -> list[Any]:
        """The cells of a row without a result."""
        return [None] * (len(self.answers) + len(self.extras))

    def _answers(self, body: Any) -> list[Any]:
        if not self.parsed:
            numbers = embedding_of(body)
            both = {"embedding": numbers, "answer": text_of(body) if numbers is None else None}
            return [both[column.name] for column in self.answers]
        value = _loads(text_of(body))
        if not self.structured:
            return [value]
        if not isinstance(value, dict):
            raise NoAnswerError("the answer is no JSON object")
        return [value.get(column.name) for column in self.answers]

    def _extra(self, name: str, record: Mapping[str, Any], error: Mapping[str, Any] | None) -> Any:
        if name in {"error", "error_code"}:
            return error and error["code" if name == "error_code" else "message"]
        if name == "cost_usd":
            return self._cost(record)
        if name in _OF_RECORD:
            return _OF_RECORD[name](record)
        body = (record["response"] or {}).get("body")
        if not isinstance(body, dict):
            return None
        return _OF_BODY[name](body)

    def _cost(self, record: Mapping[str, Any]) -> float | None:
        """What a row cost: its answer, and those before it that were paid and not taken.

        Lines say so since version 0.2; for earlier ones it is worked out.
        """
        if (said := record.get("cost_usd")) is not None:
            return float(said)
        paid = [
            (attempt["region"], Usage(**attempt["usage"]))
            for attempt in record["attempts"]
            if "usage" in attempt
        ]
        if record["error"] is None and not record.get("reused"):
            paid.append((record["region"], usage_of(record["response"]["body"])))
        total = 0.0
        for region, usage in paid:
            cost = self.prices.answer(region or "", usage.model, usage)
            if cost is None:
                return None
            total += cost
        return round(total, 12)


def finish_of(body: Mapping[str, Any]) -> str | None:
    """Why an answer ended: ``stop``, ``length``, ``completed``."""
    end, status = next((choice.end for choice in choices(body)), ""), body.get("status")
    return end or (status if isinstance(status, str) else None)


_OF_RECORD: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "region": lambda record: record["region"],
    "attempts": lambda record: len(record["attempts"]),
    "reused": lambda record: record.get("reused", False),
}
_OF_BODY: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    "model": lambda body: usage_of(body).model or None,
    "prompt_tokens": lambda body: usage_of(body).prompt,
    "completion_tokens": lambda body: usage_of(body).completion,
    "cached_tokens": lambda body: usage_of(body).cached,
    "finish_reason": finish_of,
}


def text_of(body: Any) -> str:
    """The text of a chat completion or a response; of several choices the first."""
    return next((choice.said for choice in choices(body)), "")


def embedding_of(body: Any) -> list[Any] | None:
    """The numbers of an embedding; of several inputs a list for each; None for other answers."""
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, list) or not data:
        return None
    found = [_numbers(item.get("embedding")) for item in data if isinstance(item, dict)]
    return found[0] if len(found) == 1 else found


def _numbers(embedding: Any) -> Any:
    """An embedding may come as the bytes of its numbers, in base64."""
    if not isinstance(embedding, str):
        return embedding
    try:
        return array("f", base64.b64decode(embedding, validate=True)).tolist()
    except (binascii.Error, ValueError):
        return None


def _loads(text: str) -> Any:
    try:
        return digits.loads(text)
    except (ValueError, RecursionError):
        raise NoAnswerError("the answer is no JSON") from None
