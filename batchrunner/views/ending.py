"""What a run came to, in words and a table, on standard error."""

import sys
import textwrap
from typing import TextIO

from ..outputs.disk import sibling
from ..summary import Summary
from ..terminal import printable
from . import log, record, words

WIDE = 120  #: columns of a table that is no terminal's


def show(summary: Summary, stream: TextIO | None = None) -> None:
    """Print the end of a run: what became of the jobs, the regions, and where the files are."""
    stream = stream or sys.stderr
    if isinstance(stream, log.Log):
        _log(summary, stream)
        return
    from rich.text import Text  # heavy, and only at the end

    from .live.columns import outcome
    from .screen import Screen

    console = Screen(file=stream, highlight=False, soft_wrap=True)
    width = console.width - 1 if console.is_terminal else None
    table = outcome(summary.progress, summary.cost_usd, width or WIDE)
    for row in [Text(), *table, Text()] if table else []:
        console.print(row)
    told = [line for sentence in sentences(summary) for line in _wrapped(sentence, width)]
    told += files(summary)  # never cut: people copy them
    told += [line for sentence in _stop(summary) for line in _wrapped(sentence, width)]
    for line in told:
        console.print(Text(printable(line)))


def _wrapped(sentence: str, width: int | None) -> list[str]:
    """Lines that end between words, where there is a ``width``."""
    if width is None:
        return [sentence]
    return textwrap.wrap(
        sentence,
        max(width, 20),
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _log(summary: Summary, stream: log.Log) -> None:
    for warning in summary.warnings:
        stream.event("warning", text=warning)
    stream.event("finished" if summary.complete else "stopped", **record.ended(summary))


def sentences(summary: Summary) -> list[str]:
    """The end of a run, sentence by sentence."""
    progress, stats = summary.progress, summary.progress.stats
    lines = [
        f"{stats.ok:,} of {progress.total:,} jobs answered, {stats.failed:,} failed"
        + (f", {progress.resumed:,} of them by earlier runs" if progress.resumed else "")
        + f"; {stats.calls:,} calls, {stats.wasted_calls:,} of them wasted,"
        + f" in {words.duration(progress.wall_s)}"
    ]
    lines += words.reused(stats.reused, progress.total)
    lines += words.spent(stats, summary.cost_usd.values())
    if codes := [(code, n) for code, n in stats.codes.most_common() if n]:
        lines.append("failures: " + ", ".join(f"{n:,} {code}" for code, n in codes))
    wrong = {name: words.errors(use) for name, use in stats.regions.items()}
    if found := [f"{name} {errors}" for name, errors in wrong.items() if errors]:
        lines.append("errors: " + "; ".join(found))
    lines += [f"{r.name} was left out: {r.reason}" for r in progress.regions if r.reason]
    lines += _extras(summary)
    if stats.ambiguous:
        lines.append(f"{stats.ambiguous:,} calls had no answer and may have been billed")
    lines += [f"warning: {warning}" for warning in summary.warnings]
    return lines


def files(summary: Summary) -> list[str]:
    """Where everything is."""
    return [
        f"results: {summary.output}",
        f"region usage: {sibling(summary.output, '.stats.json')}",
        f"report: {sibling(summary.output, '.report.html')}",
    ]


def _stop(summary: Summary) -> list[str]:
    """Last, so that nobody overlooks it."""
    return [] if summary.stop is None else [f"stopped early: {summary.stop.reason}"]


def _extras(summary: Summary) -> list[str]:
    """What the fallback took, and what was asked twice."""
    fallback = summary.fallback
    lines = []
    if fallback["jobs"]:
        cost = "" if fallback["cost_usd"] is None else f", for {fallback['cost_usd']:.4f} USD"
        lines.append(f"openai gave {fallback['share']:.1%} of the answers{cost}")
    if fallback["held_back"]:
        lines.append(f"openai was held back: {fallback['held_back']}")
    if invalid := summary.progress.stats.invalid:
        reasks = summary.progress.stats.reasks
        lines.append(
            f"{invalid:,} answers were not taken (--schema); {reasks:,} calls asked again"
        )
    if summary.hedged:
        lines.append(f"{summary.hedged:,} calls were overtaken by a second one (--hedge)")
    return lines
