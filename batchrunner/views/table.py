"""Regions as a table, for a terminal."""

from rich import box
from rich.table import Table
from rich.text import Text

from ..stats import RegionUsage
from ..summary import Progress
from . import words

COLUMNS = ("region", "state", "in flight", "ok", "throttled", "errors", "p50", "p95")


def regions(progress: Progress) -> Table:
    """One row for each region."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in {"region", "state"} else "right")
    for status in progress.regions:
        usage = progress.stats.regions.get(status.name, RegionUsage())
        cells = (
            status.name,
            words.state(status),
            f"{status.in_flight}/{status.limit}",
            f"{usage.ok:,}",
            f"{words.throttled(usage):,}",
            words.errors(usage),
            words.duration(usage.latency.quantile(0.5)),
            words.duration(usage.latency.quantile(0.95)),
        )
        table.add_row(*(Text(cell) for cell in cells))
    return table
