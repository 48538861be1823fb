"""Chat completions, made from an order and chance."""

import math
import random
from dataclasses import dataclass

import orjson

from .dialect import Json
from .order import WITHHELD_MARKER, Order
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


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of one answer."""

    prompt: int
    completion: int
    cached: int
    longest: int  #: tokens of the longest choice, which takes the time

    def table(self) -> Json:
        """As the service spells it."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers to a prompt."""

    content: str | None  #: None where the filter withheld it
    tokens: int
    finish: str


def dated(model: str) -> str:
    """The name of a model's version."""
    return _DATED.get(model, model)


def compose(order: Order, typical: int, chance: random.Random) -> tuple[list[Choice], Usage]:
    """The answers to an order, of about the typical length, and what they use."""
    wanted = max(1, round(typical * math.exp(chance.gauss(0.0, 0.35))))
    seen = chance.random() < 0.5
    choices = [_choice(order, wanted, variant) for variant in range(order.choices)]
    prompt = order.prompt_tokens
    cached = prompt // _CACHED_STEP * _CACHED_STEP if seen and prompt >= _CACHED_FROM else 0
    lengths = [choice.tokens for choice in choices]
    return choices, Usage(prompt, sum(lengths), cached, max(lengths))


def completion(model: str, choices: list[Choice], usage: Usage, number: int, created: int) -> Json:
    """The body of an answer."""
    return {
        "id": f"chatcmpl-{number:032x}",
        "object": "chat.completion",
        "created": created,
        "model": dated(model),
        "choices": [
            {
                "index": index,
                "message": {
                    "role": "assistant",
                    "content": choice.content,
                    "refusal": None,
                    "annotations": [],
                },
                "finish_reason": choice.finish,
                "logprobs": None,
            }
            for index, choice in enumerate(choices)
        ],
        "usage": usage.table(),
    }


def _choice(order: Order, wanted: int, variant: int) -> Choice:
    if order.schema is not None:
        return _shaped(order)
    if WITHHELD_MARKER in order.text:
        return Choice(None, wanted, "content_filter")
    tokens = wanted if order.max_tokens is None else min(wanted, order.max_tokens)
    finish = "stop" if tokens == wanted else "length"
    return Choice(answer(order.last, tokens, variant), tokens, finish)


def _shaped(order: Order) -> Choice:
    """An object that fits the schema, cut off where no more tokens are allowed."""
    value = Shaper(order.schema or {}, prompt_digest(order.last)).make()
    text = orjson.dumps(value).decode()
    tokens = -(-len(text) // CHARACTERS)
    if order.max_tokens is None or tokens <= order.max_tokens:
        return Choice(text, tokens, "stop")
    return Choice(text[: order.max_tokens * CHARACTERS], order.max_tokens, "length")
