"""What tokens cost: as the settings say, else by the price list of genai-prices. No network."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, Self

from .model import Result, Usage
from .rates import Rates
from .stats import RegionUsage, Tokens
from .targets import Target

SHORT, MANY = 100_000, 10_000_000  #: tokens: prompts that all cost the same; no prompt is as long


def cost_usd(usage: RegionUsage, provider: str, rates: Rates | None = None) -> float | None:
    """The cost of a region's answers in US dollars; None where a model has no known price.

    ``provider`` is ``azure`` or ``openai``; ``rates`` are those of the region, where it has its
    own. Where the price depends on the length of a prompt, that of the mean one counts.
    """
    costs = [_all(model, tokens, provider, rates) for model, tokens in usage.models.items()]
    known = [cost for cost in costs if cost is not None]
    return round(sum(known), 6) if len(known) == len(costs) else None


@dataclass(frozen=True, slots=True)
class PriceList:
    """What every region charges."""

    providers: Mapping[str, str] = field(default_factory=dict)  #: of each region: its kind
    rates: Mapping[str, Rates] = field(default_factory=dict)  #: of those that have their own
    default: str = "azure"  #: what a region is that is not named

    @classmethod
    def of(cls, targets: Iterable[Target]) -> Self:
        """The prices of configured regions."""
        named = list(targets)
        rates = {target.name: Rates.parse(target.price) for target in named if target.price}
        return cls({target.name: target.kind for target in named}, rates)

    @classmethod
    def recall(cls, saved: Mapping[str, Any], default: str = "azure") -> Self:
        """The prices that a checkpoint was written with."""
        named = saved.get("prices") or {}  # earlier ones have none
        rates = {name: Rates.parse(text) for name, text in named.items()}
        return cls(saved.get("providers") or {}, rates, default)

    def load(self) -> None:
        """Load the list where it is needed: that takes too long while answers come in.

        It loads parts of itself with the first question, when there may be no descriptor left.
        """
        if set(self.providers) - set(self.rates):
            price("gpt-4o-mini", Usage("gpt-4o-mini", 1, 1))

    def regions(self, usages: Mapping[str, RegionUsage]) -> dict[str, float | None]:
        """The cost of every region, by name; None where a model has no known price."""
        return {
            name: cost_usd(use, self._provider(name), self.rates.get(name))
            for name, use in usages.items()
        }

    def known(self, usages: Mapping[str, RegionUsage]) -> float:
        """The cost of all answers whose models have a known price, without rounding."""
        return sum(
            _all(model, tokens, self._provider(name), self.rates.get(name)) or 0.0
            for name, usage in usages.items()
            for model, tokens in usage.models.items()
        )

    def models(self, region: str, usage: RegionUsage) -> dict[str, float | None]:
        """What each model cost in a region; None where it has no known price."""
        rates = self.rates.get(region)
        costs = {
            model: _all(model, tokens, self._provider(region), rates)
            for model, tokens in usage.models.items()
        }
        return {name: None if cost is None else round(cost, 6) for name, cost in costs.items()}

    def answer(self, region: str, model: str, usage: Usage) -> float | None:
        """The cost of one answer of a region; None where the model has no known price."""
        if (rates := self.rates.get(region)) is not None:
            return rates.cost(usage)
        return price(model, usage, self._provider(region))

    def result(self, result: Result) -> float | None:
        """What a job cost as far as that is known: its answer, and those that were not taken.

        None where a model has no known price, and where nothing was sent.
        """
        if not result.attempts:
            return None
        total = 0.0
        if (usage := result.usage) is not None:
            cost = self.answer(result.attempts[-1].region, usage.model, usage)
            if cost is None:
                return None
            total = cost
        for attempt in result.attempts:
            if (usage := attempt.usage) is not None:
                cost = self.answer(attempt.region, usage.model, usage)
                if cost is None:
                    return None
                total += cost
        return total

    def _provider(self, region: str) -> str:
        return self.providers.get(region, self.default)


class _Listed(NamedTuple):
    """What the list says of a model: the rates of prompts up to so long, where they are fixed."""

    is_known: bool
    short: Rates | None
    all: Rates | None

    def rates(self, prompt: float) -> Rates | None:
        """Those of a prompt of so many tokens; None where they differ between such prompts."""
        return self.short if prompt <= SHORT else self.all


def price(model: str, usage: Usage, provider: str = "openai") -> float | None:
    """The cost of one answer by the list; None where the model has no known price."""
    listed = _listed(model, provider)
    if not listed.is_known:
        return None
    if (rates := listed.rates(usage.prompt)) is None:
        return _cost(model, Tokens(1, usage.prompt, usage.completion, usage.cached), provider)
    return round(rates.cost(usage), 12)


def _all(model: str, tokens: Tokens, provider: str, rates: Rates | None) -> float | None:
    """The cost of all answers of a model."""
    if rates is None:
        listed = _listed(model, provider)
        if not listed.is_known:
            return None if tokens.answers else 0.0
        rates = listed.rates(tokens.prompt / max(1, tokens.answers))
    if rates is None:
        return _cost(model, tokens, provider)
    return rates.cost(Usage(model, tokens.prompt, tokens.completion, tokens.cached))


@lru_cache(maxsize=1024)
def _listed(model: str, provider: str) -> _Listed:
    """Look a model up, once: a look costs as much as all the rest of a line."""
    one, short, long = (_rates_of(model, provider, many) for many in (1, SHORT, MANY))
    is_known = _cost(model, Tokens(1, 1, 1), provider) is not None
    fixed = one if one == short else None
    return _Listed(is_known, fixed, fixed if short == long else None)


def _rates_of(model: str, provider: str, many: int) -> Rates | None:
    """What a token of so long a prompt, and of as long an answer, costs; None: not known."""
    fresh, cached, both = (
        _rate(model, provider, many, *kinds) for kinds in ((0, 0), (0, 1), (1, 0))
    )
    if fresh is None or cached is None or both is None:
        return None
    return Rates(fresh, cached, round(both - fresh, 15))


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
