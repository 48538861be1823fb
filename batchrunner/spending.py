"""What all runs of an output have cost and used, so that a budget holds for them together. Pure.

The statistics know what answers used. What was sent and not answered may have been billed too, and
so may what was in flight when a run was killed: only the checkpoint knows of that.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from .policy.budget import Budget
from .prices import PriceList
from .stats import Stats

LONG = 1.5  #: what is in flight at some moment are rather the long jobs, which take longer


@dataclass(frozen=True, slots=True)
class Unanswered:
    """What may have been billed and stands in no result."""

    usd: float = 0.0
    tokens: float = 0.0
    calls: int = 0  #: ambiguous ones that are in it
    reserved_usd: float = 0.0  #: set aside for what was in flight
    reserved_tokens: float = 0.0
    in_flight: int = 0  #: the most requests that a kill may have found; zero after an end

    @classmethod
    def of(cls, budget: Budget, stats: Stats, prices: PriceList, in_flight: int) -> Self:
        """The part of a budget that no result accounts for, in a run or at its end."""
        usd, tokens = _answered(stats, prices)
        money, used = budget.money, budget.tokens
        return cls(
            max(0.0, round(money.spent - usd, 12)),
            max(0.0, used.spent - tokens),
            stats.ambiguous,
            money.reserved,
            used.reserved,
            in_flight,
        )

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """What ``as_json`` gave."""
        return cls(**saved)

    def as_json(self) -> dict[str, float]:
        """As a checkpoint keeps it."""
        return asdict(self)

    def and_flying(self, in_flight: int) -> Self:
        """The same, and so many requests that a kill may find."""
        return replace(self, in_flight=self.in_flight + in_flight)

    def total(self, stats: Stats, prices: PriceList) -> tuple[float, float]:
        """US dollars and tokens of all runs.

        A call without an answer that nobody had a budget for counts as a mean answer; so does what
        a kill may have found in flight, where no more was set aside for it, once and a half.
        """
        usd, tokens = _answered(stats, prices)
        answers = max(1, stats.answers)
        lost = max(0, stats.ambiguous - self.calls) / answers
        flying = self.in_flight / answers
        return (
            usd + self.usd + lost * usd + LONG * max(self.reserved_usd, flying * usd),
            tokens
            + self.tokens
            + lost * tokens
            + LONG * max(self.reserved_tokens, flying * tokens),
        )


def _answered(stats: Stats, prices: PriceList) -> tuple[float, float]:
    """What answers cost, as far as prices are known, and used."""
    used = [region.tokens for region in stats.regions.values()]
    tokens = float(sum(tokens.prompt + tokens.completion for tokens in used))
    return prices.known(stats.regions), tokens
