"""How long prompts and answers will be: what an earlier run saw, or what is assumed.

Without an earlier run an answer is taken to have some 250 tokens, log-normal with sigma 0.6, and
never more than its job allows. ``low`` and ``high`` are how far that may be off, and not how much
one answer differs from another.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from statistics import fmean

from ..model import EMBEDDINGS
from .sample import Ask
from .spread import Spread

MOST_CUT, STEPS = 4.0, 12  #: how far that is looked for, and how closely
EVERY = ""  #: stands for all models together
TYPICAL, SIGMA = 250.0, 0.6
#: how far answers may be off, where they are assumed and where they were seen
ASSUMED, SEEN = (0.33, 3.0), (0.9, 1.1)
#: how far prompts may be off, by how their tokens were found
PROMPTS = {"estimated": (0.8, 1.3), "earlier run": (0.9, 1.1), "counted": (1.0, 1.0)}


@dataclass(frozen=True, slots=True)
class Lengths:
    """The lengths of answers, in tokens; and by how much all prompts may be longer."""

    seen: Mapping[str, Spread] = field(default_factory=dict)  #: by the model asked for
    found: str = "estimated"  #: how the tokens of prompts were found
    factor: float = 1.0
    prompts: float = 1.0

    @property
    def is_seen(self) -> bool:
        """Whether an earlier run says how long they are."""
        return bool(self.seen)

    def off(self, end: int) -> "Lengths":
        """All of it as short as it may well be (0), or as long (1)."""
        return replace(
            self,
            factor=self.factor * (SEEN if self.is_seen else ASSUMED)[end],
            prompts=self.prompts * PROMPTS[self.found][end],
        )

    def fitted(self, asks: Sequence[Ask]) -> "Lengths":
        """Those that were seen, as they were before the same ``max_tokens`` cut some of them.

        Who draws from them and cuts again would have shorter ones: the factor makes up for it.
        """
        if not self.is_seen or not asks:
            return self
        low, high = 1.0, MOST_CUT
        for _ in range(STEPS):
            middle = (low + high) / 2
            rng, other = Random(0), replace(self, factor=middle)  # noqa: S311 - it repeats itself
            mean = fmean(other.length(rng, ask) for ask in asks)
            low, high = (middle, high) if mean < self.seen[EVERY].mean else (low, middle)
        return replace(self, factor=low)

    @property
    def typical(self) -> float:
        """What a service charges for an answer that may have any length."""
        every = self.seen.get(EVERY)
        return self.factor * (TYPICAL if every is None else every.mean)

    def length(self, rng: Random, ask: Ask) -> int:
        """The tokens of one answer; always draws the same number of times."""
        level, swing = rng.random(), rng.gauss(0.0, SIGMA)
        if ask.path == EMBEDDINGS:
            return 0
        seen = self.seen.get(ask.model) or self.seen.get(EVERY)
        tokens = TYPICAL * math.exp(swing) if seen is None else seen.at(level)
        tokens *= self.factor
        return max(1, round(tokens if ask.cap is None else min(tokens, ask.cap)))

    def quantile(self, share: float) -> float | None:
        """What ``share`` of the answers did not exceed; None where none was seen."""
        every = self.seen.get(EVERY)
        return None if every is None else every.at(share)
