"""All that a report is made of, wherever it was found. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from ..caps import Caps
from ..policy.region import BY_HAND
from ..prices import PriceList
from ..stats import RegionUsage, Stats
from ..summary import Summary
from ..targets import OPENAI
from ..timeline import Slice, Timeline
from . import wording


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a region beside what it did."""

    state: str = ""  #: the last one, and why
    rpm: float | None = None
    tpm: float | None = None

    @property
    def is_taken_out(self) -> bool:
        """Whether a person took it out."""
        return self.state.endswith(BY_HAND)

    @property
    def why_closed(self) -> str:
        """Why it serves nobody, or not some model; empty where it serves, or a person said so."""
        why = self.state.partition(": ")[2]
        if not why or self.is_taken_out:
            return ""
        return wording.text(why).rstrip(". ") or "nobody said why"


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """An output: of one run or of many, ended or not."""

    output: str
    total: int
    wall_s: float  #: of all runs together
    stats: Stats
    costs: Mapping[str, float | None]  #: US dollars by region; None where no price is known
    stop: str | None = None  #: why it is not complete
    prices: PriceList = field(default_factory=PriceList)
    timeline: Timeline = field(default_factory=Timeline)
    caps: Caps = field(default_factory=Caps)
    answered_by: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    concurrency: int | None = None  #: of the last run
    configured: Sequence[str] = ()
    known: Mapping[str, Known] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    steered: Sequence[Mapping[str, Any]] = ()  #: what a person changed, and when

    @classmethod
    def of(  # noqa: PLR0913 - what no summary holds
        cls,
        summary: Summary,
        *,
        timeline: Timeline,
        caps: Caps,
        answered_by: Mapping[str, Mapping[str, int]],
        concurrency: int | None,
        known: Mapping[str, Known],
        warnings: Sequence[str],
    ) -> Self:
        """The material of an output that ``summary`` tells of, and what it leaves out."""
        progress, stop = summary.progress, summary.stop
        return cls(
            output=summary.output.name,
            total=progress.total,
            wall_s=round(summary.wall_s, 3),  # as a checkpoint has it: reports of both agree
            stats=progress.stats,
            costs=summary.cost_usd,
            stop=None if stop is None else stop.reason,
            prices=progress.prices,
            timeline=timeline,
            caps=caps,
            answered_by=answered_by,
            concurrency=concurrency,
            configured=summary.configured,
            known=known,
            warnings=warnings,
            steered=summary.steered,
        )

    @property
    def regions(self) -> list[str]:
        """Every region, those with the most answers first, plain OpenAI last."""
        usages = self.stats.regions
        names = dict.fromkeys([*self.configured, *usages, *self.timeline.regions])
        return sorted(names, key=lambda name: (name == OPENAI, -self.usage(name).answers))

    def usage(self, region: str) -> RegionUsage:
        """What a region did."""
        return self.stats.regions.get(region) or RegionUsage()

    def has_limit(self, region: str) -> bool:
        """Whether a limit of it is known, so that a share of it can be told."""
        known = self.known.get(region)
        if known is None:  # nobody wrote it down: then what was used tells
            return any(one.used for one in self.slices(region))
        return known.rpm is not None or known.tpm is not None

    def limited(self, region: str) -> Sequence[Slice]:
        """What a region did when, for shares of its limit; nothing where that is not known."""
        return self.slices(region) if self.has_limit(region) else ()

    def slices(self, region: str) -> Sequence[Slice]:
        """What a region did when; nothing where nobody looked."""
        return self.timeline.regions.get(region, ())

    @property
    def steering(self) -> list[tuple[float, str]]:
        """What a person changed, in order, each with its seconds of running."""
        return [
            (float(one["at_s"]), str(one["what"]))
            for one in self.steered
            if isinstance(one.get("at_s"), int | float) and "what" in one
        ]

    @property
    def cost_usd(self) -> float | None:
        """What is known of the cost; None where nothing is."""
        known = [cost for cost in self.costs.values() if cost is not None]
        return sum(known) if known else None
