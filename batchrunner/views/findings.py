"""What ``status`` and ``verify`` found, in words."""

from collections import Counter

from ..again import Again
from ..summary import Summary
from ..tables.exported import Exported
from ..terminal import printable
from ..verify import Finding, Verification
from . import words


def status_lines(summary: Summary) -> list[str]:
    """How far a run is, and what each region did."""
    progress, stats = summary.progress, summary.progress.stats
    left = progress.total - progress.done
    state = "complete" if summary.stop is None else summary.stop.reason
    lines = [f"{summary.output}: {state}"]
    lines.append(
        f"{stats.ok:,} of {progress.total:,} jobs answered, {stats.failed:,} failed, "
        f"{left:,} to go; {stats.calls:,} calls, {stats.wasted_calls:,} of them wasted, "
        f"in {words.duration(summary.wall_s)}"
    )
    lines += words.reused(stats.reused, progress.total)
    lines += words.spent(stats, summary.cost_usd.values())
    if stats.ambiguous:
        lines.append(f"{stats.ambiguous:,} calls had no answer and may have been billed")
    for name, usage in stats.regions.items():
        lines.append(
            f"{name}: {usage.ok:,} ok, {words.throttled(usage):,} throttled, "
            f"errors: {words.errors(usage) or 0}"
        )
    return lines


def again_lines(found: Again) -> list[str]:
    """Which failed jobs are selected, and what runs besides."""
    if found.is_idle:
        return [f"{found.output}: none of {found.failed:,} failed jobs is selected: nothing to do"]
    if not found.selected:
        lines = [f"{found.output}: none of {found.failed:,} failed jobs is selected"]
    else:
        lines = [f"{found.output}: {found.selected:,} of {found.failed:,} failed jobs run again"]
        lines.append(f"by code: {_counts(found.codes)}; by region: {_counts(found.regions)}")
    if found.unfinished:
        lines.append(f"{found.unfinished:,} that an earlier retry has left run too")
    return [printable(line) for line in lines]


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in counts.most_common())


def export_lines(told: Exported) -> list[str]:
    """What was written, and what is not in it."""
    parts = [f"{told.rows:,} rows", f"{told.answered:,} with an answer", f"{told.failed:,} failed"]
    if told.missing:
        parts.append(f"{told.missing:,} without a result yet")
    lines = [f"{told.output}: {', '.join(parts)}"]
    if told.columns:
        lines.append("columns: " + ", ".join(f"{c.name} ({c.type})" for c in told.columns))
    if told.unmatched:
        lines.append(
            f"{told.unmatched:,} answers match no row of the input: see --id-column and --input"
        )
    if told.hint:
        lines.append(told.hint)
    if told.errors:
        lines.append(f"those that failed are in {told.errors}")
    if told.kept:
        lines.append(f"{told.kept} is not of this export, in which nothing failed")
    return [printable(line) for line in lines]


def verify_lines(found: Verification) -> list[str]:
    """What is right, what is wrong, and what to do about it."""
    lines = [f"{found.output}: {found.records:,} jobs have a whole line, {found.failed:,} failed"]
    noun = found.noun
    for finding, text, called in (
        (found.damaged, "damaged lines in the results", "line"),
        (found.doubled, "lines in the results of jobs that had one already", "line"),
        (found.missing, f"{noun}s of the input have no result", noun),
        (found.changed, f"{noun}s of the input are not those that the results answer", noun),
        (found.beyond, f"results are for {noun}s behind the end of the input", noun),
    ):
        if finding is not None and finding.count:
            lines.append(f"{finding.count:,} {text}: {called} {_numbers(finding)}")
    if found.lost_bytes or found.lost_jobs:
        lines.append(
            f"{found.lost_jobs:,} lines ({found.lost_bytes:,} bytes) are gone that were safe"
        )
    if found.unfinished_bytes:
        lines.append(f"{found.unfinished_bytes:,} bytes at the end are half a line")
    if len(found.settings) > 1:
        parts = ", ".join(f"{mark} ({n:,})" for mark, n in found.settings.most_common())
        lines.append(f"the lines were made with more than one set of settings: {parts}")
    return [*lines, *found.notes, _verdict(found)]


def _numbers(finding: Finding) -> str:
    more = ", …" if finding.count > len(finding.first) else ""
    return ", ".join(f"{number:,}" for number in finding.first) + more


def _verdict(found: Verification) -> str:
    if found.is_damaged:
        return (
            "damaged: run the same command again, which mends what was not safe yet; "
            "for the rest restore the file, or add --repair"
        )
    if found.exit_code == 4:
        return "not the results of this input: give the one it was made from with --input"
    if found.exit_code == 0:
        return "whole, unique and complete; every job has an answer"
    if found.complete and not (found.missing and found.missing.count):
        return "whole, unique and complete, but some jobs failed: see their error"
    return "whole so far, but not complete: run the same command again to go on"
