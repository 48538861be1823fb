"""A plan, as people read it: within 80 columns, as a table of rich on a terminal."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..planning.plan import Effect, Plan, Range, Row
from ..terminal import printable
from .words import duration

WIDTH = 80
LONGEST = 16  #: characters of a region's name
LABEL = 12
NOISE = 0.03  #: of the time; rehearsals of the same differ by as much


@dataclass(frozen=True, slots=True)
class Table:
    """Columns under a heading; the first is of words, the others of numbers."""

    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)


def plan_lines(plan: Plan, name: str) -> list[str]:
    """All of it, as plain text."""
    if not plan.sample.jobs:
        done = f": all {plan.sample.done:,} jobs have their result" if plan.sample.done else ""
        return [printable(f"{name}: there is nothing to plan{done}")]
    lines = [*_head(plan, name), ""]
    for table in tables(plan):
        lines += [*_plain(table), ""]
    return [printable(line).rstrip() for line in [*lines, *_tail(plan)]]


def plan_screen(plan: Plan, name: str) -> None:
    """The same on a terminal."""
    from rich import box
    from rich.table import Table as Shown
    from rich.text import Text

    from .screen import Screen

    screen = Screen(highlight=False, soft_wrap=True)
    for line in _head(plan, name):
        screen.print(Text(printable(line)))
    for table in tables(plan):
        shown = Shown(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for number, column in enumerate(table.columns):
            shown.add_column(column, justify="right" if number else "left", no_wrap=True)
        for row in table.rows:
            shown.add_row(*(Text(printable(cell)) for cell in row))
        screen.print(shown)
    for line in _tail(plan):
        screen.print(Text(printable(line)))


def tables(plan: Plan) -> Iterator[Table]:
    """The regions, and what would change the run."""
    yield Table(
        ("region", "jobs", "share", "prompts", "answers", "USD", "of RPM", "of TPM"),
        [_region(row) for row in plan.regions],
    )
    if plan.effects:
        yield Table(
            ("with this change", "time", "saves", "USD", "saves"),
            [_effect(effect, plan) for effect in plan.effects],
        )


def _head(plan: Plan, name: str) -> Iterator[str]:
    sample = plan.sample
    of = "all lines looked at" if sample.is_whole else f"{sample.parsed:,} lines parsed"
    yield f"{name}: {sample.jobs:,} jobs ({of})"
    yield ""
    low, high = duration(plan.seconds.low), duration(plan.seconds.high)
    least = "at least" if plan.is_bound else "about"
    yield from _labelled("time", f"{least} {duration(plan.seconds.expected)} ({low} to {high})")
    yield from _labelled("held up by", plan.bottleneck.words)
    yield from _labelled("cost", _cost(plan.cost_usd))
    yield from _labelled("tokens", f"{_range(plan.prompt)} in prompts")
    yield from _labelled("", f"{_range(plan.completion)} in answers")
    jobs, cost = plan.fallback
    if jobs:
        yield from _labelled("OpenAI", f"{jobs:,} jobs, for {_usd(cost)} USD")
    for stop in plan.stops:
        yield from _labelled("stopped", stop)


def _tail(plan: Plan) -> Iterator[str]:
    for warning in plan.warnings:
        yield from _wrapped("warning: ", warning)
    yield "taken for granted"
    for assumption in plan.assumptions:
        yield from _wrapped("- ", assumption)


def _region(row: Row) -> list[str]:
    return [
        _cut(row.name, LONGEST),
        f"{row.jobs:,}",
        f"{row.share:.1%}",
        count(row.prompt),
        count(row.completion),
        _usd(row.cost_usd),
        _use(row.requests_use),
        _use(row.tokens_use),
    ]


def _effect(effect: Effect, plan: Plan) -> list[str]:
    before = plan.seconds.expected or 1.0
    saved, is_same = effect.saves_usd, abs(effect.saves_s) < NOISE * before
    return [
        _cut(effect.change, 40),
        duration(plan.seconds.expected if is_same else effect.seconds),
        "no" if is_same else f"{effect.saves_s / before:+.0%}",
        _usd(effect.cost_usd),
        "-" if saved is None else f"{saved:+,.2f}" if abs(saved) >= 0.005 else "0.00",
    ]


def count(tokens: float | None) -> str:
    """``950``, ``12.3k``, ``4.56M``."""
    if tokens is None:
        return "-"
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if tokens >= 0.9995 * size:
            return (
                f"{tokens / size:.3g}{unit}"
                if tokens < 999.5 * size
                else f"{tokens / size:.0f}{unit}"
            )
    return f"{tokens:.0f}"


def _range(value: Range) -> str:
    return f"{count(value.expected)} ({count(value.low)} to {count(value.high)})"


def _cost(cost: Range) -> str:
    if cost.expected is None:
        return "unknown: a model has no known price"
    return f"{_usd(cost.expected)} USD ({_usd(cost.low)} to {_usd(cost.high)})"


def _usd(cost: float | None) -> str:
    if cost is None:
        return "-"
    if 0 < cost < 0.00005:
        return "<0.0001"
    return f"{cost:,.2f}" if cost >= 1 or not cost else f"{cost:.4f}"


def _use(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _labelled(label: str, text: str) -> list[str]:
    first = f"{label:{LABEL}}"
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=" " * LABEL)


def _wrapped(mark: str, text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=mark, subsequent_indent="  ", break_on_hyphens=False
    )


def _plain(table: Table) -> Iterator[str]:
    rows = [table.columns, *table.rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
