"""The run as a whole: how far, how long, how fast, and for what money. Pure."""

from collections.abc import Sequence

from rich.text import Text

from ...summary import Progress
from .. import words
from ..gauge import Snapshot
from .cells import THICK, THIN, cut, fit, short, spark

LABEL, FIRST, SECOND = 8, 20, 24  #: cells of the columns
LEAST_BAR = 10
LEAST_SPARK = 12


def bar(snapshot: Snapshot, width: int) -> Text:
    """How many of the jobs have their last word."""
    progress = snapshot.progress
    share = min(1.0, progress.done / progress.total) if progress.total else 1.0
    percent = f"{int(share * 1000) / 10:5.1f} %"  # never 100 before the end
    total = f"{progress.total:,}"
    told = f"  {percent}  {progress.done:>{len(total)},} of {total} jobs"
    if width - len(told) < LEAST_BAR:
        told = f"  {percent}"
    cells = max(0, width - len(told))
    full = int(share * cells)
    return Text.assemble(
        (THICK * full, "bold green"), (THIN * (cells - full), "dim"), (cut(told, width), "bold")
    )


def facts(snapshot: Snapshot, width: int, rows: int) -> list[Text]:
    """Time, bounds, rate, money, tokens and jobs: the first so many rows."""
    bound = [_bounds] if words.bounds(snapshot.progress.bounds) else []
    made = [_time, *bound, _rate, _cost, _tokens, _jobs]
    return [fact(snapshot, width) for fact in made[: max(0, rows)]]


def _line(label: str, values: Sequence[str], width: int, styles: Sequence[str] = ()) -> Text:
    """A label and values in columns; the first that do not fit are left out, with all behind."""
    line, used = Text(fit(label, min(LABEL, width)), "dim"), LABEL
    shown = Text.assemble(line)
    for number, value in enumerate(values):
        column = (FIRST, SECOND, width)[number]
        if used + min(column, len(value)) > width:
            break
        style = styles[number] if number < len(styles) else ""
        shown.append(fit(value, min(column, width - used)), style or None)
        used += column
    shown.rstrip()
    return shown


def _time(snapshot: Snapshot, width: int) -> Text:
    left = snapshot.remaining
    passed = f"{words.rough(snapshot.progress.wall_s)} so far"
    if left is None:
        unknown = "paused" if snapshot.progress.paused else "not known yet"
        return _line("time", [unknown, "", passed], width, ["dim"])
    return _line(
        "time",
        [f"{words.rough(left.likely)} left", between(snapshot), passed],
        width,
        ["bold", ""],
    )


def _bounds(snapshot: Snapshot, width: int) -> Text:
    bounds = snapshot.progress.bounds
    parts = ", ".join(words.bounds(bounds))
    style = "bold yellow" if is_near(snapshot) else ""
    return Text.assemble(
        (fit("bounds", min(LABEL, width)), "dim"), (cut(parts, max(0, width - LABEL)), style)
    )


def is_near(snapshot: Snapshot) -> bool:
    """Whether a bound will end the run before its last job, as far as can be seen."""
    bounds, left = snapshot.progress.bounds, snapshot.remaining
    return (
        (snapshot.projected_usd or bounds.cost_usd) > bounds.max_cost
        or (snapshot.projected_tokens or bounds.tokens) > bounds.max_tokens
        or (left is not None and bounds.ends_in is not None and left.likely > bounds.ends_in)
    )


def between(snapshot: Snapshot) -> str:
    """From when to when the run may last."""
    left = snapshot.remaining
    return f"{words.rough(left.low)} to {words.rough(left.high)}" if left else ""


def _rate(snapshot: Snapshot, width: int) -> Text:
    progress = snapshot.progress
    now, mean = f"{snapshot.now:.1f}/s now", f"{progress.rate:.1f}/s on average"
    line = _line("rate", [now, mean], width, ["bold"])
    room = width - LABEL - FIRST - SECOND
    values, seconds = throughput(progress, room - 10)
    if len(values) > 1 and room >= LEAST_SPARK + 10:
        line.pad_right(LABEL + FIRST + SECOND - line.cell_len)
        line.append(spark(values), "cyan")
        line.append(f" {words.rough(len(values) * seconds)}", "dim")
    return line


def throughput(progress: Progress, most: int) -> tuple[list[float], float]:
    """Answers in the last slices of time, and how many seconds a slice has; without the open one.

    Earlier runs are not among them.
    """
    timeline = progress.timeline
    begun = timeline.starts[-1][0] if timeline.starts else 0.0
    end = max(map(len, timeline.regions.values()), default=1) - 1
    first = max(0, end - most, int(begun / timeline.width))
    values = [0.0] * max(0, end - first)
    for slices in timeline.regions.values():
        for index, one in enumerate(slices[first:end]):
            values[index] += one.ok
    return values, timeline.width


def _cost(snapshot: Snapshot, width: int) -> Text:
    cost, end = snapshot.cost_usd, snapshot.projected_usd
    if cost is None:
        return _line("cost", ["no known price" if snapshot.costs else "-"], width, ["dim"])
    at_least = "" if snapshot.is_all_priced else "at least "
    values = [f"{at_least}{words.usd(cost)}"]
    values += [f"about {words.usd(end, rough=True)} in all"] if end else []
    return _line("cost", values, width, ["bold"])


def _tokens(snapshot: Snapshot, width: int) -> Text:
    prompt, completion, cached = snapshot.tokens
    values = [short(prompt + completion)]
    end = snapshot.projected_tokens
    values.append(f"about {short(end)} in all" if end else "")
    from_cache = f" ({short(cached)} cached)" if cached else ""
    values.append(f"{short(prompt)} in prompts{from_cache}, {short(completion)} in answers")
    return _line("tokens", values, width, ["bold"])


def _jobs(snapshot: Snapshot, width: int) -> Text:
    progress = snapshot.progress
    values = [f"{progress.stats.ok:,} answered", f"{progress.stats.failed:,} failed"]
    also = [
        f"{progress.waiting:,} wait for a region" if progress.waiting else "",
        f"{progress.resumed:,} by earlier runs" if progress.resumed else "",
        f"{progress.reused:,} reused" if progress.reused else "",
    ]
    values.append(", ".join(filter(None, also)))
    return _line("jobs", values, width, ["bold", "red" if progress.stats.failed else ""])
