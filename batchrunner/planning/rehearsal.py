"""A run on a clock that jumps: the real pool, router, caller and workers, against a model."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from .. import runner
from ..caller import Caller
from ..config import Settings
from ..fleet import make_router, usable
from ..hedge import Hedge
from ..model import Job, Result
from ..policy.retry import Retry
from ..pool import RegionPool
from . import clock
from .lengths import Lengths
from .limits import Known
from .sample import Ask
from .service import Service, Taken


@dataclass(frozen=True, slots=True)
class World:
    """What is rehearsed."""

    settings: Settings
    known: Mapping[str, Known]  #: of every region that may be used
    lengths: Lengths
    is_counted: bool = False  #: whether the run knows the tokens of prompts
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """How it went."""

    seconds: float
    fed: float  #: when the last job was pulled
    sent: float  #: when the last job was let through
    done: Sequence[float]  #: when each answer came, in order
    regions: Mapping[str, Taken]
    too_large: int  #: jobs that fit into no region's limit
    left: int  #: jobs that no region serves


def rehearse(world: World, asks: Sequence[Ask]) -> Rehearsed:
    """Answer every one of ``asks``; takes about 0.1 ms for each, and sends nothing."""
    return clock.run(_rehearse(world, asks))


#: a plan goes to the end, and says what would end the run before
UNBOUNDED = {"max_cost": None, "max_tokens_total": None}


async def _rehearse(world: World, asks: Sequence[Ask]) -> Rehearsed:
    settings, rng = world.settings, Random(world.seed)  # noqa: S311 - it repeats itself
    targets = {target.name: target for target in usable(settings)}
    service = Service(targets, world.known, asks, world.lengths, rng)
    pool = RegionPool(make_router(settings.model_copy(update=UNBOUNDED)))
    caller = Caller(
        pool,
        service.send,
        Retry(settings.max_attempts),
        rng,
        hedge=Hedge() if settings.hedge else None,
    )
    now, fed = asyncio.get_running_loop().time, [0.0]
    failed, left = [], 0

    async def report(result: Result | None) -> None:
        nonlocal left
        if result is None:
            left += 1
        elif result.failure is not None:
            failed.append(result.failure.code)

    def ran_out() -> None:
        fed[0] = fed[0] or now()
        pool.hurry()

    workers = min(settings.concurrency, len(asks))
    await runner.run(_jobs(world, asks), caller.call, report, workers, ran_out)
    return Rehearsed(
        now(),
        fed[0],
        service.sent,
        sorted(service.done),
        service.taken,
        failed.count("too_large"),
        left,
    )


async def _jobs(world: World, asks: Sequence[Ask]) -> AsyncIterator[Job]:
    """Jobs as large as those of the input; what they say is left out."""
    for ordinal, ask in enumerate(asks):
        tokens = round(ask.prompt * world.lengths.prompts) if world.is_counted else None
        body = bytes(ask.size)
        yield Job(ordinal, "", "", ask.path, ask.model, body, ask.cap, tokens)
