"""A run at one moment, on one line of a log. Pure."""

from ..terminal import printable
from . import words
from .gauge import Snapshot


def line(snapshot: Snapshot) -> str:
    """How far, how fast, how long, for what money, and how every region is."""
    progress, left = snapshot.progress, snapshot.remaining
    parts = [
        f"{progress.done:,}/{progress.total:,} jobs",
        f"{progress.stats.failed:,} failed",
        f"{snapshot.now:.1f}/s now, {progress.rate:.1f}/s on average",
    ]
    if left is None:
        parts.append("ETA -")
    else:
        between = f"{words.rough(left.low)} to {words.rough(left.high)}"
        parts.append(f"ETA {words.rough(left.likely)} ({between})")
    if (cost := snapshot.cost_usd) is not None:
        end = snapshot.projected_usd
        about = f", about {words.usd(end, rough=True)} in all" if end else ""
        parts.append(f"{'' if snapshot.is_all_priced else 'at least '}{words.usd(cost)}{about}")
    parts += words.bounds(progress.bounds)
    usages = progress.stats.regions
    parts += [
        f"{s.name} {words.state(s)} {s.in_flight} in flight"
        f" {usages[s.name].ok if s.name in usages else 0} ok"
        for s in progress.regions
    ]
    return printable(" | ".join([*parts, progress.note] if progress.note else parts))
