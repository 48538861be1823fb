"""What to change, as far as the figures of a run say. Pure.

Every threshold has its reason beside it. A finding that nobody would act on is worse than none:
a small run, or one in which all went well, gets none.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ..stats import AMBIGUOUS, RegionUsage
from ..targets import OPENAI
from . import allowance, wording
from .finding import Finding
from .material import Material
from .spans import mean_use, peak_use, total

IDLE = 0.5  #: peak share of a limit, below which doubling the load would still have fitted
CLOSED = 0.05  #: share of the time for which a region was throttled, that others could have taken
SLOTS = 0.9  #: share of the concurrency in use on average, above which it is the bottleneck
SPARE = 0.7  #: mean share of the limits in use, below which there is room for more requests
MUCH = 10  #: times that something must have happened before it is no accident
SHORT = 0.03  #: share of a region's calls refused for capacity; now and then is normal
SICK = 0.05  #: share of a region's calls that failed; the services promise 99.9 %
FEW = 3  #: findings of a kind; more of the same would bury the others
DEAR = 0.1  #: share of answers or money that went to the fallback, which costs more and is last
WASTED = 0.05  #: share of all calls; the first refusals are how limits are found

#: What to do about calls that brought nothing, by their cause.
REMEDIES: Mapping[str, str] = {
    "requests": "set the region's …_RPM_n to its real limit, so that none is tried in vain",
    "tokens": "set the region's …_TPM_n to its real limit, or lower max_tokens",
    "capacity": "use other hours, another region, or provisioned throughput",
    "timeout": "raise --timeout, or ask for shorter answers",
    "connect": "look at the endpoint's name and the network",
    "reset": "look at proxies and firewalls on the way",
    "invalid": "make the schema or the prompt easier to follow",
    "overtaken": "leave out --hedge, if its time is not worth the money",
    "cancelled": "after one Ctrl-C, give requests in flight the time to end",
}
OTHERWISE = "see the health of the service, and keep a region in reserve"


def advice(material: Material) -> list[Finding]:
    """What should change, what gains most first."""
    kinds = (
        _useless,
        allowance.of_models,
        _concurrency,
        _idle,
        _sick,
        _capacity,
        _fallback,
        _wasted,
        _versions,
    )
    return [finding for kind in kinds for finding in _few(list(kind(material)))]


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


def _useless(material: Material) -> Iterator[Finding]:
    """Regions that gave no answer, though there were jobs for them."""
    if not material.stats.answers:
        return
    for name in material.regions:
        usage, known = material.usage(name), material.known.get(name)
        state = known.state if known else ""
        is_out = state.startswith("out")
        if usage.answers or (name == OPENAI and not usage.calls and not is_out):
            continue
        shown, why = wording.name(name), _why_useless(usage, state)
        yield Finding(
            "no_answers",
            f"{shown} earned nothing",
            f"{wording.count(usage.calls, 'call')}, no answer: {why}.",
            _put_right(usage, is_out=is_out),
            {"region": shown, "calls": usage.calls, "reason": why},
        )


def _why_useless(usage: RegionUsage, state: str) -> str:
    if state.startswith("out"):
        return wording.text(state.partition(": ")[2]).rstrip(".") or "it was taken out"
    if not usage.calls:
        return "it was never needed"
    if usage.throttled:
        return "it was always throttled"
    return "its calls ended as " + wording.listed([wording.name(n) for n in usage.errors])


def _put_right(usage: RegionUsage, *, is_out: bool) -> str:
    if is_out or usage.errors:
        return "Put its key, deployment or endpoint right, or take it out of the settings."
    if usage.calls:
        return "Ask for quota in this region, or take it out of the settings."
    return "Nothing is wrong with that; a higher --concurrency would make use of it."


def _concurrency(material: Material) -> Iterator[Finding]:
    """All slots were taken while the quotas had room."""
    limit = material.concurrency
    sums = [total(slices) for slices in material.timeline.regions.values()]
    watched = max((one.watched for one in sums), default=0.0)
    if not limit or not watched or material.total < 2 * limit:
        return
    busy = sum(one.in_flight for one in sums) / watched
    uses = [_open_use(material, name) for name in material.regions]
    known = [use for use in uses if use is not None]
    use = sum(known) / len(known) if known else 1.0
    if busy < SLOTS * limit or use >= SPARE:
        return
    yield Finding(
        "concurrency",
        "The quotas had room, but all slots were taken",
        f"{busy:,.0f} of {limit:,} requests were in flight on average, while the limits were used "
        f"to {wording.share(use)}.",
        f"Raise --concurrency: {_more(limit, use):,} would be a next step.",
        {"concurrency": limit, "in_flight": round(busy, 1), "use": round(use, 4)},
    )


def _more(limit: int, use: float) -> int:
    """At most four times as many: beyond that the guess is worth nothing."""
    return round(limit * min(4.0, max(1.5, 0.9 / max(use, 0.01))))


def _open_use(material: Material, name: str) -> float | None:
    """The mean use of a region that gave answers; None for others."""
    return mean_use(material.slices(name)) if material.usage(name).ok else None


def _idle(material: Material) -> Iterator[Finding]:
    """A limit that was never reached, while another region was throttled."""
    throttled = [name for name in material.regions if _is_throttled(material, name)]
    for name in material.regions:
        peak, known = peak_use(material.slices(name)), material.known.get(name)
        others = [wording.name(other) for other in throttled if other != name]
        has_limit = known is not None and (known.rpm is not None or known.tpm is not None)
        if not others or not has_limit or peak is None or peak >= IDLE or name == OPENAI:
            continue
        if not material.usage(name).ok or name in throttled:
            continue
        shown = wording.name(name)
        yield Finding(
            "idle_limit",
            f"{shown} never came near its limit",
            f"At most {wording.share(peak)} of its quota was in use, while "
            f"{wording.listed(others[:3])} {'was' if len(others) == 1 else 'were'} throttled.",
            f"Raise the concurrency of {shown} or its priority, or move quota from it to "
            f"{others[0]}.",
            {"region": shown, "peak_use": round(peak, 4), "throttled": others},
        )


def _is_throttled(material: Material, name: str) -> bool:
    return material.usage(name).throttled_s >= CLOSED * material.wall_s > 0


def _sick(material: Material) -> Iterator[Finding]:
    """Regions whose own faults cost calls."""
    for name in material.regions:
        usage = material.usage(name)
        own = Counter(
            {k: n for k, n in usage.errors.items() if k not in ("refused", "oversized", "invalid")}
        )
        faults = own.total()
        if not usage.answers or faults < MUCH or faults < SICK * usage.calls:
            continue
        shown, rested = wording.name(name), total(material.slices(name)).resting_s
        kinds = wording.listed([f"{n:,} {wording.name(k)}" for k, n in own.most_common(3)])
        yield Finding(
            "sick_region",
            f"{shown} failed {wording.share(faults / usage.calls)} of its calls",
            f"{kinds}" + (f"; it rested for {wording.duration(rested)}" if rested else "") + ".",
            "See the health of the service there; if it goes on, lower the region's priority.",
            {
                "region": shown,
                "faults": faults,
                "calls": usage.calls,
                "resting_s": round(rested, 1),
            },
        )


def _capacity(material: Material) -> Iterator[Finding]:
    """Regions that were short of machines, whatever our quota."""
    for name in material.regions:
        usage = material.usage(name)
        refused = usage.throttled["capacity"]
        if refused < MUCH or refused < SHORT * usage.calls:
            continue
        shown = wording.name(name)
        yield Finding(
            "capacity",
            f"{shown} was short of machines",
            f"It refused {wording.count(refused, 'call')} of {usage.calls:,} for lack of "
            "capacity; more quota does not help.",
            "Run at other hours, add a region, or buy provisioned throughput.",
            {"region": shown, "refused": refused, "calls": usage.calls},
        )


def _fallback(material: Material) -> Iterator[Finding]:
    """Plain OpenAI took much of the work or of the money."""
    taken, answers = material.usage(OPENAI).answers, material.stats.answers
    cost, all_cost = material.costs.get(OPENAI) or 0.0, material.cost_usd or 0.0
    if len(material.regions) < 2 or not taken or not answers:
        return
    part, paid = taken / answers, cost / all_cost if all_cost else 0.0
    if max(part, paid) < DEAR:
        return
    yield Finding(
        "fallback",
        f"OpenAI gave {wording.share(part)} of the answers",
        f"{wording.count(taken, 'answer')} for {wording.dollars(cost)}, which is "
        f"{wording.share(paid)} of the cost.",
        "Ask for more Azure quota; or bound it with --fallback-after, --fallback-max-share or "
        "--fallback-max-cost, where time matters less than money.",
        {"answers": taken, "share": round(part, 4), "cost_usd": round(cost, 6)},
    )


def _wasted(material: Material) -> Iterator[Finding]:
    """Many calls brought nothing."""
    calls, wasted = material.stats.calls, material.stats.wasted_calls
    if wasted < MUCH or wasted < WASTED * calls:
        return
    top = causes(material).most_common(3)
    cause = top[0][0]
    paid = [name for name, _ in top if name in AMBIGUOUS]
    yield Finding(
        "wasted_calls",
        f"{wording.share(wasted / calls)} of the calls brought nothing",
        f"{wasted:,} of {calls:,}: "
        + wording.listed([f"{count:,} {wording.name(name)}" for name, count in top])
        + ("; some of them may have been billed." if paid else "."),
        f"Most were {wording.name(cause)}: {REMEDIES.get(cause, OTHERWISE)}.",
        {"wasted": wasted, "calls": calls, "causes": {wording.name(k): n for k, n in top}},
    )


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
