"""What all runs of an output have cost and used, so that a budget holds for them together. Pure.

The statistics know what answers used. What was sent and not answered may have been billed too, and
so may what was in flight when a run was killed: only the checkpoint knows of that.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from .prices import PriceList
from .stats import Stats


@dataclass(frozen=True, slots=True)
class Unanswered:
    """What may have been billed and stands in no result."""

    usd: float = 0.0
    tokens: float = 0.0
    calls: int = 0  #: ambiguous ones that are in it

    @classmethod
    def of(cls, committed: tuple[float, float], stats: Stats, prices: PriceList) -> Self:
        """The part of what is committed, US dollars and tokens, that no result accounts for."""
        usd, tokens = _answered(stats, prices)
        more = round(committed[0] - usd, 12), round(committed[1] - tokens)
        return cls(max(0.0, more[0]), max(0, more[1]), stats.ambiguous)

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """What ``as_json`` gave."""
        return cls(saved["usd"], saved["tokens"], saved["calls"])

    def as_json(self) -> dict[str, float]:
        """As a checkpoint keeps it."""
        return asdict(self)

    def total(self, stats: Stats, prices: PriceList) -> tuple[float, float]:
        """US dollars and tokens of all runs.

        A call without an answer that nobody had a budget for counts as a mean answer.
        """
        usd, tokens = _answered(stats, prices)
        more = max(0, stats.ambiguous - self.calls) / max(1, stats.answers)
        return usd + self.usd + more * usd, tokens + self.tokens + more * tokens


def _answered(stats: Stats, prices: PriceList) -> tuple[float, float]:
    """What answers cost, as far as prices are known, and used."""
    used = [region.tokens for region in stats.regions.values()]
    tokens = float(sum(tokens.prompt + tokens.completion for tokens in used))
    return prices.known(stats.regions), tokens
