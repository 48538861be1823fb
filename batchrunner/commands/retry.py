"""Failed jobs once more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..again import again
from ..selection import Selection
from ..views.findings import again_lines
from .run import run_command
from .sources import Files, Sources
from .talk import say, tell


@dataclass(frozen=True, slots=True)
class Which:
    """Which jobs of which output."""

    output: Path
    only: Sequence[str]
    input: str | None
    dry_run: bool


def retry_command(
    which: Which, sources: Sources, options: Mapping[str, Any], *, as_json: bool, quiet: bool
) -> int:
    """Run a selection of failed jobs again; returns the exit code.

    Where nothing is selected nothing is changed, and it is that of the output: 1 if any failed.
    """
    found = again(which.output, Selection.parse(which.only), which.input)
    if which.dry_run or found.is_idle:
        say(
            {"dry_run": which.dry_run, "retry": found.as_json()},
            again_lines(found),
            as_json=as_json,
        )
        return 1 if found.is_idle and found.failed else 0
    if not quiet:
        for line in again_lines(found):
            tell(line)
    files = Files(found.input, str(found.output), sources)
    return run_command(files, options, as_json=as_json, quiet=quiet, again=found)
