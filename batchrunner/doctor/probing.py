"""The tiny calls: all regions at once, each by itself, through what a run sends its jobs with.

Everything is prepared before the first call, so that a region's time is its own. One region has
``settings.timeout`` seconds for all of its calls together; the others do not wait for it.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

import anyio

from ..config import Settings
from ..fleet import open_wire, usable
from ..model import CHAT, Fault, FaultKind
from . import asking
from .asking import MOST_CALLS
from .examination import Call, Examination, examination, unasked
from .place import ANY, PLAIN, Names, Place

if TYPE_CHECKING:
    from ..wire import Wire  # it takes half a second, and only a call needs it


def places(
    settings: Settings,
    model: str | None = None,
    path: str = CHAT,
    names: Mapping[str, Names] | None = None,
) -> list[Place]:
    """Every region that a run may use; ``names`` are what the settings of each are called.

    ``model`` is what to ask for, by default that of the settings; a region whose deployment has
    a name is asked for that.
    """
    known = names or {}
    return [
        Place(
            target,
            model or settings.model,
            path,
            settings.timeout,
            known.get(target.name, PLAIN if target.is_fallback else ANY),
        )
        for target in usable(settings)
    ]


async def examine(
    settings: Settings,
    model: str | None = None,
    path: str = CHAT,
    names: Mapping[str, Names] | None = None,
) -> list[Examination]:
    """Ask every region for next to nothing, all at once; at most three calls to each.

    It takes hardly longer than ``settings.timeout`` seconds. The arguments are those of
    ``places``; the regions come in their order. Nothing is raised for a region that fails.
    """
    regions = places(settings, model, path, names)
    async with open_wire(settings) as wire:
        return await probe_all(wire, regions)


async def probe_all(wire: "Wire", regions: list[Place]) -> list[Examination]:
    """The same over connections that are there already."""
    found: dict[str, Examination] = {}

    async def ask(place: Place) -> None:
        found[place.target.name] = await probe(wire, place)

    for place in regions:
        if place.target.auth == "key" and place.called is not None:  # a token may take its time
            await wire.prepare(place.target.name, asking.first(place.path).job(place.called))
    async with anyio.create_task_group() as group:
        for place in regions:
            group.start_soon(ask, place)
    return [found[place.target.name] for place in regions]


async def probe(wire: "Wire", place: Place) -> Examination:
    """Ask one region, within ``place.timeout`` seconds for all of its calls."""
    if place.called is None:
        return unasked(place)
    clock = asyncio.get_running_loop().time
    ask, sent = asking.first(place.path), clock()
    calls: list[Call] = []
    if (fault := await wire.prepare(place.target.name, ask.job(place.called))) is not None:
        return examination(place, [Call(ask, fault, clock() - sent)])
    try:
        async with asyncio.timeout(place.timeout):
            while len(calls) < MOST_CALLS:
                sent = clock()
                outcome = await wire.send(place.target.name, ask.job(place.called))
                calls.append(Call(ask, outcome, clock() - sent))
                if (simpler := asking.instead(ask, outcome)) is None:
                    break
                ask = simpler
    except TimeoutError:
        calls.append(Call(ask, Fault(FaultKind.TIMEOUT, ""), clock() - sent))
    return examination(place, calls)
