"""What commands say: data on standard output, talk on standard error."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson

from ..terminal import printable, printable_lines
from ..views import log


def say(content: Mapping[str, Any], lines: Sequence[str], *, as_json: bool) -> None:
    """Print ``content`` as JSON, or the ``lines`` that say the same to people."""
    with suppress(OSError):  # who stopped reading does not change the exit code
        text = orjson.dumps(content).decode() if as_json else "\n".join(lines)
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def tell(line: str) -> None:
    """A sentence for people."""
    if (stream := log.spoken()) is not None:
        stream.event("message", text=printable(line))
        return
    with suppress(OSError):
        sys.stderr.write(f"batchrunner: {printable(line)}\n")


def complain(text: str, exit_code: int) -> None:
    """Why a command ends with this code, and what to do about it."""
    if (stream := log.spoken()) is not None:
        stream.event("error", text=printable_lines(text), exit_code=exit_code)
        return
    with suppress(OSError):
        sys.stderr.write(f"batchrunner: {printable_lines(text)}\n")
