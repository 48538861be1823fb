"""The whole screen: what is shown where there is room for so many lines. Pure.

Every part is granted lines in the order of its importance. Lines are never wrapped and never more
than asked for, since a screen that scrolls cannot be drawn over.
"""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from ...problems import Problem
from .. import words
from ..gauge import Snapshot
from .cells import cut
from .columns import reasons, table, unexplained
from .head import bar, facts

MOST_PROBLEMS = 8
GRANTS = (
    ("bar", 1),
    ("facts", 1),
    ("note", 1),
    ("table", 2),
    ("facts", 1),
    ("table", 3),
    ("facts", 1),
    ("problems", 2),
    ("gaps", 2),
    ("reasons", 1),
    ("facts", 3),
    ("table", 4),
    ("problems", 2),
    ("reasons", 2),
    ("table", 999),
    ("problems", 999),
    ("reasons", 999),
)


def frame(snapshot: Snapshot, width: int, height: int) -> list[Text]:
    """The lines of a screen of ``width`` cells, at most ``height`` of them."""
    latest = _latest(snapshot, _granted(snapshot, height, 0)["problems"])
    unsaid = unexplained(snapshot, latest)
    granted = _granted(snapshot, height, len(unsaid))
    rows = table(snapshot, width, granted["table"])
    why = reasons(unsaid[: granted["reasons"]], width)
    problems = _problems(_latest(snapshot, granted["problems"]), width)
    note = snapshot.progress.note
    lines = [bar(snapshot, width), *facts(snapshot, width, granted["facts"])]
    lines += [Text(cut(note, width), "bold yellow")] * granted["note"]
    gap = [Text()] if granted["gaps"] == 2 else []
    for block in ([*rows, *why], problems):
        lines += [*gap, *block] if block else []
    for line in lines:  # of the few cells that no layout is made for
        line.truncate(width)
    return lines[: max(0, height)]


def _granted(snapshot: Snapshot, height: int, unsaid: int) -> dict[str, int]:
    """How many lines each part has."""
    regions = snapshot.progress.regions
    most = {
        "bar": 1,
        "facts": 6 if words.bounds(snapshot.progress.bounds) else 5,
        "note": 1 if snapshot.progress.note else 0,
        "table": len(regions) + 1 if regions else 0,
        "problems": min(MOST_PROBLEMS, len(snapshot.problems)),
        "reasons": unsaid,
        "gaps": 2,
    }
    granted = dict.fromkeys(most, 0)
    for part, lines in GRANTS:
        more = min(lines, most[part] - granted[part], height)
        granted[part] += more
        height -= more
    return granted


def _latest(snapshot: Snapshot, rows: int) -> list[Problem]:
    """The last so many problems, in the order they began."""
    by_end = sorted(snapshot.problems, key=lambda problem: problem.at, reverse=True)[:rows]
    return [problem for problem in snapshot.problems if problem in by_end]


def _problems(problems: Sequence[Problem], width: int) -> list[Text]:
    """Each with its time since the run began."""
    lines = []
    for problem in problems:
        style = "green" if problem.kind == "back" else ""
        since, until = _clock(problem.since), ""
        if problem.at - problem.since >= 1:
            until = f", until {_clock(problem.at).strip()}"
        room = max(0, width - len(since) - 2)
        text = cut(problem.text, room)
        until = until if cell_len(text) + len(until) <= room else ""
        lines.append(Text.assemble((since, "dim"), "  ", (text, style), (until, "dim")))
    return lines


def _clock(seconds: float) -> str:
    """``  4:05``, ``1:02:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:>4}:{rest:02d}"
