"""Advice about ``max_tokens``: what was allowed, and what answers used. Pure.

The services charge a request with its prompt and *all* of ``max_tokens`` when they let it in, and
give nothing back within the minute; so a limit of tokens is used up by what answers might have
been, not by what they are.
"""

import math
from collections.abc import Iterator

from ..histogram import Histogram
from ..stats import Tokens
from . import wording
from .finding import ENOUGH, Finding
from .material import Material
from .spans import peak_use

NEARLY_ALL = 0.999  #: of the answers must fit; more would let one that ran on for ever decide
MARGIN = 1.25  #: above those: answers of tomorrow may be somewhat longer
LEAST = 16  #: tokens; less is refused by some endpoints
FAR_ABOVE = 2.0  #: times the suggestion; less would free little and risks cut answers
CUT = 0.02  #: share of answers that used all they were allowed, above which it is no accident
FULL = 0.7  #: share of a limit in use, from which on it may hold a run up


def of_models(material: Material) -> Iterator[Finding]:
    """What should change in the ``max_tokens`` of each model."""
    ranked = sorted(material.caps.by_model.items(), key=lambda item: -item[1].total())
    for model, caps in ranked:
        tokens = answers_of(material, model)
        if tokens.lengths.count >= ENOUGH and caps:
            cap = sum(value * count for value, count in caps.items()) / caps.total()
            yield from _too_much(material, model, tokens, cap)
            if len(caps) == 1:
                yield from _too_little(model, tokens.lengths, round(cap))


def answers_of(material: Material, model: str) -> Tokens:
    """Tokens of a model in all regions together."""
    total = Tokens()
    for usage in material.stats.regions.values():
        if (part := usage.models.get(model)) is not None:
            total.answers += part.answers
            total.prompt += part.prompt
            total.completion += part.completion
            total.lengths.bins.update(part.lengths.bins)
    return total


def suggested(longest: float) -> int:
    """A round number somewhat above what the longest answers use."""
    wanted = max(LEAST, longest * MARGIN)
    step: int = 10 ** max(1, math.floor(math.log10(wanted)) - 1)
    return math.ceil(wanted / step) * step


def _too_much(material: Material, model: str, tokens: Tokens, cap: float) -> Iterator[Finding]:
    p99, longest = (tokens.lengths.quantile(share) or 0.0 for share in (0.99, NEARLY_ALL))
    better = suggested(longest)
    if cap < FAR_ABOVE * better:
        return
    prompt = tokens.prompt / max(1, tokens.answers)
    gain = (prompt + cap) / (prompt + better)
    shown = wording.name(model)
    felt = (
        "Tokens held this run up"
        if held_up_by_tokens(material, prompt + cap)
        else "Tokens did not hold this run up; where they do, that many more jobs fit"
    )
    beyond = sum(count for low, _, count in tokens.lengths.steps() if low >= better)
    cut = f" {wording.count(beyond, 'answer')} would have been cut." if beyond else ""
    yield Finding(
        "max_tokens",
        f"max_tokens of {shown} is far above what its answers use",
        f"Answers were allowed {cap:,.0f} tokens; 99 of 100 used at most about {p99:,.0f}, and "
        f"999 of 1,000 at most about {longest:,.0f}. The "
        "services charge a limit with the prompt and all of max_tokens: "
        f"{prompt + cap:,.0f} for a job instead of {prompt + better:,.0f}. {felt}.",
        f"Set max_tokens to about {better:,}: a limit of tokens then lets through up to "
        f"{gain:.1f} times as many jobs a minute.{cut}",
        {
            "model": shown,
            "max_tokens": round(cap),
            "p99": p99,
            "longest": longest,
            "suggested": better,
            "cut": beyond,
            "gain": round(gain, 2),
        },
    )


def _too_little(model: str, lengths: Histogram, cap: int) -> Iterator[Finding]:
    full = sum(count for low, high, count in lengths.steps() if low <= cap < high)
    part = full / lengths.count
    if part < CUT:
        return
    shown = wording.name(model)
    yield Finding(
        "cut_answers",
        f"About {wording.share(part)} of the answers of {shown} were probably cut off",
        f"{wording.count(full, 'answer')} used about all of the {cap:,} tokens that were allowed.",
        "Raise max_tokens, or ask for shorter answers; finish_reason in the results (export "
        "--columns finish_reason) says which were cut.",
        {"model": shown, "max_tokens": cap, "answers": full, "share": round(part, 4)},
    )


def held_up_by_tokens(material: Material, charge: float) -> bool:
    """Whether some limit of tokens was reached by jobs that are charged so many each."""
    usages = material.stats.regions
    if any(usage.throttled["tokens"] for usage in usages.values()):
        return True
    return any(
        known.tpm is not None
        and (known.rpm is None or known.tpm < known.rpm * charge)  # else requests run out first
        and (peak_use(material.slices(name)) or 0.0) >= FULL
        for name, known in material.known.items()
    )
