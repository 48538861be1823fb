"""A plan: what a run would take, and what would change it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..fleet import usable
from ..prices import PriceList
from . import words
from .bottleneck import Bottleneck, bottleneck
from .changes import Change, changes
from .forecast import Forecast, forecast
from .limits import Source
from .rehearsal import World
from .sample import Sample

BUDGET = 10_000  #: jobs that are rehearsed for the plan itself, or twice as many
SKETCH = 0.4  #: of these, for each of the other worlds


@dataclass(frozen=True, slots=True)
class Range:
    """A number, and between what it may well be."""

    low: float | None
    expected: float | None
    high: float | None

    def as_json(self, digits: int | None = None) -> dict[str, float | None]:
        """The three of them, rounded."""
        return {
            name: None if value is None else round(value, digits)
            for name in ("low", "expected", "high")
            for value in [getattr(self, name)]
        }


@dataclass(frozen=True, slots=True)
class Row:
    """What one region would do."""

    name: str
    share: float  #: of the jobs
    jobs: int
    prompt: int
    completion: int
    cost_usd: float | None
    rpm: float | None
    tpm: float | None
    limits: Source
    requests_use: float | None
    tokens_use: float | None
    is_fallback: bool
    problem: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change would do."""

    change: str
    seconds: float
    saves_s: float
    cost_usd: float | None
    saves_usd: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """All that can be said of a run before it is started."""

    sample: Sample
    seconds: Range
    prompt: Range
    completion: Range
    cost_usd: Range
    bottleneck: Bottleneck
    regions: Sequence[Row]
    effects: Sequence[Effect]
    stops: Sequence[str]
    assumptions: Sequence[str]
    warnings: Sequence[str]
    is_bound: bool  #: whether it may take longer: a limit is not known
    rehearsed: int
    factor: float

    @property
    def fallback(self) -> tuple[int, float | None]:
        """Jobs of plain OpenAI, and their cost."""
        rows = [row for row in self.regions if row.is_fallback]
        return (rows[0].jobs, rows[0].cost_usd) if rows else (0, 0.0)

    def as_json(self) -> dict[str, Any]:
        """What ``--json`` prints; docs/plan.md says what it means."""
        sample, (jobs, cost) = self.sample, self.fallback
        return {
            "jobs": sample.jobs,
            "done": sample.done,
            "sample": {
                "lines": sample.lines,
                "parsed": sample.parsed,
                "whole": sample.is_whole,
                "bad": sample.bad,
            },
            "tokens": {
                "prompt": self.prompt.as_json(),
                "completion": self.completion.as_json(),
            },
            "cost_usd": self.cost_usd.as_json(4),
            "seconds": self.seconds.as_json(1) | {"is_lower_bound": self.is_bound},
            "bottleneck": {
                "kind": self.bottleneck.kind,
                "region": self.bottleneck.region,
                "use": round(self.bottleneck.use, 3),
                "words": self.bottleneck.words,
            },
            "regions": {row.name: _row(row) for row in self.regions},
            "fallback": {"jobs": jobs, "cost_usd": _rounded(cost, 4)},
            "changes": [
                {
                    "change": effect.change,
                    "seconds": round(effect.seconds, 1),
                    "saves_s": round(effect.saves_s, 1),
                    "cost_usd": _rounded(effect.cost_usd, 4),
                    "saves_usd": _rounded(effect.saves_usd, 4),
                }
                for effect in self.effects
            ],
            "stops": list(self.stops),
            "assumptions": list(self.assumptions),
            "warnings": list(self.warnings),
            "rehearsal": {"jobs": self.rehearsed, "factor": round(self.factor, 2)},
        }


