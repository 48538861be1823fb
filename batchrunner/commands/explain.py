"""One job, explained."""

from pathlib import Path

import anyio

from ..errors import UsageError
from ..explain import Wanted, explain
from ..views.explained import explained_lines
from .talk import say


def explain_command(output: Path, wanted: Wanted, *, answer: bool, as_json: bool) -> int:
    """Tell everything about one job; 0 where it is found."""
    if (wanted.id is None) == (wanted.line is None):
        raise UsageError("name one job: by its id, or by the line of the input with --line N")
    found = anyio.run(explain, output, wanted)
    content = found.as_json() | ({"answers": found.texts} if answer else {})
    say(content, explained_lines(found, answer=answer), as_json=as_json)
    return 0
