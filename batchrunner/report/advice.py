"""What to change, as far as the figures of a run say. Pure.

Every threshold has its reason beside it. A finding that nobody would act on is worse than none:
a small run, or one in which all went well, gets none.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from ..targets import OPENAI
from . import allowance, regions, wording
from .finding import ENOUGH, MUCH, Finding
from .material import Material
from .remedies import NO_FAULT, OTHERWISE, REMEDIES, THROTTLES
from .spans import mean_use, total

SLOTS = 0.9  #: share of the concurrency in use on average, above which it is the bottleneck
MOST = 1.05  #: times the concurrency, above which it cannot have been so low all the time
SPARE = 0.7  #: mean share of the limits in use, below which there is room for more requests
FEW = 3  #: findings of a kind; more of the same would bury the others
DEAR = 0.1  #: share of answers or money that went to the fallback, which is meant to be last
WASTED = 0.05  #: share of all calls; the first refusals are how limits are found


def advice(material: Material) -> list[Finding]:
    """What should change, what gains most first."""
    kinds = (
        regions.useless,
        allowance.of_models,
        _concurrency,
        regions.idle,
        regions.sick,
        regions.capacity,
        _fallback,
        _wasted,
        _versions,
    )
    return [finding for kind in kinds for finding in _few(list(kind(material)))]


def calm(material: Material) -> str:
    """What to say where there is nothing to change."""
    stats = material.stats
    if not stats.calls:
        return "Nothing was sent, so there is nothing to go by."
    if stats.failed > stats.ok:
        return "Most jobs failed: see why under Failed jobs."
    if stats.answers < ENOUGH:
        return "There is too little to go by."
    if material.stop is not None:
        return "Nothing stands out beside why it is not complete."
    return "Nothing stands out: the limits, the concurrency and the answers fit together."


def _few(found: list[Finding]) -> list[Finding]:
    """The first of a kind; how many more there are is said with the last of them."""
    if len(found) <= FEW:
        return found
    more = f"{found[FEW - 1].detail} {len(found) - FEW:,} more are like that: see the tables."
    return [*found[: FEW - 1], replace(found[FEW - 1], detail=more)]


def causes(material: Material) -> Counter[str]:
    """Calls that brought nothing, by cause: which limit, or which error."""
    found: Counter[str] = Counter()
    for usage in material.stats.regions.values():
        found.update(usage.throttled)
        found.update({name: n for name, n in usage.errors.items() if name != "refused"})
    return +found


def _concurrency(material: Material) -> Iterator[Finding]:
    """All slots were taken while the quotas had room."""
    limit = material.concurrency
    sums = [total(slices) for slices in material.timeline.regions.values()]
    watched = max((one.watched for one in sums), default=0.0)
    if not limit or not watched or material.total < 2 * limit:
        return
    busy = sum(one.in_flight for one in sums) / watched
    if not SLOTS * limit <= busy <= MOST * limit or any(map(_is_on_slots, material.steering)):
        return  # if more were in flight, or somebody changed it, an earlier limit was another
    uses = [_open_use(material, name) for name in material.regions]
    known = [use for use in uses if use is not None]
    use = sum(known) / len(known) if known else _unlimited_use(material)
    if use >= SPARE:
        return
    told = f"the limits were used to {wording.share(use)}" if known else "none was throttled"
    yield Finding(
        "concurrency",
        "The quotas had room, but all slots were taken",
        f"{busy:,.0f} of {limit:,} requests were in flight on average, while {told}.",
        f"Raise --concurrency: {_more(limit, use):,} would be a next step.",
        {
            "concurrency": limit,
            "in_flight": round(busy, 1),
            "use": round(use, 4) if known else None,
        },
    )


def _is_on_slots(change: tuple[float, str]) -> bool:
    return "concurrency" in change[1]


def _unlimited_use(material: Material) -> float:
    """Where no limit is known: all of it if some region throttled, else what invites a try."""
    is_throttled = any(use.throttled.total() for use in material.stats.regions.values())
    return 1.0 if is_throttled else 0.45


def _more(limit: int, use: float) -> int:
    """At most four times as many: beyond that the guess is worth nothing."""
    return round(limit * min(4.0, max(1.5, 0.9 / max(use, 0.01))))


def _open_use(material: Material, name: str) -> float | None:
    """The mean use of a region that gave answers; None for others."""
    return mean_use(material.limited(name)) if material.usage(name).ok else None


def _fallback(material: Material) -> Iterator[Finding]:
    """Plain OpenAI took much of the work or of the money."""
    taken, answers = material.usage(OPENAI).answers, material.stats.answers
    cost, all_cost = material.costs.get(OPENAI), material.cost_usd or 0.0
    if len(material.regions) < 2 or not taken or not answers:
        return
    part, paid = taken / answers, (cost or 0.0) / all_cost if all_cost else 0.0
    is_priced = None not in material.costs.values()
    of_all = f", which is {wording.share(paid)} of the cost" if is_priced else ""
    azure = [name for name in material.regions if name != OPENAI]
    away = all(_is_out(material, name) for name in azure)
    if max(part, paid) < DEAR:
        return
    yield Finding(
        "fallback",
        f"OpenAI gave {wording.share(part)} of the answers",
        f"{wording.count(taken, 'answer')}"
        + (f" for {wording.dollars(cost)}{of_all}." if cost is not None else "."),
        "Put the Azure regions right: all of them were left out."
        if away
        else "Ask for more Azure quota; or, where time matters less than money, bound it with "
        "--fallback-after, --fallback-max-share or --fallback-max-cost.",
        {
            "answers": taken,
            "share": round(part, 4),
            "cost_usd": None if cost is None else round(cost, 6),
        },
    )


def _is_out(material: Material, name: str) -> bool:
    known = material.known.get(name)
    return material.usage(name).errors["barred"] > 0 or bool(known and known.why_closed)


def _wasted(material: Material) -> Iterator[Finding]:
    """Many calls brought nothing."""
    calls, wasted = material.stats.calls, material.stats.wasted_calls
    if wasted < MUCH or wasted < WASTED * calls:
        return
    top = causes(material).most_common(3)
    cause = top[0][0]
    if _is_told(material, cause):
        return
    billed = "invalid" in causes(material)
    may_be = bool(material.stats.ambiguous)
    told = "; answers that broke the schema were paid" * billed
    told += "; those without an answer may have been billed" * may_be
    yield Finding(
        "wasted_calls",
        f"{wording.share(wasted / calls)} of the calls brought nothing",
        f"{wasted:,} of {calls:,}: "
        + wording.listed([f"{count:,} {wording.cause(name)}" for name, count in top])
        + f"{told}.",
        f"Begin with the most frequent: {REMEDIES.get(cause, OTHERWISE)}.",
        {"wasted": wasted, "calls": calls, "causes": {wording.name(k): n for k, n in top}},
    )


def _is_told(material: Material, cause: str) -> bool:
    """Whether a finding about a region says the same."""
    if cause == "capacity":
        return any(True for _ in regions.capacity(material))
    is_fault = cause not in THROTTLES and cause not in NO_FAULT
    return is_fault and any(True for _ in regions.sick(material))


def _versions(material: Material) -> Iterator[Finding]:
    """A name that more than one model answered to."""
    for asked, models in material.answered_by.items():
        if len(models) < 2:
            continue
        found = {wording.name(model): n for model, n in Counter(models).most_common(4)}
        yield Finding(
            "versions",
            f"{wording.name(asked)} was answered by {len(models)} models",
            "; ".join(f"{model}: {wording.count(n, 'answer')}" for model, n in found.items())
            + ".",
            "Deploy the same version in every region, if answers are to be compared.",
            {"asked": wording.name(asked), "models": found},
        )
