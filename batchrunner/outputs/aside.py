"""Results that are to be kept, out of the way of those that are to come."""

import itertools
from datetime import datetime
from pathlib import Path

from .disk import sibling


def set_aside(path: Path, now: datetime) -> None:
    """Give the files of an earlier run other names, so that a new one starts with none."""
    taken = (f".before-{now:%Y%m%dT%H%M%SZ}" + (f"-{n}" if n else "") for n in itertools.count())
    mark = next(m for m in taken if not sibling(path, m).exists())
    for suffix in (
        ".checkpoint.json",
        ".stats.json",
        ".report.html",
        "",
    ):  # the results last: they are the truth
        if (old := sibling(path, suffix)).exists():
            old.rename(sibling(old, mark))
