"""Material for reports, as runs would leave it."""

from collections import Counter

from batchrunner.caps import Caps
from batchrunner.model import Attempt, Usage
from batchrunner.prices import PriceList
from batchrunner.report.material import Known, Material
from batchrunner.stats import RegionUsage, Stats, Tokens
from batchrunner.timeline import Slice, Timeline

MODEL = "gpt-4o-mini-2024-07-18"


def usage(ok=100, *, model=MODEL, tokens=80, seconds=1.0, **fields):
    """A region that gave so many answers, all alike."""
    made = RegionUsage(**{k: v for k, v in fields.items() if k not in {"throttled", "errors"}})
    for _ in range(ok):
        made.add(Attempt("", "ok", 200, seconds))
        made.models.setdefault(model, Tokens()).add(Usage(model, 100, tokens, 10))
    made.throttled = Counter(fields.get("throttled", {}))
    made.errors = Counter(fields.get("errors", {}))
    made.calls += made.throttled.total() + made.errors.total()
    return made


def slices(count=10, *, ok=10, used=0.5, in_flight=5.0, **closed):
    """So many seconds in which all was alike."""
    return [
        Slice(ok=ok, watched=1.0, used=used, in_flight=in_flight, **closed) for _ in range(count)
    ]


def material(regions, times=None, *, caps=None, failed=0, codes=None, **fields):
    """A run over ten seconds, complete unless said otherwise."""
    ok = sum(each.ok for each in regions.values())
    stats = Stats(ok=ok, failed=failed, codes=Counter(codes or {}), regions=dict(regions))
    prices = PriceList({name: "openai" if name == "openai" else "azure" for name in regions})
    given = {
        "output": "out.jsonl",
        "total": ok + failed,
        "wall_s": 10.0,
        "stats": stats,
        "costs": prices.regions(stats.regions),
        "prices": prices,
        "timeline": Timeline(1.0, dict(times or {}), [(0.0, "2026-11-26T10:00:00Z")]),
        "caps": Caps({model: Counter(each) for model, each in (caps or {}).items()}),
        "configured": tuple(regions),
        "known": {name: Known("open", 600.0, 100_000.0) for name in regions},
    }
    return Material(**{**given, **fields})
