"""Everything that a report says, as plain JSON; texts of others are cleaned. Pure."""

from typing import Any

from ..histogram import Histogram
from ..stats import Tokens
from . import wording
from .advice import advice, calm, causes
from .material import Known, Material
from .spans import mean_use, peak_use, total
from .story import story, verdict

QUANTILES = (0.5, 0.95, 0.99)


def figures(material: Material) -> dict[str, Any]:
    """What ``report --json`` prints, and what the page shows."""
    stats = material.stats
    tokens = [usage.tokens for usage in stats.regions.values()]
    done = stats.ok + stats.failed
    return {
        "output": wording.cut(material.output, wording.LONGEST_TEXT),
        "verdict": verdict(material),
        "complete": material.stop is None,
        "stopped": material.stop and wording.reason(material.stop),
        "story": story(material),
        "advice": [finding.as_json() for finding in advice(material)],
        "calm": calm(material),
        "wall_s": round(material.wall_s, 3),
        "runs": [
            {"at_s": round(at, 3), "utc": wording.name(utc)} for at, utc in _starts(material)
        ],
        "jobs": {
            "total": material.total,
            "ok": stats.ok,
            "failed": stats.failed,
            "left": max(0, material.total - done),
            "reused": stats.reused,
        },
        "jobs_per_s": round(done / material.wall_s, 6) if material.wall_s else None,
        "calls": stats.calls,
        "wasted_calls": stats.wasted_calls,
        "ambiguous": stats.ambiguous,
        "tokens": {
            "prompt": sum(one.prompt for one in tokens),
            "cached": sum(one.cached for one in tokens),
            "completion": sum(one.completion for one in tokens),
        },
        "cost_usd": _rounded(material.cost_usd),
        "latency_s": _quantiles(_all_latencies(material)),
        "regions": [_region(material, name) for name in material.regions],
        "models": _models(material),
        "failures": _failures(material),
        "waste": [
            {"cause": wording.name(cause), "calls": count}
            for cause, count in causes(material).most_common()
        ],
        "reasks": {"calls": stats.reasks, "invalid_answers": stats.invalid},
        "steered": [{"at_s": at, "what": wording.text(what)} for at, what in material.steering],
        "warnings": [wording.text(warning) for warning in material.warnings],
    }


def _starts(material: Material) -> list[tuple[float, str]]:
    return material.timeline.starts


def _region(material: Material, name: str) -> dict[str, Any]:
    usage, slices = material.usage(name), material.limited(name)
    every, known = total(material.slices(name)), material.known.get(name, Known())
    answers, tokens = material.stats.answers, usage.tokens
    return {
        "region": wording.name(name),
        "calls": usage.calls,
        "ok": usage.ok,
        "failed": usage.failed,
        "share": round(usage.answers / answers, 4) if answers else 0.0,
        "throttled": {wording.name(k): n for k, n in usage.throttled.items() if n},
        "errors": {wording.name(k): n for k, n in usage.errors.items() if n},
        "tokens": _tokens(tokens),
        "cost_usd": _rounded(material.costs.get(name, 0.0)),
        "latency_s": _quantiles(usage.latency),
        "use": {"mean": _rounded(mean_use(slices), 4), "peak": _rounded(peak_use(slices), 4)},
        "throttled_s": round(every.throttled_s or usage.throttled_s, 1),
        "resting_s": round(every.resting_s, 1),
        "out_s": round(every.out_s, 1),
        "peak_in_flight": usage.peak_in_flight,
        "rpm": known.rpm,
        "tpm": known.tpm,
        "state": wording.text(known.state),
    }


def _tokens(tokens: Tokens) -> dict[str, int]:
    return {
        "prompt": tokens.prompt,
        "cached": tokens.cached,
        "completion": tokens.completion,
    }


def _quantiles(latency: Histogram) -> dict[str, float | None]:
    return {f"p{share * 100:.0f}": latency.quantile(share) for share in QUANTILES}


def _all_latencies(material: Material) -> Histogram:
    every = Histogram()
    for usage in material.stats.regions.values():
        every.bins.update(usage.latency.bins)
    return every


def _models(material: Material) -> list[dict[str, Any]]:
    """A row for each model of each region."""
    rows = []
    for name in material.regions:
        costs = material.prices.models(name, material.usage(name))
        for model, tokens in material.usage(name).models.items():
            rows.append(
                {
                    "region": wording.name(name),
                    "model": wording.name(model),
                    "answers": tokens.answers,
                    **_tokens(tokens),
                    "answer_tokens": _quantiles(tokens.lengths),
                    "cost_usd": costs[model],
                }
            )
    return rows


def _failures(material: Material) -> list[dict[str, Any]]:
    examples = material.stats.examples.by_code
    return [
        {
            "code": wording.name(code),
            "jobs": count,
            "examples": [
                {
                    "id": wording.name(one.get("id")),
                    "region": wording.name(one.get("region")),
                    "message": wording.text(one.get("message")),
                }
                for one in examples.get(code, [])
            ],
        }
        for code, count in material.stats.codes.most_common()
        if count
    ]


def _rounded(number: float | None, digits: int = 6) -> float | None:
    return None if number is None else round(number, digits)
