"""What tokens cost, by the price list of genai-prices. No network."""

from collections.abc import Mapping

from .model import Usage
from .stats import RegionUsage, Tokens


def cost_usd(usage: RegionUsage, provider: str) -> float | None:
    """The cost of a region's answers in US dollars; None where a model has no known price.

    Prices can depend on the length of a prompt, so it is the price of the mean answer, times
    their number. ``provider`` is ``azure`` or ``openai``.
    """
    costs = [_cost(model, tokens, provider) for model, tokens in usage.models.items()]
    known = [cost for cost in costs if cost is not None]
    return round(sum(known), 6) if len(known) == len(costs) else None


def costs_usd(
    regions: Mapping[str, RegionUsage], providers: Mapping[str, str]
) -> dict[str, float | None]:
    """The cost of every region, by name."""
    return {name: cost_usd(usage, providers.get(name, "azure")) for name, usage in regions.items()}


def price(model: str, usage: Usage, provider: str = "openai") -> float | None:
    """The cost of one answer; None where the model has no known price."""
    return _cost(model, Tokens(1, usage.prompt, usage.completion, usage.cached), provider)


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
