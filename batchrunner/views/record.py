"""The events of a run as the objects of a log: numbers under names that stay. Pure."""

import math
from collections.abc import Mapping
from typing import Any

from ..policy.region import RegionStatus
from ..problems import Problem
from ..stats import RegionUsage
from ..summary import Progress, Summary
from .gauge import Snapshot


def began(progress: Progress) -> dict[str, Any]:
    """What is known when a run begins."""
    return {
        "total": progress.total,
        "resumed": progress.resumed,
        "regions": [status.name for status in progress.regions],
    }


def moment(snapshot: Snapshot) -> dict[str, Any]:
    """All the numbers of a run at one moment."""
    progress, left = snapshot.progress, snapshot.remaining
    prompt, completion, cached = snapshot.tokens
    return {
        **_jobs(progress),
        "waiting": progress.waiting,
        "rate_now": round(snapshot.now, 3),
        "rate": round(progress.rate, 3),
        "eta_s": _seconds(left.likely if left else None),
        "eta_low_s": _seconds(left.low if left else None),
        "eta_high_s": _seconds(left.high if left else None),
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "cached_tokens": cached,
        "cost_usd": _usd(snapshot.cost_usd),
        "projected_cost_usd": _usd(snapshot.projected_usd),
        "max_cost_usd": _most(progress.bounds.max_cost),
        "max_tokens_total": _most(progress.bounds.max_tokens),
        "deadline_s": _seconds(progress.bounds.ends_in),
        "paused": progress.paused,
        "note": progress.note or None,
        "regions": {
            status.name: _region(
                status,
                progress.stats.regions.get(status.name) or RegionUsage(),
                snapshot.costs.get(status.name),
            )
            for status in progress.regions
        },
    }


def problem(found: Problem) -> dict[str, Any]:
    """What went wrong, or came right again."""
    return {
        "wall_s": _seconds(found.at),
        "since_s": _seconds(found.since),
        "kind": found.kind,
        "region": found.region,
        "times": found.times,
        "text": found.text,
    }


def ended(summary: Summary) -> dict[str, Any]:
    """What a run came to."""
    content = summary.as_json()
    return {
        **_jobs(summary.progress),
        "exit_code": summary.exit_code,
        "reason": content["stopped"],
        "calls": content["calls"],
        "wasted_calls": content["wasted_calls"],
        "prompt_tokens": content["tokens"]["prompt"],
        "completion_tokens": content["tokens"]["completion"],
        "cached_tokens": content["tokens"]["cached"],
        "cost_usd": content["cost_usd"],
        "failures": content["failures"],
        "output": str(summary.output),
    }


def _jobs(progress: Progress) -> dict[str, Any]:
    return {
        "wall_s": _seconds(progress.wall_s),
        "total": progress.total,
        "done": progress.done,
        "ok": progress.stats.ok,
        "failed": progress.stats.failed,
        "resumed": progress.resumed,
        "reused": progress.reused,
    }


def _region(status: RegionStatus, usage: RegionUsage, cost: float | None) -> Mapping[str, Any]:
    return {
        "state": status.state,
        "reason": status.reason or None,
        "opens_in_s": _seconds(status.opens_in),
        "in_flight": status.in_flight,
        "limit": status.limit,
        "use": round(status.use, 3),
        "ok": usage.ok,
        "throttled": usage.throttled.total(),
        "errors": usage.errors.total(),
        "p50_s": usage.latency.quantile(0.5),
        "p95_s": usage.latency.quantile(0.95),
        "cost_usd": _usd(cost),
    }


def _seconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _most(amount: float) -> float | None:
    return None if math.isinf(amount) else amount


def _usd(dollars: float | None) -> float | None:
    return None if dollars is None else round(dollars, 6)
