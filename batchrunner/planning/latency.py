"""How long an answer of a region takes: what an earlier run measured, or what is assumed. Pure.

The assumption is a start, and then tokens at the speed that people measured on the public models:

    seconds = (start + prompt / 10,000 + answer / speed) * factor

with a start of 0.6 s (log-normal, sigma 0.4) and a factor that a probe may have found. On a bad
day one answer in 200 takes five to twenty times as long. No good figures of Azure are published.
"""

import math
from dataclasses import dataclass
from random import Random

from .spread import Spread

#: tokens a second, end to end, on plain OpenAI
SPEEDS = {
    "gpt-4o-mini": 59.0,
    "gpt-4o": 32.0,
    "gpt-4.1-mini": 62.0,
    "gpt-4.1-nano": 96.0,
    "gpt-4.1": 68.0,
}
SPEED = 60.0  #: of the others
START, SIGMA = 0.6, 0.4
PER_PROMPT_TOKEN = 0.0001
SLOW, SLOWER = 0.005, (5.0, 20.0)
UNMEASURED = Spread()
BEGINNING = 36.0  #: tokens that take as long as the start


@dataclass(frozen=True, slots=True)
class Latency:
    """The latencies of one region."""

    measured: Spread = UNMEASURED  #: seconds of answers
    length: float = 0.0  #: mean tokens of these answers
    factor: float = 1.0  #: of what is assumed, where nothing was measured
    is_bad: bool = False  #: whether it is a bad day

    @property
    def is_measured(self) -> bool:
        """Whether there are enough answers to go by."""
        return self.measured.count >= 20

    def seconds(self, rng: Random, model: str, prompt: float, answer: float) -> float:
        """How long one call takes; always draws the same number of times."""
        level, start, slow = rng.random(), rng.gauss(0.0, SIGMA), rng.random()
        if self.is_measured:
            stretch = (BEGINNING + answer) / (BEGINNING + (self.length or answer))
            return self.measured.at(level) * stretch
        seconds = self.assumed(START * math.exp(start), model, prompt, answer)
        return seconds * (
            SLOWER[0] + level * (SLOWER[1] - SLOWER[0]) if self.is_bad and slow < SLOW else 1.0
        )

    def assumed(self, start: float, model: str, prompt: float, answer: float) -> float:
        """What is assumed of a call with such a start."""
        return (start + prompt * PER_PROMPT_TOKEN + answer / speed(model)) * self.factor


def speed(model: str) -> float:
    """Tokens a second of the model whose name begins so."""
    return next((pace for name, pace in SPEEDS.items() if model.startswith(name)), SPEED)


def fitted(seconds: float, model: str, answer: float) -> Latency:
    """What is assumed, made so many times slower or faster that a probe fits it."""
    return Latency(factor=seconds / Latency().assumed(START, model, 10, answer))
