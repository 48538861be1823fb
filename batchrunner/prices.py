"""What tokens cost, by the price list of genai-prices. No network."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

from .model import Usage
from .stats import RegionUsage, Tokens
from .targets import Target

MANY = 10_000_000  #: tokens; no prompt is as long


def cost_usd(usage: RegionUsage, provider: str) -> float | None:
    """The cost of a region's answers in US dollars; None where a model has no known price.

    Prices can depend on the length of a prompt, so it is the price of the mean answer, times
    their number. ``provider`` is ``azure`` or ``openai``.
    """
    costs = [_cost(model, tokens, provider) for model, tokens in usage.models.items()]
    known = [cost for cost in costs if cost is not None]
    return round(sum(known), 6) if len(known) == len(costs) else None


@dataclass(frozen=True, slots=True)
class PriceList:
    """What every region charges."""

    providers: Mapping[str, str] = field(default_factory=dict)  #: of each region: its kind

    @classmethod
    def of(cls, targets: Iterable[Target]) -> Self:
        """The prices of configured regions."""
        return cls({target.name: target.kind for target in targets})

    def regions(self, usages: Mapping[str, RegionUsage]) -> dict[str, float | None]:
        """The cost of every region, by name; None where a model has no known price."""
        return {name: cost_usd(use, self._provider(name)) for name, use in usages.items()}

    def answer(self, region: str, model: str, usage: Usage) -> float | None:
        """The cost of one answer of a region; None where the model has no known price."""
        return price(model, usage, self._provider(region))

    def _provider(self, region: str) -> str:
        return self.providers.get(region, "azure")


def price(model: str, usage: Usage, provider: str = "openai") -> float | None:
    """The cost of one answer; None where the model has no known price."""
    if (rates := _rates(model, provider)) is None:
        return _cost(model, Tokens(1, usage.prompt, usage.completion, usage.cached), provider)
    fresh, cached, answered = rates
    prompt = (usage.prompt - usage.cached) * fresh + usage.cached * cached
    return round(prompt + usage.completion * answered, 12)


@lru_cache
def _rates(model: str, provider: str) -> tuple[float, float, float] | None:
    """What a token costs: of a prompt, of its cached part, of an answer.

    None where it is not known, or not always the same: in long prompts of some models it is more.
    """
    rates = [
        [_rate(model, provider, many, *kinds) for kinds in ((0, 0), (0, 1), (1, 0))]
        for many in (1, MANY)
    ]
    fresh, cached, both = rates[1]
    if fresh is None or cached is None or both is None:
        return None
    if rates[0] != rates[1]:
        return None
    return fresh, cached, both - fresh


def _rate(model: str, provider: str, many: int, answered: int, cached: int) -> float | None:
    """What a token of so long a prompt costs, with as long an answer or as many cached ones."""
    cost = _cost(model, Tokens(1, many, many * answered, many * cached), provider)
    return None if cost is None else round(cost / many, 15)


def _cost(model: str, tokens: Tokens, provider: str) -> float | None:
    import genai_prices  # heavy, and only wanted now and then

    if not tokens.answers:
        return 0.0
    mean = genai_prices.Usage(
        input_tokens=round(tokens.prompt / tokens.answers),
        cache_read_tokens=round(tokens.cached / tokens.answers),
        output_tokens=round(tokens.completion / tokens.answers),
    )
    for place in (provider, "openai"):
        try:
            found = genai_prices.calc_price(mean, model_ref=model, provider_id=place)
        except (LookupError, ValueError):  # an unknown model, or numbers that cannot be
            continue
        return float(found.total_price) * tokens.answers
    return None
