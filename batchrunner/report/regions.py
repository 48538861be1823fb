"""Advice about single regions: which of them give nothing, little, or trouble. Pure."""

from collections import Counter
from collections.abc import Iterator

from ..stats import RegionUsage
from ..targets import OPENAI
from . import wording
from .finding import ENOUGH, MUCH, Finding
from .material import Material
from .remedies import FAULTS, NO_FAULT, REMEDIES
from .spans import peak_use, total

IDLE = 0.5  #: peak share of a limit, below which doubling the load would still have fitted
CLOSED = 0.05  #: share of the time for which a region was throttled, that others could have taken
SHORT = 0.03  #: share of a region's calls refused for capacity; now and then is normal
SICK = 0.05  #: share of a region's calls that failed; the services promise 99.9 %
DOCTOR = "Put its key, deployment or endpoint right: batchrunner doctor says which."


def useless(material: Material) -> Iterator[Finding]:
    """Regions that give no answers, though there were jobs for them."""
    for name in material.regions:
        usage, known = material.usage(name), material.known.get(name)
        why = known.why_closed if known else ""
        if usage.answers or usage.errors["refused"]:  # to refuse a job is an answer too
            if why:
                yield _lost(name, usage, why)
        elif why or usage.errors["barred"] or usage.calls >= MUCH:
            yield _nothing(name, usage, why)
        elif not (usage.calls or name == OPENAI or known is None or known.is_taken_out):
            yield from [_unneeded(name)] * (material.stats.answers >= ENOUGH)


def _lost(name: str, usage: RegionUsage, why: str) -> Finding:
    shown = wording.name(name)
    return Finding(
        "left_out",
        f"{shown} was left out in the end",
        f"{wording.count(usage.answers, 'answer')} before that. {why}.",
        f"{DOCTOR} Then run the same command again if jobs are left.",
        {"region": shown, "answers": usage.answers, "reason": why},
    )


def _nothing(name: str, usage: RegionUsage, why: str) -> Finding:
    shown, why = wording.name(name), why or _why_useless(usage)
    return Finding(
        "no_answers",
        f"{shown} earned nothing",
        f"{wording.count(usage.calls, 'call')}, no answer: {why}.",
        _put_right(usage),
        {"region": shown, "calls": usage.calls, "reason": why},
    )


def _unneeded(name: str) -> Finding:
    shown = wording.name(name)
    return Finding(
        "no_answers",
        f"{shown} was never needed",
        "It got no call: the other regions took all that was sent.",
        "That is as it should be for a reserve. If it is to share the work, give it the priority "
        "of the others, and leave out --strategy ordered.",
        {"region": shown, "calls": 0, "reason": "it was never needed"},
    )


def _why_useless(usage: RegionUsage) -> str:
    kinds = wording.listed([wording.name(name) for name in +usage.errors])
    if +usage.throttled:
        return "it was throttled" + (f", and calls ended as {kinds}" if kinds else " each time")
    return f"its calls ended as {kinds}"


def _put_right(usage: RegionUsage) -> str:
    if usage.errors["barred"] or not usage.calls:
        return DOCTOR
    top = [name for name, _ in (+usage.errors).most_common(1)]
    if +usage.throttled or top == ["oversized"]:
        return "Ask for quota in this region, or take it out of the settings."
    if top and top[0] in REMEDIES:
        return f"{REMEDIES[top[0]].capitalize()}."
    return "See the health of the service there (batchrunner doctor asks it)."


def idle(material: Material) -> Iterator[Finding]:
    """A limit that was never reached, while another region was throttled."""
    azure = [name for name in material.regions if name != OPENAI]
    throttled = [name for name in azure if _is_throttled(material, name)]
    for name in material.regions:
        peak, known = peak_use(material.limited(name)), material.known.get(name)
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
            f"Give {shown} the first priority and a concurrency to match, or move quota from it "
            f"to {others[0]}.",
            {"region": shown, "peak_use": round(peak, 4), "throttled": others},
        )


def _is_throttled(material: Material, name: str) -> bool:
    return material.usage(name).throttled_s >= CLOSED * material.wall_s > 0


def sick(material: Material) -> Iterator[Finding]:
    """Regions whose own faults cost calls."""
    for name in material.regions:
        usage = material.usage(name)
        own = Counter({k: n for k, n in usage.errors.items() if k not in NO_FAULT})
        faults = own.total()
        if not usage.answers or faults < MUCH or faults < SICK * usage.calls:
            continue
        shown, rested = wording.name(name), total(material.slices(name)).resting_s
        kinds = wording.listed([f"{n:,} {wording.name(k)}" for k, n in own.most_common(3)])
        yield Finding(
            "sick_region",
            f"{shown} failed {wording.share(faults / usage.calls)} of its calls",
            f"{kinds}" + (f"; it rested for {wording.duration(rested)}" if rested else "") + ".",
            FAULTS.get(
                own.most_common(1)[0][0],
                "See the health of the service there; if it goes on, let other regions go first "
                "(a larger AZURE_OPENAI_PRIORITY_n).",
            ),
            {
                "region": shown,
                "faults": faults,
                "calls": usage.calls,
                "resting_s": round(rested, 1),
            },
        )


def capacity(material: Material) -> Iterator[Finding]:
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
