"""Numbers and states as people read them. Pure."""

from collections.abc import Iterable
from math import floor, inf, log10

from ..policy.region import RegionStatus
from ..stats import RegionUsage, Stats
from ..summary import Bounds


def duration(seconds: float | None) -> str:
    """``4.2s``, ``3m05s``, ``2h10m``; a dash where nothing is known."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"


def rough(seconds: float) -> str:
    """``42s``, ``3m05s``, ``2h10m``, ``3d04h``: whole seconds, for what is not known better."""
    if seconds < 59.5:
        return f"{round(seconds)}s"
    if seconds < 86_400:
        return duration(max(60.0, seconds))
    hours = round(seconds / 3600)
    return f"{hours // 24}d{hours % 24:02d}h"


def dollars(amount: float) -> str:
    """``0.0042``, ``4.12``, ``1,204``."""
    digits = 0 if amount >= 1000 else 2 if amount >= 1 or not amount else 4
    return f"{amount:,.{digits}f}"


def usd(amount: float, *, rough: bool = False) -> str:
    """``0.0042 USD``, ``4.12 USD``, ``1,204 USD``; two digits that count where it is ``rough``."""
    if not rough or not amount:
        return f"{dollars(amount)} USD"
    amount = float(f"{amount:.2g}")
    digits = 1 - floor(log10(amount)) if amount < 10 else 0
    return f"{amount:,.{digits}f} USD"


def bounds(given: Bounds) -> list[str]:
    """What will end the run early, and how near that is."""
    parts = []
    if given.max_cost < inf:
        parts.append(f"budget {dollars(given.cost_usd)} of {usd(given.max_cost)}")
    if given.max_tokens < inf:
        parts.append(f"{given.tokens:,.0f} of {given.max_tokens:,.0f} tokens")
    if given.ends_in is not None:
        parts.append(f"deadline in {rough(given.ends_in)}")
    return parts


def state(status: RegionStatus) -> str:
    """``open``, ``throttled 12.0s``, ``out``."""
    return f"{status.state} {duration(status.opens_in)}" if status.opens_in else status.state


def throttled(usage: RegionUsage) -> int:
    """How often the region said 429."""
    return usage.throttled.total()


def errors(usage: RegionUsage) -> str:
    """``3 http_503, 1 timeout``; nothing where there were none."""
    return ", ".join(f"{n:,} {outcome}" for outcome, n in usage.errors.most_common() if n)


def reused(count: int, total: int) -> list[str]:
    """For how many jobs nothing was sent, where there are any."""
    return [f"{count:,} of {total:,} taken from the same request, answered before"] * bool(count)


def spent(stats: Stats, costs: Iterable[float | None]) -> list[str]:
    """What the answers used and cost, where there are any; regions without a price left out."""
    tokens = [usage.tokens for usage in stats.regions.values()]
    prompt = sum(one.prompt for one in tokens)
    answers = sum(one.completion for one in tokens)
    if not prompt + answers:
        return []
    cached = sum(one.cached for one in tokens)
    known = list(costs)
    amounts = [cost for cost in known if cost is not None]
    money = f"cost {usd(sum(amounts))}" if amounts else "cost unknown: no price is known"
    if amounts and len(amounts) < len(known):
        money += ", without regions of which no price is known"
    return [f"{prompt:,} tokens of prompts ({cached:,} cached), {answers:,} of answers; {money}"]
