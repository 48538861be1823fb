"""What a plan takes for granted, what it warns of, and what would stop the run."""

import math

from ..config import Settings
from ..fleet import usable
from ..targets import Target
from .forecast import Forecast
from .lengths import ASSUMED, PROMPTS, TYPICAL
from .limits import Known, limits_of
from .rehearsal import World
from .sample import Sample


def limits(target: Target, known: Known) -> tuple[float | None, float | None]:
    """Requests and tokens a minute; None where they are not known."""
    rpm, tpm = limits_of(target, known)
    return None if math.isinf(rpm) else rpm, None if math.isinf(tpm) else tpm


def unlimited(world: World) -> list[str]:
    """Regions of which no limit is known."""
    return [
        target.name
        for target in usable(world.settings)
        if limits(target, known := world.known[target.name]) == (None, None) and not known.problem
    ]


def assumptions(world: World, sample: Sample, base: Forecast) -> list[str]:
    """What the numbers rest on, a sentence each."""
    return [*_input(sample), *_tokens(world, sample), _latency(world), *_rehearsal(sample, base)]


def _input(sample: Sample) -> list[str]:
    if sample.is_whole:
        return []
    found = (
        f"input: all {sample.lines:,} {sample.noun}s were counted and {sample.parsed:,} of them, "
        "from all over the file, parsed; the others may be no jobs: run looks at all of them"
    )
    return [found]


def _tokens(world: World, sample: Sample) -> list[str]:
    low, high = PROMPTS[world.lengths.found]
    how = {
        "estimated": "a token for every four bytes of text; --count-tokens counts them",
        "earlier run": "as the services counted those of the earlier run",
        "counted": "counted; pictures and tools are not in it",
    }[world.lengths.found]
    off = "" if low == high else f" ({low - 1:+.0%} to {high - 1:+.0%})"
    found = [f"prompts: {how}{off}"]
    if all(ask.cap == 0 for ask in sample.asks):  # embeddings
        return found
    if world.lengths.is_seen:
        found.append("answers: as long as those of the earlier run (-10% to +10%)")
    else:
        short, long = (round(TYPICAL * end, -1) for end in ASSUMED)
        found.append(
            f"answers: about {TYPICAL:.0f} tokens ({short:.0f} to {long:.0f}), never more than "
            "max_tokens; --like OUTPUT takes them from an earlier run"
        )
    if sample.caps[None]:
        found.append("max_tokens is not set everywhere: what services charge then is a guess")
    return found


def _latency(world: World) -> str:
    known = [world.known[target.name].latency for target in usable(world.settings)]
    if all(latency.is_measured for latency in known):
        return "latency: as in the earlier run"
    if any(latency.is_measured for latency in known):
        return "latency: as in the earlier run where a region was used, else 0.6 s and 60 tokens/s"
    if any(latency.factor != 1.0 for latency in known):
        return "latency: of the probe, in proportion to 0.6 s and then 30 to 100 tokens a second"
    return "latency: assumed, 0.6 s and then 30 to 100 tokens a second, as people measured"


def _rehearsal(sample: Sample, base: Forecast) -> list[str]:
    if base.rehearsed >= sample.jobs:
        return ["time: every job was rehearsed; no region fails, nobody else uses the quotas"]
    smaller = f" in a world {base.factor:.3g} times smaller" if base.factor > 1.01 else ""
    found = (
        f"time: {base.rehearsed:,} jobs were rehearsed{smaller}, the rest follows at their pace; "
        "no region fails, nobody else uses the quotas"
    )
    return [found]


def warnings(world: World, base: Forecast, unknown: list[str]) -> list[str]:
    """What is wrong, or may be."""
    found = []
    if unknown:
        found.append(
            f"no limit is known of {', '.join(unknown)}, so the time is a lower bound: set "
            "AZURE_OPENAI_RPM_n and AZURE_OPENAI_TPM_n (OPENAI_RPM, OPENAI_TPM), or use --probe "
            "or --like"
        )
    found += [
        f"{name} is left out: {known.problem}"
        for name, known in world.known.items()
        if known.problem
    ]
    if base.too_large >= 1:
        found.append(
            f"{base.too_large:,.0f} jobs are larger than the limit of every region and would "
            "fail: shorten them or their max_tokens"
        )
    if base.left >= 1:
        found.append(f"{base.left:,.0f} jobs would be left over: no region serves them")
    if base.cost_usd is None:
        found.append("the price of a model is not known: the cost cannot be told")
    return found


def _usd(cost: float) -> str:
    return f"{cost:,.2f}" if cost >= 1 else f"{cost:.2g}"


def stops(
    settings: Settings,
    expected: tuple[float | None, float],
    seconds: float | None,
    until: float | None,
) -> list[str]:
    """Which of the limits that were set would end the run early."""
    cost, tokens = expected
    found = []
    if settings.max_cost is not None and cost is not None and cost > settings.max_cost:
        found.append(f"--max-cost {settings.max_cost:g} would stop it: {_usd(cost)} USD expected")
    most = settings.max_tokens_total
    if most is not None and tokens > most:
        found.append(f"--max-tokens-total {most:,} would stop it: {tokens:,.0f} expected")
    if until is not None and seconds is not None and seconds > until:
        found.append(
            f"--deadline {settings.deadline} would stop it: {seconds - until:,.0f} s are missing"
        )
    return found
