"""Regions as rows of a table that is never wider than the screen. Pure.

Every column keeps its width while the run goes on, so that nothing jumps. Where there is not
enough room the least important columns are left out, and then names are cut.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.text import Text

from ...policy.region import RegionStatus
from ...problems import Problem
from ...stats import RegionUsage
from ...summary import Progress
from ...terminal import printable
from .. import words
from ..gauge import Snapshot
from .cells import Side, cut, fit, gauge

GAP = 2  #: cells between two columns
LEAST_NAME, MOST_NAME = 8, 28
LEAST_ROWS = 2  #: of a table that has room for saying what is left out
FEW = 4  #: columns: fewer are worth more than whole names
MARKS = {"open": "●", "throttled": "◐", "resting": "○", "out": "✕"}
STYLES = {"open": "green", "throttled": "yellow", "resting": "magenta", "out": "red"}
QUOTA = 5  #: cells of a bar

Shown = tuple[str, str]  #: a text and its style
Costs = Mapping[str, float | None]  #: US dollars by region; None where no price is known
Cell = Callable[[RegionStatus, RegionUsage], Shown]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: those of a low ``rank`` are left out last."""

    title: str
    width: int
    rank: int
    cell: Cell
    side: Side = "right"


def table(snapshot: Snapshot, width: int, rows: int) -> list[Text]:
    """A head, and regions in as many ``rows`` as there are, at most; head included."""
    statuses = snapshot.progress.regions
    if rows < LEAST_ROWS or not statuses:
        return []
    columns = fitting(_columns(snapshot), width)
    shown, left = _busiest(snapshot, rows - 1)
    lines = drawn(columns, shown, snapshot.progress)
    return [*lines, _more(left, width)] if left else lines


def outcome(progress: Progress, costs: Costs, width: int) -> list[Text]:
    """What every region came to; columns are as wide as what is in them."""
    statuses, usages = progress.regions, progress.stats.regions
    if not statuses:
        return []
    columns = [
        Column("region", MOST_NAME, 0, _name, "left"),
        Column("state", 11, 1, lambda s, _: _mark(s), "left"),
        Column("ok", 0, 2, _ok),
        Column("429s", 0, 4, _throttled),
        Column("errors", 0, 5, _errors),
        Column("USD", 0, 3, lambda s, _: _money(costs, s.name)),
        Column("p50", 0, 8, _half),
        Column("p95", 0, 7, _most),
    ]
    rows = [(s, usages.get(s.name) or RegionUsage()) for s in statuses]
    snug = [replace(c, width=_widest(c, rows)) for c in columns]
    return drawn(fitting(snug, width), statuses, progress)


def drawn(
    columns: Sequence[Column], statuses: Sequence[RegionStatus], progress: Progress
) -> list[Text]:
    """A head, and a row for each region."""
    head = (" " * GAP).join(fit(c.title, c.width, c.side) for c in columns)
    usages = progress.stats.regions
    rows = [_row(columns, s, usages.get(s.name) or RegionUsage()) for s in statuses]
    return [Text(head.rstrip(), "dim"), *rows]


def unexplained(snapshot: Snapshot, said: Sequence[Problem]) -> list[RegionStatus]:
    """Regions that are left out, where no problem that is shown says why."""
    told = {problem.region for problem in said if problem.kind in {"out", "missing"}}
    return [s for s in snapshot.progress.regions if s.reason and s.name not in told]


def reasons(statuses: Sequence[RegionStatus], width: int) -> list[Text]:
    """Why regions are left out."""
    mark = f"{MARKS['out']} "
    return [
        Text.assemble((mark, "red"), cut(f"{s.name}: {s.reason}", max(0, width - len(mark))))
        for s in statuses
    ]


def _columns(snapshot: Snapshot) -> list[Column]:
    """All columns, each as wide as it may need to be before the run has ended."""
    progress, costs = snapshot.progress, snapshot.costs
    longest = max(cell_len(printable(s.name)) for s in progress.regions)
    name = min(MOST_NAME, max(LEAST_NAME, longest))
    count = max(6, len(f"{progress.total:,}"))
    slots = max(2, len(str(max(s.limit for s in progress.regions))))
    return [
        Column("region", name, 0, _name, "left"),
        Column("state", 17, 1, _state, "left"),
        Column("in flight", max(9, 2 * slots + 1), 3, lambda s, _: _slots(s, slots)),
        Column("quota used", QUOTA + 5, 6, _quota, "left"),
        Column("ok", count, 2, _ok),
        Column("429s", 6, 4, _throttled),
        Column("errors", 6, 5, _errors),
        Column("USD", 7, 9, lambda s, _: _money(costs, s.name)),
        Column("p50", 6, 8, _half),
        Column("p95", 6, 7, _most),
    ]


def fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """Those that there is room for, in their order."""
    kept = list(columns)
    while len(kept) > 1 and (over := _width(kept) - width) > 0:
        if over <= kept[0].width - LEAST_NAME and len(kept) < FEW:
            kept[0] = replace(kept[0], width=kept[0].width - over)
        else:
            kept.remove(max(kept, key=lambda column: column.rank))
    if _width(kept) > width:
        kept[0] = replace(kept[0], width=width)
    return kept


def _widest(column: Column, rows: Sequence[tuple[RegionStatus, RegionUsage]]) -> int:
    texts = [column.title, *(printable(column.cell(*row)[0]) for row in rows)]
    return min(column.width or MOST_NAME, max(map(cell_len, texts)))


def _width(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def _busiest(snapshot: Snapshot, rows: int) -> tuple[list[RegionStatus], list[RegionStatus]]:
    """Those to show in ``rows`` and those left over, each in the order they are configured."""
    statuses, usages = list(snapshot.progress.regions), snapshot.progress.stats.regions
    if len(statuses) <= rows:
        return statuses, []
    place = max(1, rows - 1) if rows >= LEAST_ROWS else 0

    def calls(index: int) -> tuple[int, int]:
        usage = usages.get(statuses[index].name)
        return (usage.calls if usage else 0), -index

    chosen = set(sorted(range(len(statuses)), key=calls, reverse=True)[:place])
    return (
        [status for index, status in enumerate(statuses) if index in chosen],
        [status for index, status in enumerate(statuses) if index not in chosen],
    )


def _more(left: Sequence[RegionStatus], width: int) -> Text:
    """How many are not shown, and how they are."""
    states = [status.state for status in left]
    parts = [f"{states.count(state)} {state}" for state in MARKS if state in states]
    return Text(cut(f"+{len(left)} more: {', '.join(parts)}", width), "dim")


def _row(columns: Sequence[Column], status: RegionStatus, usage: RegionUsage) -> Text:
    row = Text()
    for number, column in enumerate(columns):
        text, style = column.cell(status, usage)
        row.append(" " * GAP if number else "")
        row.append(fit(text, column.width, column.side), style or None)
    return row


def _name(status: RegionStatus, _: RegionUsage) -> Shown:
    return status.name, "bold"


def _mark(status: RegionStatus) -> Shown:
    return f"{MARKS.get(status.state, '?')} {status.state}", STYLES.get(status.state, "")


def _state(status: RegionStatus, _: RegionUsage) -> Shown:
    text, style = _mark(status)
    wait = f" {words.rough(status.opens_in)}" if status.opens_in else ""
    return f"{text}{wait}", style


def _slots(status: RegionStatus, width: int) -> Shown:
    return (
        f"{status.in_flight:>{width}}/{status.limit:>{width}}",
        "" if status.in_flight else "dim",
    )


def _quota(status: RegionStatus, _: RegionUsage) -> Shown:
    if status.rpm is None and status.tpm is None and not status.use:
        return "-", "dim"
    return f"{gauge(status.use, QUOTA)} {min(status.use, 9.99):>4.0%}", "cyan"


def _ok(_: RegionStatus, usage: RegionUsage) -> Shown:
    return f"{usage.ok:,}", ""


def _throttled(_: RegionStatus, usage: RegionUsage) -> Shown:
    return _count(words.throttled(usage), "yellow")


def _errors(_: RegionStatus, usage: RegionUsage) -> Shown:
    return _count(usage.errors.total(), "red")


def _half(_: RegionStatus, usage: RegionUsage) -> Shown:
    return _seconds(usage, 0.5)


def _most(_: RegionStatus, usage: RegionUsage) -> Shown:
    return _seconds(usage, 0.95)


def _money(costs: Costs, region: str) -> Shown:
    cost = costs.get(region, 0.0)
    return ("?", "dim") if cost is None else (words.dollars(cost), "" if cost else "dim")


def _count(count: int, style: str) -> Shown:
    return f"{count:,}", style if count else "dim"


def _seconds(usage: RegionUsage, share: float) -> Shown:
    seconds = usage.latency.quantile(share)
    return words.duration(seconds), "" if seconds is not None else "dim"
