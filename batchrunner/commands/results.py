"""What results say of themselves."""

from pathlib import Path

import anyio

from ..status import as_json as status_json
from ..status import status
from ..verify import verify
from ..views.findings import status_lines, verify_lines
from .talk import say


def status_command(output: Path, *, as_json: bool) -> int:
    """Tell how far a run is; 0 wherever that can be told."""
    summary, writer = status(output)
    say(status_json(summary, writer), status_lines(summary), as_json=as_json)
    return 0


def verify_command(output: Path, input_: str | None, *, as_json: bool) -> int:
    """Check every line again; returns the exit code."""
    found = anyio.run(verify, output, input_)
    say(found.as_json(), verify_lines(found), as_json=as_json)
    return found.exit_code
