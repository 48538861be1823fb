"""What holds a run up, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .forecast import Forecast, Share

FULL = 0.8  #: of a limit; what is used less does not hold anything up
Kind = Literal["requests", "tokens", "concurrency", "answers"]
WORDS = {"requests": "requests per minute", "tokens": "tokens per minute"}


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """The scarcest thing of a run."""

    kind: Kind
    use: float  #: the share of it that is taken
    region: str | None  #: None: all of them, or none in particular
    words: str


def bottleneck(forecast: Forecast, concurrency: int, azure: frozenset[str]) -> Bottleneck:
    """What to have more of; ``azure`` are the regions that are no fallback."""
    busy = {
        name: _axis(share)
        for name, share in forecast.regions.items()
        if share.jobs and (name in azure or not azure)
    }
    full = {name: axis for name, axis in busy.items() if axis[1] >= FULL}
    if full and (len(full) == len(busy) or forecast.slots_use < FULL):
        return _quota(full, is_every=len(full) == len(busy))
    if forecast.slots_use >= FULL:
        words = f"--concurrency {concurrency:,}: {forecast.slots_use:.0%} of the slots are taken"
        return Bottleneck("concurrency", forecast.slots_use, None, words)
    words = "the answers themselves: no limit is used up for long"
    return Bottleneck("answers", max([use for _, use in busy.values()], default=0.0), None, words)


def _axis(share: Share) -> tuple[Literal["requests", "tokens"], float]:
    """Which limit of a region is used more."""
    requests, tokens = share.requests_use or 0.0, share.tokens_use or 0.0
    return ("requests", requests) if requests >= tokens else ("tokens", tokens)


def _quota(
    full: Mapping[str, tuple[Literal["requests", "tokens"], float]], *, is_every: bool
) -> Bottleneck:
    kinds = {kind for kind, _ in full.values()}
    name, (kind, use) = max(full.items(), key=lambda one: one[1][1])
    least = min(use for _, use in full.values())
    if len(full) > 1 and len(kinds) == 1:
        who = "every region" if is_every else ", ".join(full)
        return Bottleneck(kind, least, None, f"{WORDS[kind]} of {who}: {least:.0%} used")
    if len(full) > 1:
        parts = ", ".join(f"{WORDS[k]} of {n}" for n, (k, _) in full.items())
        return Bottleneck(kind, least, None, f"{parts}: {least:.0%} used")
    return Bottleneck(kind, use, name, f"{WORDS[kind]} of {name}: {use:.0%} used")
