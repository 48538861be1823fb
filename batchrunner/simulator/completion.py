"""What is answered, made from an order and chance; its operation puts it into shape."""

import math
import random
from dataclasses import dataclass
from typing import Any

import orjson

from .order import (
    ALWAYS_INVALID_MARKER,
    CUT_MARKER,
    INVALID_MARKER,
    REFUSE_MARKER,
    WITHHELD_MARKER,
    Order,
)
from .shapes import Shaper
from .text import CHARACTERS, answer, prompt_digest

#: What a known name says in its answers.
_DATED = {
    "gpt-4o": "gpt-4o-2024-11-20",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano": "gpt-4.1-nano-2025-04-14",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
}

#: Prompts from this length on may have been seen before.
_CACHED_FROM, _CACHED_STEP = 1024, 128
_REFUSAL = "I'm sorry, but I can't assist with that request."
_MARK = "[["  #: how every marker begins


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of one answer."""

    prompt: int
    completion: int
    cached: int
    longest: int  #: tokens of the longest choice, which takes the time


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers to a prompt."""

    content: str | None  #: None where the filter withheld it, or the model refused
    tokens: int
    finish: str
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """An answer that waits for its shape."""

    order: Order
    model: str
    choices: list[Choice]
    usage: Usage
    number: int  #: 128 bits that name it
    created: int  #: the time of day


def dated(model: str) -> str:
    """The name of a model's version."""
    return _DATED.get(model, model)


def compose(order: Order, typical: int, chance: random.Random) -> tuple[list[Choice], Usage]:
    """The answers to an order, of about the typical length, and what they use."""
    wanted = max(1, round(typical * math.exp(chance.gauss(0.0, 0.35))))
    seen = chance.random() < 0.5
    choices = [_choice(order, wanted, variant) for variant in range(order.choices)]
    prompt = order.prompt_tokens
    is_cached = seen and choices and prompt >= _CACHED_FROM
    cached = prompt // _CACHED_STEP * _CACHED_STEP if is_cached else 0
    lengths = [choice.tokens for choice in choices]
    return choices, Usage(prompt, sum(lengths), cached, max(lengths, default=0))


def _choice(order: Order, wanted: int, variant: int) -> Choice:
    if _MARK in order.text:
        if WITHHELD_MARKER in order.text:
            return Choice(None, wanted, "content_filter")
        if REFUSE_MARKER in order.text:
            return Choice(None, _tokens(_REFUSAL), "stop", _REFUSAL)
    text = _free(order, wanted, variant) if order.schema is None else _shaped(order, variant)
    tokens = wanted if order.schema is None else _tokens(text)
    most = tokens if order.max_tokens is None else order.max_tokens
    if CUT_MARKER in order.text:
        most = min(most, tokens // 2)
    if tokens <= most:
        return Choice(text, tokens, "stop")
    return Choice(text[: max(8, most * CHARACTERS)], most, "length")


def _free(order: Order, wanted: int, variant: int) -> str:
    return answer(order.last, wanted, variant)


def _shaped(order: Order, variant: int) -> str:
    """JSON that fits the schema, or breaks it where the prompt asks for that."""
    digest = prompt_digest(order.last)
    seed = digest if order.last == order.text else prompt_digest(order.text)
    shaper = Shaper(order.schema or {}, digest, int(seed, 16) + variant)
    if _is_invalid(order):
        broken = shaper.make_broken()
        return f"{digest} Gladly, but in words." if broken is None else _json(broken)
    return _json(shaper.make())


def _is_invalid(order: Order) -> bool:
    if _MARK not in order.text:
        return False
    first = INVALID_MARKER in order.text and not order.is_answered
    return first or ALWAYS_INVALID_MARKER in order.text


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS)
