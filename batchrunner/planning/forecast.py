"""From a rehearsal to the whole run.

Theory of operation. As many jobs as ``budget`` allows are rehearsed. Where that is not all of
them, and the quotas would let them pass in less than some minutes, which would show the bursts at
the beginning and nothing else, the world is made smaller: limits, concurrency and jobs are
divided by the same number, which leaves the time as it is. What then is left over is added at the
steady pace, counted over whole minutes, from one quiet moment to another:

    seconds = rehearsed + (jobs / factor - rehearsed jobs) / pace

so the beginning, the pace and the tail each count once.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import fmean

from ..fleet import usable
from ..model import Usage
from ..policy.ratelimit import MINUTE, SLICE
from ..prices import PriceList
from ..targets import Target
from .limits import limits_of
from .rehearsal import Rehearsed, World, rehearse
from .sample import Ask
from .service import Taken

LATE = 45.0  #: seconds into a minute, when its burst is over
SHORTEST = 1e-6
HORIZON = 300.0  #: seconds that a rehearsal should last, where it is not all of the run
SLOTS = 12  #: requests in flight that a smaller world keeps
FITTING = 12.0  #: jobs that each window of a smaller world still holds
DRAWN = 500  #: jobs that means are taken of
FEW = 2000  #: jobs that are rehearsed more than once
MOST = 4  #: times the budget, where a world cannot be made small enough


@dataclass(frozen=True, slots=True)
class Share:
    """What one region would do."""

    jobs: float
    prompt: float
    completion: float
    cost_usd: float | None  #: None where a model has no known price
    requests_use: float | None  #: share of its requests a minute; None where no limit is known
    tokens_use: float | None
    throttled: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """How a run would go."""

    seconds: float
    regions: Mapping[str, Share]
    slots_use: float  #: share of the concurrency that is taken
    rehearsed: int
    factor: float  #: how many times smaller the rehearsed world was
    too_large: float  #: jobs that fit into no region's limit
    left: float  #: jobs that no region serves

    @property
    def cost_usd(self) -> float | None:
        """Of all regions; None where a price is not known."""
        costs = [share.cost_usd for share in self.regions.values() if share.jobs]
        return None if None in costs else sum(cost for cost in costs if cost is not None)

    @property
    def tokens(self) -> tuple[float, float]:
        """Of all prompts, and of all answers."""
        shares = self.regions.values()
        return sum(s.prompt for s in shares), sum(s.completion for s in shares)


def forecast(
    world: World, asks: Sequence[Ask], jobs: int, budget: int, prices: PriceList
) -> Forecast:
    """How a run of ``jobs`` that are like ``asks`` would go, of which ``budget`` are rehearsed."""
    pace = _pace(world, asks)
    factor, count = _size(world, asks, jobs, budget, pace)
    gone = _usual(_smaller(world, factor, count / jobs), spread(asks, count))
    missing = max(0.0, jobs / factor - count)
    capped = world.settings.fallback_max_cost is not None
    seconds = gone.seconds
    if missing and capped and not world.settings.no_fallback:
        seconds *= jobs / factor / count  # it has two paces, one after the other
    elif missing:
        seconds += missing / max(_steady(gone), SHORTEST)
    return _grown(world, gone, seconds, jobs / count, count, factor, prices)


def _usual(world: World, asks: Sequence[Ask]) -> Rehearsed:
    """A rehearsal; of a short one the median of three, for it may just miss a last window."""
    if len(asks) > FEW:
        return rehearse(world, asks)
    tried = [rehearse(replace(world, seed=world.seed + n), asks) for n in range(3)]
    return sorted(tried, key=lambda gone: gone.seconds)[1]


def spread(asks: Sequence[Ask], count: int) -> list[Ask]:
    """So many of them in their order, one of each stretch; more than there are come in turn."""
    if count >= len(asks):
        return [asks[i % len(asks)] for i in range(count)]
    rng, stretch = Random(0), len(asks) / count  # noqa: S311 - it repeats itself
    return [asks[int((i + rng.random()) * stretch)] for i in range(count)]


def _pace(world: World, asks: Sequence[Ask]) -> float:
    """Jobs a second that limits and concurrency should allow, by dividing and adding up."""
    return min(_by_quotas(world, asks), _by_slots(world, asks))


def _by_quotas(world: World, asks: Sequence[Ask]) -> float:
    charge = fmean(_charge(world, ask) for ask in spread(asks, DRAWN))
    total, seen = 0.0, set()
    for target in usable(world.settings):
        group = target.quota_group or f"\0{target.name}"
        if group not in seen and not world.known[target.name].problem:
            seen.add(group)
            rpm, tpm = limits_of(target, world.known[target.name])
            total += min(rpm, tpm / max(1.0, charge)) / MINUTE
    return total


def _by_slots(world: World, asks: Sequence[Ask]) -> float:
    rng = Random(world.seed)  # noqa: S311 - it repeats itself
    takes = [
        known.latency.seconds(rng, ask.model, ask.prompt, world.lengths.length(rng, ask))
        for ask in spread(asks, DRAWN)
        for known in (world.known[target.name] for target in usable(world.settings))
    ]
    return world.settings.concurrency / max(1e-6, fmean(takes))


def _charge(world: World, ask: Ask) -> float:
    answer = world.lengths.typical if ask.cap is None else ask.cap
    return ask.prompt * world.lengths.prompts + answer


def _size(
    world: World, asks: Sequence[Ask], jobs: int, budget: int, pace: float
) -> tuple[float, int]:
    """How many times smaller the world is made, and how many jobs are rehearsed in it.

    Where a little more than the budget is all of it, it is all of it: windows come whole.
    """
    if jobs <= budget:
        return 1.0, jobs
    factor, count = _partly(world, asks, jobs, budget, pace)
    whole = math.ceil(jobs / factor)
    return factor, whole if whole <= 2 * budget else count


def _partly(
    world: World, asks: Sequence[Ask], jobs: int, budget: int, pace: float
) -> tuple[float, int]:
    """The same where not all of them are rehearsed."""
    wanted = pace * HORIZON
    is_slow = _by_slots(world, asks) < 0.7 * _by_quotas(world, asks)
    if wanted <= budget or is_slow:
        return 1.0, budget
    slots = world.settings.concurrency
    most = min(slots / SLOTS, _finest(world, asks), jobs / budget)
    kept = max(1, round(slots / max(1.0, min(wanted / budget, most))))
    factor = slots / kept  # whole slots, so that none is rounded away
    enough = min(MOST * budget, math.ceil(wanted / factor))
    return factor, min(max(budget, enough), math.ceil(jobs / factor))


def _finest(world: World, asks: Sequence[Ask]) -> float:
    """How many times smaller every window can be and still hold some jobs."""
    charge = fmean(_charge(world, ask) for ask in spread(asks, DRAWN))
    found = []
    for target in usable(world.settings):
        rpm, tpm = limits_of(target, world.known[target.name])
        found += [rpm / FITTING, tpm / max(1.0, charge) / FITTING]
    return max(1.0, min(found, default=1.0))


def _smaller(world: World, factor: float, part: float) -> World:
    """The same world, so many times smaller; of money only ``part`` is there."""
    settings = world.settings
    targets = tuple(_smaller_target(target, factor) for target in settings.targets)
    cost = settings.fallback_max_cost
    changed = {
        "targets": targets,
        "concurrency": max(1, round(settings.concurrency / factor)),
        "fallback_max_cost": None if cost is None else cost * part,
    }
    known = {name: one.over(factor) for name, one in world.known.items()}
    return replace(world, settings=settings.model_copy(update=changed), known=known)


def _smaller_target(target: Target, factor: float) -> Target:
    slots = target.concurrency
    return target.model_copy(
        update={
            "rpm": None if target.rpm is None else target.rpm / factor,
            "tpm": None if target.tpm is None else target.tpm / factor,
            "concurrency": None if slots is None else max(1, round(slots / factor)),
        }
    )


def _steady(gone: Rehearsed) -> float:
    """Jobs a second between the beginning and the tail.

    Bursts come at the beginning of a minute: between two late moments there are whole ones.
    """
    done, minutes = gone.done, int((gone.fed - LATE) // MINUTE)
    if minutes >= 1:
        upto = LATE + minutes * MINUTE
        return (bisect_right(done, upto) - bisect_right(done, LATE)) / (minutes * MINUTE)
    last = bisect_right(done, gone.fed)
    first = last // 4
    if last - first < 2 or done[last - 1] <= done[first]:
        return len(done) / max(gone.seconds, SHORTEST)
    return (last - 1 - first) / (done[last - 1] - done[first])


def _grown(  # noqa: PLR0913, PLR0917 - all that is known
    world: World,
    gone: Rehearsed,
    seconds: float,
    times: float,
    count: int,
    factor: float,
    prices: PriceList,
) -> Forecast:
    """The rehearsal, as large as the run."""
    settings = world.settings
    shares = {
        target.name: _share(target, world, gone, times, factor, prices)
        for target in usable(settings)
    }
    slots = settings.concurrency / factor
    span = gone.fed if count > slots else gone.seconds  # all at once: none waits for a slot
    busy = sum(taken.busy for taken in gone.regions.values())
    return Forecast(
        seconds=seconds,
        regions=shares,
        slots_use=min(1.0, busy / (slots * max(span, 1e-6))) if span else 0.0,
        rehearsed=count,
        factor=factor,
        too_large=gone.too_large * times,
        left=gone.left * times,
    )


def _share(  # noqa: PLR0913, PLR0917 - all that is known
    target: Target, world: World, gone: Rehearsed, times: float, factor: float, prices: PriceList
) -> Share:
    taken, shared = gone.regions[target.name], _sharing(target, world)
    pool = [gone.regions[one.name] for one in shared]
    limits = [limits_of(one, world.known[one.name]) for one in shared]
    rpm, tpm = (min(one) for one in zip(*limits, strict=True))
    return Share(
        jobs=taken.jobs * times,
        prompt=taken.prompt * times,
        completion=taken.completion * times,
        cost_usd=_cost(target.name, taken, times, prices),
        requests_use=_use(
            sum(t.calls - t.throttled for t in pool),
            rpm / factor,
            gone.sent + (SLICE if rpm >= MINUTE else MINUTE),
        ),
        tokens_use=_use(sum(t.charged for t in pool), tpm / factor, gone.sent + MINUTE),
        throttled=taken.throttled * times,
    )


def _sharing(target: Target, world: World) -> list[Target]:
    """The regions that take of the same quota, itself among them."""
    group = target.quota_group
    return [t for t in usable(world.settings) if t is target or (group and t.quota_group == group)]


def _use(taken: float, per_minute: float, seconds: float) -> float | None:
    """The share that was taken of what a limit lets pass in so long."""
    if math.isinf(per_minute):
        return None
    return min(1.0, taken / (per_minute / MINUTE * seconds))


def _cost(region: str, taken: Taken, times: float, prices: PriceList) -> float | None:
    total = 0.0
    for model, (jobs, prompt, completion) in taken.models.items():
        mean = Usage(model, round(prompt / jobs), round(completion / jobs))
        cost = prices.answer(region, model, mean)
        if cost is None:
            return None
        total += cost * jobs * times
    return total