def make_plan(
    world: World,
    sample: Sample,
    *,
    until: float | None = None,
    notes: Sequence[str] = (),
    budget: int = BUDGET,
) -> Plan:
    """Rehearse the run, and what could be different; takes some seconds of a processor.

    ``until`` is how many seconds away the deadline is; ``budget``, about how many jobs are
    rehearsed for the plan itself.
    """
    jobs, asks = sample.jobs, sample.asks
    if not jobs or not asks:
        return _nothing(sample)
    prices = PriceList.of(world.settings.targets)
    base = forecast(world, asks, jobs, budget, prices)
    few = round(SKETCH * budget)
    sketch = base if jobs <= few else forecast(world, asks, jobs, few, prices)
    ends = [forecast(_other(world, end), asks, jobs, few, prices) for end in (0, 1)]
    effects = [
        _effect(change, sample, few, sketch, base, prices)
        for change in changes(world, sample.caps, jobs)
    ]
    seconds = _about(base.seconds, [_in_proportion(base, end, sketch) for end in ends])
    costs = [base.cost_usd, *(end.cost_usd for end in ends)]
    cost = _about(base.cost_usd, costs[1:])
    tokens = [_about(base.tokens[i], [end.tokens[i] for end in ends]) for i in (0, 1)]
    azure = frozenset(t.name for t in usable(world.settings) if not t.is_fallback)
    settings = world.settings
    unknown = words.unlimited(world)
    return Plan(
        sample=sample,
        seconds=seconds,
        prompt=tokens[0],
        completion=tokens[1],
        cost_usd=cost,
        bottleneck=bottleneck(base, settings.concurrency, azure),
        regions=_rows(world, base),
        effects=effects,
        stops=words.stops(settings, (cost.expected, sum(base.tokens)), seconds.expected, until),
        assumptions=[*words.assumptions(world, sample, base), *notes],
        warnings=words.warnings(world, base, unknown),
        is_bound=bool(unknown),
        rehearsed=base.rehearsed,
        factor=base.factor,
    )


def _nothing(sample: Sample) -> Plan:
    """A run that ends at once: no job is left."""
    zero, idle = Range(0.0, 0.0, 0.0), Bottleneck("answers", 0.0, None, "nothing: no job is left")
    return Plan(
        sample=sample,
        seconds=zero,
        prompt=zero,
        completion=zero,
        cost_usd=zero,
        bottleneck=idle,
        regions=(),
        effects=(),
        stops=(),
        assumptions=(),
        warnings=(),
        is_bound=False,
        rehearsed=0,
        factor=1.0,
    )


def _other(world: World, end: int) -> World:
    """The same with answers as short as they may be (0); or as long, and some late (1)."""
    known = {
        name: replace(one, latency=replace(one.latency, is_bad=bool(end)))
        for name, one in world.known.items()
    }
    return replace(world, lengths=world.lengths.off(end), known=known)


def _effect(  # noqa: PLR0913, PLR0917 - what it is compared with
    change: Change, sample: Sample, few: int, sketch: Forecast, base: Forecast, prices: PriceList
) -> Effect:
    """A change, compared with a rehearsal that is as short."""
    asks = [change.of(ask) for ask in sample.asks]
    other = forecast(change.world, asks, sample.jobs, few, prices)
    seconds = _in_proportion(base, other, sketch)
    saved = None
    if sketch.cost_usd is not None and other.cost_usd is not None:
        saved = sketch.cost_usd - other.cost_usd
    cost = None if saved is None or base.cost_usd is None else base.cost_usd - saved
    return Effect(change.words, seconds, base.seconds - seconds, cost, saved)


def _in_proportion(base: Forecast, other: Forecast, sketch: Forecast) -> float:
    """The seconds of another world; two rehearsals that are as short are compared."""
    return base.seconds * other.seconds / sketch.seconds if sketch.seconds else other.seconds


def _about(expected: float | None, ends: Iterable[float | None]) -> Range:
    """The smallest and the largest of what was found."""
    known = [value for value in (expected, *ends) if value is not None]
    if expected is None or not known:
        return Range(None, None, None)
    return Range(min(known), expected, max(known))


def _rows(world: World, base: Forecast) -> list[Row]:
    jobs = sum(share.jobs for share in base.regions.values())
    rows = []
    for target in usable(world.settings):
        share, known = base.regions[target.name], world.known[target.name]
        rpm, tpm = words.limits(target, known)
        rows.append(
            Row(
                name=target.name,
                share=share.jobs / jobs if jobs else 0.0,
                jobs=round(share.jobs),
                prompt=round(share.prompt),
                completion=round(share.completion),
                cost_usd=share.cost_usd,
                rpm=rpm,
                tpm=tpm,
                limits=known.source,
                requests_use=share.requests_use,
                tokens_use=share.tokens_use,
                is_fallback=target.is_fallback,
                problem=known.problem,
            )
        )
    return rows


def _row(row: Row) -> Mapping[str, Any]:
    return {
        "jobs": row.jobs,
        "share": round(row.share, 4),
        "prompt_tokens": row.prompt,
        "completion_tokens": row.completion,
        "cost_usd": _rounded(row.cost_usd, 4),
        "rpm": _rounded(row.rpm, 1),
        "tpm": _rounded(row.tpm, 1),
        "limits": row.limits,
        "requests_use": _rounded(row.requests_use, 3),
        "tokens_use": _rounded(row.tokens_use, 3),
        "problem": row.problem or None,
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None or math.isinf(value) else round(value, digits)
