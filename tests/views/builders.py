"""Runs as a view sees them."""

from collections import Counter
from functools import cache

from batchrunner.policy.region import RegionStatus
from batchrunner.stats import RegionUsage, Stats, Tokens
from batchrunner.summary import Progress
from batchrunner.timeline import Timeline


def status(name="eastus", state="open", **given):
    """A region at one moment."""
    known = {
        "reason": "",
        "opens_in": 0.0,
        "in_flight": 12,
        "limit": 64,
        "peak_in_flight": 40,
        "throttled_s": 0.0,
        "use": 0.56,
        "rpm": 600.0,
        "tpm": 90_000.0,
    }
    return RegionStatus(name=name, state=state, **(known | given))


def usage(ok=0, throttled=0, errors=(), seconds=(), tokens=0):
    """What a region did."""
    used = RegionUsage(calls=ok + throttled, ok=ok, throttled=Counter(requests=throttled))
    used.errors.update(dict(errors))
    used.calls += used.errors.total()
    for one in seconds:
        used.latency.add(one)
    if ok:
        used.models["gpt-4o-mini"] = Tokens(ok, tokens * ok // 3, tokens * ok * 2 // 3, 0)
    return used


def progress(regions=(), usages=None, *, total=1000, wall_s=60.0, failed=None, **given):
    """A run at one moment; its jobs are those that the regions answered, and the ``failed``."""
    usages, codes = usages or {}, Counter(failed or {})
    ok = given.pop("ok", sum(used.ok for used in usages.values()))
    stats = Stats(ok=ok, failed=codes.total(), codes=codes, regions=usages)
    known = {"resumed": 0, "timeline": Timeline()}
    return Progress(total=total, wall_s=wall_s, stats=stats, regions=regions, **(known | given))


def sick(wall_s=312.0):
    """A run with a region for every state, at a time when all of them show."""
    wrong = {"reason": "401 Access denied due to invalid subscription key or wrong API endpoint"}
    wrong |= {"use": 0.0, "rpm": None, "tpm": None}
    regions = [
        status("westeurope", "throttled", opens_in=12.4, in_flight=0, limit=32, use=1.0),
        status("eastus", "open", in_flight=41, limit=64, use=0.56),
        status("eastus2", "resting", opens_in=4.0, in_flight=0, limit=1, use=0.1),
        status("swedencentral", "out", in_flight=0, limit=3, **wrong),
        status("openai", "open", in_flight=3, limit=256, use=0.12),
    ]
    usages = {
        "westeurope": usage(9_120, 214, seconds=[0.6, 0.8, 2.1], tokens=310),
        "eastus": usage(20_512, 3, {"timeout": 2}, [0.5, 0.8, 1.6], tokens=310),
        "eastus2": usage(1_204, 0, {"http_503": 31}, [0.6, 1.1, 9.4], tokens=310),
        "swedencentral": usage(0, 0, {"barred": 3}),
        "openai": usage(352, seconds=[0.4, 0.5, 0.9], tokens=310),
    }
    return progress(
        regions,
        usages,
        total=50_000,
        wall_s=wall_s,
        failed={"content_filter": 12},
        waiting=118,
        timeline=minutes(round(wall_s)),
    )


@cache
def minutes(seconds):
    """The timeline of a run that is slower in the last quarter of each minute."""
    timeline, stats = Timeline(), Stats(regions={"eastus": RegionUsage()})
    for second in range(seconds):
        busy = 0.4 if second % 60 > 45 else 1.0
        stats.regions["eastus"].ok += round(120 * busy * (1 + 0.3 * ((second * 7) % 11) / 11))
        timeline.look(float(second), stats, [status()])
    return timeline
