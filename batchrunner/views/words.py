"""Numbers and states as people read them. Pure."""

from collections.abc import Iterable

from ..policy.region import RegionStatus
from ..stats import RegionUsage, Stats
from ..summary import Progress
from ..terminal import printable


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


def state(status: RegionStatus) -> str:
    """``open``, ``throttled 12.0s``, ``out``."""
    return f"{status.state} {duration(status.opens_in)}" if status.opens_in else status.state


def throttled(usage: RegionUsage) -> int:
    """How often the region said 429."""
    return usage.throttled.total()


def errors(usage: RegionUsage) -> str:
    """``3 http_503, 1 timeout``; a zero where there were none."""
    return ", ".join(f"{n} {outcome}" for outcome, n in usage.errors.most_common()) or "0"


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


def usd(amount: float) -> str:
    """``12.34 USD``; small amounts with as many digits as say something."""
    return f"{amount:,.2f} USD" if amount >= 10 else f"{amount:.4g} USD"


def line(progress: Progress) -> str:
    """A run at one moment, on one line."""
    parts = [
        f"{progress.done:,}/{progress.total:,} jobs",
        f"{progress.stats.failed:,} failed",
        f"{progress.rate:.1f}/s",
        f"ETA {duration(progress.remaining_s)}",
    ]
    usages = progress.stats.regions
    parts += [
        f"{s.name} {state(s)} {s.in_flight} in flight"
        f" {usages[s.name].ok if s.name in usages else 0} ok"
        for s in progress.regions
    ]
    return printable(" | ".join([*parts, progress.note] if progress.note else parts))
