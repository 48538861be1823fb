"""What a run looks like from outside: while it goes on, and when it has ended. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .model import OVERTAKEN
from .policy.region import RegionStatus
from .prices import PriceList
from .stats import RegionUsage, Stats
from .targets import OPENAI
from .timeline import Timeline

RUNNING = "running, or killed while it did"  #: why a run is not complete, until it has ended


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a run ended before its last job."""

    exit_code: int
    reason: str  #: what happened and what to do next


@dataclass(frozen=True, slots=True)
class Bounds:
    """What will end a run early, where something was said to, and how near that is."""

    cost_usd: float = 0.0  #: of all runs, with what may have been billed without an answer
    max_cost: float = math.inf
    tokens: float = 0.0
    max_tokens: float = math.inf
    ends_in: float | None = None  #: seconds until the deadline


@dataclass(frozen=True, slots=True)
class Progress:
    """A run at one moment."""

    total: int
    resumed: int  #: jobs that earlier runs had done
    wall_s: float  #: of this run
    stats: Stats  #: of all runs
    regions: Sequence[RegionStatus]
    reused: int = 0  #: jobs of this run for which nothing was sent
    waiting: int = 0  #: jobs that wait for a region to open
    held_back: str = ""  #: which bound keeps plain OpenAI from taking more
    note: str = ""  #: what holds the whole run up, in words
    paused: bool = False  #: by a person
    bounds: Bounds = field(default_factory=Bounds)
    timeline: Timeline = field(default_factory=Timeline)  #: of all runs
    prices: PriceList = field(default_factory=PriceList)

    @property
    def cost_usd(self) -> dict[str, float | None]:
        """The cost so far, of all runs, by region; None where a model has no known price."""
        return self.prices.regions(self.stats.regions)

    @property
    def done(self) -> int:
        """Jobs with a last word, those of earlier runs included."""
        return self.stats.ok + self.stats.failed

    @property
    def is_outage(self) -> bool:
        """Whether no region is able to answer at the moment, quotas apart.

        What a person holds up is none: a pause, or that the last region was taken out.
        """
        if self.paused:
            return False
        rest = [region.state for region in self.regions if not region.by_hand]
        is_steered = len(rest) < len(self.regions)
        return set(rest) <= {"resting", "out"} and ("resting" in rest or not is_steered)

    @property
    def asked(self) -> int:
        """Jobs of which a region had the last word in this run."""
        return self.done - self.resumed - self.reused

    @property
    def left(self) -> int:
        """Jobs without a last word."""
        return self.total - self.done

    @property
    def rate(self) -> float:
        """Jobs a second that this run asked a region for, on average."""
        return self.asked / self.wall_s if self.wall_s > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Summary:
    """A run that has ended."""

    progress: Progress
    output: Path
    wall_s: float  #: of all runs together
    cost_usd: Mapping[str, float | None]  #: by region; None where a model has no known price
    configured: Sequence[str] = ()  #: regions that this run may not use are among them
    stop: Stop | None = None
    steered: Sequence[Mapping[str, Any]] = ()  #: what a person changed, in all runs, and when
    warnings: Sequence[str] = ()  #: what did not stop the run and should be known

    @property
    def complete(self) -> bool:
        """Whether every job has its last word."""
        return self.stop is None

    @property
    def exit_code(self) -> int:
        """0: every job has an answer; 1: some failed; else why the run stopped."""
        if self.stop is not None:
            return self.stop.exit_code
        return 1 if self.progress.stats.failed else 0

    def as_json(self) -> dict[str, Any]:
        """The content of ``OUTPUT.stats.json``."""
        progress, stats = self.progress, self.progress.stats
        tokens = [usage.tokens for usage in stats.regions.values()]
        return {
            "complete": self.complete,
            "wall_s": round(self.wall_s, 3),
            "jobs": {
                "total": progress.total,
                "ok": stats.ok,
                "failed": stats.failed,
                "resumed": progress.resumed,
                "reused": stats.reused,
            },
            "failures": {code: n for code, n in stats.codes.most_common() if n},
            "calls": stats.calls,
            "wasted_calls": stats.wasted_calls,
            "ambiguous": stats.ambiguous,
            "tokens": {
                "prompt": sum(t.prompt for t in tokens),
                "completion": sum(t.completion for t in tokens),
                "cached": sum(t.cached for t in tokens),
            },
            "cost_usd": _total(self.cost_usd.values()),
            "models": dict(stats.models),
            "fallback": self.fallback,
            "reasks": {"calls": stats.reasks, "invalid_answers": stats.invalid},
            "hedges": {"calls": self.hedged, "cost_usd": self._hedges_usd()},
            "regions": self._regions(),
            "stopped": None if self.stop is None else self.stop.reason,
            "warnings": list(self.warnings),
            "steered": list(self.steered),
        }

    @property
    def fallback(self) -> dict[str, Any]:
        """What plain OpenAI took."""
        stats = self.progress.stats
        taken = stats.regions.get(OPENAI, RegionUsage())
        return {
            "jobs": taken.ok,
            "share": round(taken.answers / stats.answers, 4) if stats.answers else 0.0,
            "cost_usd": self.cost_usd.get(OPENAI, 0.0),
            "held_back": self.progress.held_back or None,
        }

    @property
    def hedged(self) -> int:
        """Calls that nobody waited for to the end: another region was faster."""
        return sum(usage.errors[OVERTAKEN] for usage in self.progress.stats.regions.values())

    def _hedges_usd(self) -> float | None:
        """What these may have cost: as much as a mean answer of their region each."""
        costs = [
            cost and usage.errors[OVERTAKEN] * cost / max(1, usage.answers)
            for name, usage in self.progress.stats.regions.items()
            if usage.errors[OVERTAKEN]
            for cost in [self.cost_usd.get(name)]
        ]
        return _total(costs) if costs else 0.0

    def _regions(self) -> dict[str, Any]:
        """A row for every region that is configured or ever did something."""
        statuses = {status.name: status for status in self.progress.regions}
        usages = self.progress.stats.regions
        names = dict.fromkeys([*statuses, *self.configured, *usages])
        return {
            name: self._region(name, statuses.get(name), usages.get(name, RegionUsage()))
            for name in names
        }

    def _region(
        self, name: str, status: RegionStatus | None, usage: RegionUsage
    ) -> dict[str, Any]:
        causes = ("requests", "tokens", "capacity", "other")
        answers = self.progress.stats.answers
        return {
            "calls": usage.calls,
            "ok": usage.ok,
            "failed": usage.failed,
            "throttled": {cause: usage.throttled[cause] for cause in causes},
            "errors": dict(usage.errors),
            "prompt_tokens": usage.tokens.prompt,
            "completion_tokens": usage.tokens.completion,
            "cached_tokens": usage.tokens.cached,
            "cost_usd": self.cost_usd.get(name, 0.0),
            "models": self._models(name, usage),
            "share": round(usage.answers / answers, 4) if answers else 0.0,
            "throttled_s": round(usage.throttled_s, 3),
            "peak_in_flight": usage.peak_in_flight,
            "latency_s": {
                f"p{share:.0%}".rstrip("%"): usage.latency.quantile(share)
                for share in (0.5, 0.95, 0.99)
            },
            "state": _state(status),
            "rpm": None if status is None else status.rpm,
            "tpm": None if status is None else status.tpm,
        }

    def _models(self, name: str, usage: RegionUsage) -> dict[str, Any]:
        """What each model that answered in a region used and cost."""
        costs = self.progress.prices.models(name, usage)
        return {
            model: {
                "answers": tokens.answers,
                "prompt_tokens": tokens.prompt,
                "completion_tokens": tokens.completion,
                "cached_tokens": tokens.cached,
                "cost_usd": costs[model],
            }
            for model, tokens in usage.models.items()
        }


def _state(status: RegionStatus | None) -> str:
    return "not used" if status is None else status.in_words


def _total(costs: Iterable[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return round(sum(known), 6) if known else None
