"""What could be different: other worlds to rehearse."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ..fleet import usable
from .rehearsal import World
from .sample import Ask

NICE = 16  #: a proposed ``max_tokens`` is a multiple of this
MOST = 0.9  #: of the present one, at most: less of a change is not worth saying


@dataclass(frozen=True, slots=True)
class Change:
    """Another world, and in words what is different in it."""

    words: str
    world: World
    cap: int | None = None  #: no job may have a longer answer than this
    is_halved: bool = False  #: whether every answer may be half as long

    def of(self, ask: Ask) -> Ask:
        """The job, as it would be then."""
        if ask.cap is None:
            return ask
        cap = ask.cap if self.cap is None else min(ask.cap, self.cap)
        cap = max(1, cap // 2) if self.is_halved else cap
        return Ask(ask.path, ask.model, ask.size, ask.prompt, cap)


def changes(world: World, caps: Mapping[int | None, int], jobs: int) -> Iterator[Change]:
    """Whatever might be worth doing; ``caps`` says how many jobs allow how long an answer."""
    settings = world.settings
    largest = _largest(world)
    if largest is not None:
        yield Change(f"one more region like {largest}", _one_more(world, largest))
    yield from _shorter(world, caps)
    if any(target.is_fallback for target in settings.targets):
        used = not settings.no_fallback
        if used and len(usable(settings)) > 1:
            yield Change("without OpenAI (--no-fallback)", _with(world, no_fallback=True))
        elif not used:
            yield Change(_named_fallback(world), _with(world, no_fallback=False))
    if settings.concurrency < jobs:
        double = settings.concurrency * 2
        yield Change(f"--concurrency {double:,}", _with(world, concurrency=double))


def _named_fallback(world: World) -> str:
    """A fallback without limits answers everything at once, which nobody should count on."""
    target = next(target for target in world.settings.targets if target.is_fallback)
    known = world.known[target.name]
    if target.rpm or target.tpm or known.rpm or known.tpm:
        return "with OpenAI as the fallback"
    return "with OpenAI, if it had no limits"


def _with(world: World, **changed: object) -> World:
    return replace(world, settings=world.settings.model_copy(update=changed))


def _largest(world: World) -> str | None:
    """The region of Azure that takes most, as far as limits are known."""
    able = [
        (known.tpm or 0.0, known.rpm or 0.0, target.tpm or 0.0, target.rpm or 0.0, target.name)
        for target in usable(world.settings)
        if not target.is_fallback and not (known := world.known[target.name]).problem
    ]
    return max(able)[-1] if able else None


def _one_more(world: World, like: str) -> World:
    settings = world.settings
    model = next(target for target in settings.targets if target.name == like)
    name = f"{like}+"
    twin = model.model_copy(update={"name": name, "quota_group": None})
    at = settings.targets.index(model) + 1
    targets = (*settings.targets[:at], twin, *settings.targets[at:])
    return replace(_with(world, targets=targets), known={**world.known, name: world.known[like]})


def _shorter(world: World, caps: Mapping[int | None, int]) -> Iterator[Change]:
    """What nearly all answers of an earlier run kept to; else half of what jobs allow."""
    given = [cap for cap in caps if cap]  # embeddings have no answer to be shortened
    if not given:
        return
    most, upto = max(given), "up to " if len(given) > 1 else ""
    seen = world.lengths.quantile(0.99)
    if seen is None:
        half = f"max_tokens {most // 2:,} instead of {most:,}"
        yield Change("max_tokens halved" if upto else half, world, is_halved=True)
        return
    cap = max(NICE, -(-round(seen) // NICE) * NICE)
    if cap <= MOST * most:
        yield Change(f"max_tokens {cap:,} instead of {upto}{most:,}", world, cap)
