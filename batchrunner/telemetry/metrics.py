"""A run as Prometheus metrics: what it knows at a moment, under names that dashboards rely on.

Counters are of all runs of an output, as in ``OUTPUT.stats.json``. Nothing is counted for them
where jobs are answered: whoever scrapes has the numbers read that are there anyway.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import accumulate

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.registry import Collector

from ..eta import Arrivals, Remaining
from ..histogram import Histogram
from ..stats import RegionUsage
from ..summary import Progress

STATES = ("open", "throttled", "resting", "out")
#: seconds up to which answers are counted
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)


class RunCollector(Collector):
    """Metrics of a run, as of the moment when they are asked for; there is none at first."""

    def __init__(self, started: float) -> None:
        self._started = started  # seconds of the epoch
        self._progress: Callable[[], Progress] | None = None
        self._pace = Arrivals()

    def show(self, progress: Callable[[], Progress]) -> None:
        """From now on there is a run, which ``progress`` tells about."""
        self._progress = progress

    def collect(self) -> Iterator[Metric]:
        """Every metric, in the order of ``docs/telemetry.md``."""
        yield InfoMetricFamily(
            "batchrunner_build", "What runs.", value={"version": version("batchrunner")}
        )
        yield GaugeMetricFamily(
            "batchrunner_start_time_seconds", "When the run began, in Unix time.", self._started
        )
        if self._progress is not None:
            progress = self._progress()
            self._pace.look(progress.wall_s, progress.asked)
            yield from _jobs(progress)
            yield from _end(self._pace.remaining(progress.left))
            yield from _usage(progress)
            yield from _money(progress)
            yield from _regions(progress)


def _jobs(progress: Progress) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("batchrunner_jobs", "Jobs of the input.", labels=["state"])
    jobs.add_metric(["ok"], progress.stats.ok)
    jobs.add_metric(["failed"], progress.stats.failed)
    jobs.add_metric(["remaining"], progress.left)
    yield jobs
    yield GaugeMetricFamily(
        "batchrunner_waiting_jobs", "Jobs that wait for a region to open.", progress.waiting
    )


def _end(left: Remaining | None) -> Iterator[Metric]:
    if left is not None:
        yield GaugeMetricFamily(
            "batchrunner_eta_seconds", "Seconds to go, at the pace of late.", left.likely
        )


def _usage(progress: Progress) -> Iterator[Metric]:
    calls = CounterMetricFamily(
        "batchrunner_calls", "Requests sent, by how they ended.", labels=["region", "outcome"]
    )
    throttled = CounterMetricFamily(
        "batchrunner_throttled", "Requests that a limit refused.", labels=["region", "cause"]
    )
    tokens = CounterMetricFamily(
        "batchrunner_tokens",
        "Tokens of answers; cached ones are a part of the prompt's.",
        labels=["region", "model", "type"],
    )
    latency = HistogramMetricFamily(
        "batchrunner_latency_seconds", "Seconds that answers took.", labels=["region"]
    )
    for name, usage in progress.stats.regions.items():
        for outcome, count in _outcomes(usage).items():
            calls.add_metric([name, outcome], count)
        for cause, count in usage.throttled.items():
            throttled.add_metric([name, cause], count)
        for model, used in usage.models.items():
            tokens.add_metric([name, model, "prompt"], used.prompt)
            tokens.add_metric([name, model, "cached"], used.cached)
            tokens.add_metric([name, model, "completion"], used.completion)
        latency.add_metric([name], *_buckets(usage.latency))
    yield from (calls, throttled, tokens, latency)


def _money(progress: Progress) -> Iterator[Metric]:
    cost = CounterMetricFamily(
        "batchrunner_cost_usd", "US dollars for answers, where known.", labels=["region"]
    )
    for name, usd in progress.cost_usd.items():
        if usd is not None:
            cost.add_metric([name], usd)
    yield cost


def _regions(progress: Progress) -> Iterator[Metric]:
    in_flight = _by_region("batchrunner_in_flight", "Requests in flight.")
    limit = _by_region("batchrunner_concurrency_limit", "Most requests in flight, for now.")
    use = _by_region("batchrunner_quota_use_ratio", "Share of the most used limit that is taken.")
    state = GaugeMetricFamily(
        "batchrunner_region_state", "1 for the state it is in.", labels=["region", "state"]
    )
    for status in progress.regions:
        in_flight.add_metric([status.name], status.in_flight)
        limit.add_metric([status.name], status.limit)
        use.add_metric([status.name], status.use)
        for each in STATES:
            state.add_metric([status.name, each], status.state == each)
    yield from (in_flight, limit, use, state)


def _by_region(name: str, help_: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_, labels=["region"])


def _outcomes(usage: RegionUsage) -> dict[str, int]:
    known = {"ok": usage.ok, "throttled": usage.throttled.total()}
    return known | {outcome: n for outcome, n in usage.errors.items() if n}


def _buckets(latency: Histogram) -> tuple[list[tuple[str, float]], float]:
    """How many values each bucket holds with those before it, and about the sum of all.

    Values are kept to within five percent, so is the edge of a bucket.
    """
    counts, sum_ = [0] * (len(BUCKETS) + 1), 0.0
    for low, high, count in latency.steps():
        middle = (low * high) ** 0.5
        counts[bisect_left(BUCKETS, middle)] += count
        sum_ += middle * count
    edges = [*map(str, BUCKETS), "+Inf"]
    return list(zip(edges, accumulate(counts), strict=True)), sum_
