"""What can be read off a run at one moment: the looks at it, folded."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..eta import Arrivals, Remaining
from ..problems import Problem, Problems
from ..summary import Progress

EVERY = 2.0  #: seconds for which a cost and the latencies are good enough
ENOUGH = 20  #: jobs, before which nothing can be said of the others


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A run at one moment, with what was learned by watching it."""

    progress: Progress
    now: float = 0.0  #: answers a second, in the last few of them
    remaining: Remaining | None = None
    problems: tuple[Problem, ...] = ()  #: in the order they began
    costs: Mapping[str, float | None] = field(default_factory=dict)  #: US dollars by region

    @property
    def tokens(self) -> tuple[int, int, int]:
        """Of prompts, of answers, and how many of the prompts' came from a cache; of all runs."""
        used = [usage.tokens for usage in self.progress.stats.regions.values()]
        return (
            sum(tokens.prompt for tokens in used),
            sum(tokens.completion for tokens in used),
            sum(tokens.cached for tokens in used),
        )

    @property
    def cost_usd(self) -> float | None:
        """US dollars so far, of all runs; at least so many where ``is_all_priced`` is not so."""
        known = [cost for cost in self.costs.values() if cost is not None]
        return sum(known) if known else None

    @property
    def is_all_priced(self) -> bool:
        """Whether every model that answered has a known price."""
        return None not in self.costs.values()

    @property
    def projected_usd(self) -> float | None:
        """US dollars in the end, if the other jobs are like those done."""
        cost = self.cost_usd
        return None if cost is None else at_the_end(cost, self.progress)

    @property
    def projected_tokens(self) -> float | None:
        """Tokens in the end, if the other jobs are like those done."""
        prompt, completion, _ = self.tokens
        return at_the_end(prompt + completion, self.progress)


@dataclass(slots=True)
class Gauge:
    """Watches a run."""

    _arrivals: Arrivals = field(init=False, default_factory=Arrivals)
    _problems: Problems = field(init=False, default_factory=Problems)
    _at: float = field(init=False, default=0.0)  #: seconds of the run at the last look
    _paused: float = field(init=False, default=0.0)  #: seconds of it that were a pause
    _folded_at: float = field(init=False, default=float("-inf"))
    _slow: float = field(init=False, default=0.0)  #: seconds of a slow answer
    _costs: Mapping[str, float | None] = field(init=False, default_factory=dict)

    def look(self, progress: Progress) -> list[Problem]:
        """Take in a look; gives the problems that are to be told now."""
        if progress.paused:  # it says nothing of how long the others will take
            self._paused += progress.wall_s - self._at
        self._at = progress.wall_s
        self._arrivals.look(progress.wall_s - self._paused, progress.asked)
        return self._problems.look(progress)

    def read(self, progress: Progress) -> Snapshot:
        """What there is to show at the last look."""
        if progress.wall_s - self._folded_at >= EVERY:
            self._folded_at = progress.wall_s
            self._slow, self._costs = _slow(progress), progress.cost_usd
        is_paused, pause = progress.paused, _pause(progress)
        left = None if is_paused else self._arrivals.remaining(progress.left, self._slow, pause)
        return Snapshot(
            progress=progress,
            now=0.0 if is_paused else self._arrivals.now,
            remaining=left,
            problems=tuple(self._problems.kept),
            costs=self._costs,
        )


def at_the_end(so_far: float, progress: Progress) -> float | None:
    """What ``so_far`` grows to, if the other jobs are like those done; None before there are some.

    Jobs of which the answer is reused are among both.
    """
    if progress.done < min(ENOUGH, progress.total) or not progress.done:
        return None
    return so_far * progress.total / progress.done


def _slow(progress: Progress) -> float:
    """Seconds of a slow answer; the last ones of a run are waited for."""
    usages = progress.stats.regions.values()
    return max((usage.latency.quantile(0.99) or 0.0 for usage in usages), default=0.0)


def _pause(progress: Progress) -> float:
    """Seconds until a region opens, where nothing is in flight and none is open."""
    regions = progress.regions
    if any(region.in_flight or region.state == "open" for region in regions):
        return 0.0
    return min((region.opens_in for region in regions if region.opens_in), default=0.0)
