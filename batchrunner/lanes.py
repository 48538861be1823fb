"""Those who wait for a region, and where they stand."""

import asyncio
from dataclasses import dataclass

from .model import Job
from .policy.lease import Lease

Lane = tuple[str, frozenset[str], bool]  #: the model, what to avoid, whether they stepped aside


@dataclass(slots=True, eq=False)
class Waiter:
    """Who waits for a region, until one is granted or will not be."""

    job: Job
    lane: Lane
    since: float
    granted: asyncio.Future[Lease | None]
    overtaken: int = 0


def grant(waiter: Waiter, lease: Lease | None) -> None:
    """Wake who waits; one that was cancelled meanwhile is let be."""
    if not waiter.granted.done():
        waiter.granted.set_result(lease)


def ordinal(waiter: Waiter) -> int:
    """Whose turn it is in a lane: the lowest comes first."""
    return waiter.job.ordinal


def first_ordinal(lane: tuple[Lane, list[Waiter]]) -> int:
    """Whose turn it is among lanes."""
    return lane[1][0].job.ordinal
