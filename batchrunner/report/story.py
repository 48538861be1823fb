"""What happened, in a sentence or two. Pure."""

from ..targets import OPENAI
from . import wording
from .material import Material
from .spans import total

LONG = 0.02  #: share of the time, for which a region must have been away to be spoken of


def story(material: Material) -> list[str]:
    """The sentences, the most important first."""
    return [
        _work(material),
        *_spared(material),
        *_regions(material),
        *_steering(material),
        *_ending(material),
    ]


def verdict(material: Material) -> str:
    """The run in a word or two."""
    if material.stop is not None:
        return "running" if material.stop.startswith("running: ") else "not complete"
    return "complete, some failed" if material.stats.failed else "complete"


def _work(material: Material) -> str:
    """What became of the jobs, how fast and for how much."""
    stats = material.stats
    done = stats.ok + stats.failed
    if not material.total:
        return "There was no job to do."
    jobs = wording.count(material.total, "job")
    if stats.ok == material.total:
        what = f"All {jobs} were answered" if material.total > 1 else "The job was answered"
    else:
        what = f"{stats.ok:,} of {jobs} were answered"
        what += f", {stats.failed:,} failed" if stats.failed else ""
        what += f", {material.total - done:,} are still to do" if done < material.total else ""
    if material.wall_s and done:
        what += f", in {wording.duration(material.wall_s)}"
        what += f" over {len(starts)} runs" if len(starts := material.timeline.starts) > 1 else ""
        what += f" ({wording.rate(done / material.wall_s)})"
    cost = material.cost_usd
    return what + (f", for {wording.dollars(cost)}." if cost else ".")


def _spared(material: Material) -> list[str]:
    """Jobs that nothing was sent for, and those that were asked more than once."""
    stats, told = material.stats, []
    if stats.reused:
        told.append(
            f"{wording.count(stats.reused, 'job')} got the last word of an equal one, with "
            "nothing sent."
        )
    if stats.reasks:
        told.append(
            f"{wording.count(stats.reasks, 'call')} asked again, since an answer broke the schema."
        )
    return told


def _steering(material: Material) -> list[str]:
    number = len(material.steered)
    return [f"It was steered by hand: {wording.count(number, 'change')}."] if number else []


def _regions(material: Material) -> list[str]:
    """Who gave the answers, and who was away."""
    answers = material.stats.answers
    if not answers:
        return []
    azure = [name for name in material.regions if name != OPENAI and material.usage(name).answers]
    parts = [
        f"{wording.name(name)} gave {wording.share(material.usage(name).answers / answers)}"
        for name in azure[:3]
    ]
    if taken := material.usage(OPENAI).answers:
        parts.append(f"OpenAI {wording.share(taken / answers)}")
    if len(azure) > 3:
        parts.append(f"{wording.count(len(azure) - 3, 'other region')} the rest")
    sentences = [f"Of the answers {wording.listed(parts)}."]
    if len(parts) == 1:
        (giver,) = (n for n in material.regions if material.usage(n).answers)
        sentences = [f"{'OpenAI' if giver == OPENAI else wording.name(giver)} gave all answers."]
    return sentences + _closings(material)


def _closings(material: Material) -> list[str]:
    """Regions that were away, the gravest first."""
    graveness = {name: _graveness(material, name) for name in material.regions}
    ranked = sorted(graveness, key=lambda name: graveness[name], reverse=True)
    away = [part for name in ranked for part in _away(material, name)]
    if not away:
        return []
    rest = len(away) - 3
    was = "was" if rest == 1 else "were"
    more = [f"{rest} more {was} closed for a while"] if rest > 0 else []
    return [wording.listed([*away[:3], *more]) + "."]


def _graveness(material: Material, name: str) -> tuple[float, float, float]:
    every = total(material.slices(name))
    return every.out_s, every.resting_s, every.throttled_s


def _away(material: Material, name: str) -> list[str]:
    every = total(material.slices(name))
    throttled = every.throttled_s or material.usage(name).throttled_s
    kinds = (
        ("was out for", every.out_s),
        ("rested for", every.resting_s),
        ("was throttled for", throttled),
    )
    told = [
        f"{verb} {wording.duration(seconds)}"
        for verb, seconds in kinds
        if seconds >= max(1.0, LONG * material.wall_s)
    ]
    shown = "OpenAI" if name == OPENAI else wording.name(name)
    return [f"{shown} {wording.listed(told)}"] if told else []


def _ending(material: Material) -> list[str]:
    if material.stop is None:
        return []
    why = wording.reason(material.stop).rstrip(".")
    if why.startswith(("not finished", "running")):
        return [f"{why[0].upper()}{why[1:]}."]
    return [f"It is not complete: {why}."]
