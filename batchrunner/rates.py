"""What a token costs where somebody says so. Pure."""

import re
from dataclasses import dataclass
from typing import Self

from .model import Usage

MILLION = 1e6
_AMOUNT = re.compile(r"\d{1,9}(\.\d{1,9})?|\.\d{1,9}")


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars for a token: of a prompt, of its cached part, of an answer."""

    prompt: float
    cached: float
    answer: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """``2.5/10`` or ``2.5/1.25/10``: prompt, cached prompt, answer, per million tokens.

        Where two are given, what was cached costs as much as the rest. ValueError says how to
        write it.
        """
        amounts = [part.strip() for part in text.split("/")]
        if len(amounts) not in {2, 3} or not all(map(_AMOUNT.fullmatch, amounts)):
            raise ValueError(
                "write US dollars per million tokens as prompt/answer, such as 2.5/10, "
                "or as prompt/cached/answer, such as 2.5/1.25/10"
            )
        prompt, cached, answer = amounts if len(amounts) == 3 else (amounts[0], *amounts)
        return cls(float(prompt) / MILLION, float(cached) / MILLION, float(answer) / MILLION)

    def cost(self, usage: Usage) -> float:
        """US dollars for so many tokens."""
        prompt = (usage.prompt - usage.cached) * self.prompt + usage.cached * self.cached
        return prompt + usage.completion * self.answer
