"""How long an answer takes: a log-normal start, then tokens at a steady speed, and a slow tail."""

import math
import random
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Natural = Annotated[float, Field(ge=0)]

#: Tokens a second that people measured, from end to end, on the public models.
SPEEDS = {
    "gpt-4o": 32.0,
    "gpt-4o-mini": 59.0,
    "gpt-4.1": 68.0,
    "gpt-4.1-mini": 62.0,
    "gpt-4.1-nano": 96.0,
}
OTHER_SPEED = 60.0


class Latency(BaseModel):
    """The latencies of one region.

    A call takes ``(start + prompt * per_prompt_token + answer / tokens_per_second) * tail * load
    / speed`` seconds, where ``start`` is log-normal.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    median: Natural = 0.6  #: of the start, in seconds
    sigma: Natural = 0.4  #: of the start
    per_prompt_token: Natural = 0.0001
    tokens_per_second: Positive | None = None  #: None is what the model is known for
    spread: Share = 0.15  #: of the tokens a second
    slow_rate: Share = 0.005  #: the share of calls in the slow tail …
    slow_factors: tuple[Positive, Positive] = (5.0, 20.0)  #: … and how much longer those take
    busy_above: Share = 0.8  #: the load above which …
    busy_factor: Positive = 2.0  #: … everything takes longer
    speed: Positive = 1.0  #: everything is so many times faster, for demonstrations and tests

    def seconds(
        self, chance: random.Random, model: str, tokens: tuple[int, int], load: float
    ) -> float:
        """How long one call takes, of so many prompt and answer tokens.

        Always draws the same number of times, so that what is drawn later does not depend on
        what came out.
        """
        prompt, answer = tokens
        start = self.median * math.exp(chance.gauss(0.0, self.sigma))
        pace = self.tokens_per_second or SPEEDS.get(model, OTHER_SPEED)
        pace *= chance.uniform(1 - self.spread, 1 + self.spread)
        slow, factor = chance.random(), chance.uniform(*self.slow_factors)
        seconds = start + prompt * self.per_prompt_token + answer / max(pace, 1e-6)
        seconds *= factor if slow < self.slow_rate else 1.0
        seconds *= self.busy_factor if load > self.busy_above else 1.0
        return seconds / self.speed
