"""What commands say: data on standard output, talk on standard error."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson

from ..terminal import printable


def say(content: Mapping[str, Any], lines: Sequence[str], *, as_json: bool) -> None:
    """Print ``content`` as JSON, or the ``lines`` that say the same to people."""
    with suppress(OSError):  # who stopped reading does not change the exit code
        text = orjson.dumps(content).decode() if as_json else "\n".join(lines)
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def tell(line: str) -> None:
    """A sentence for people."""
    with suppress(OSError):
        sys.stderr.write(f"batchrunner: {printable(line)}\n")
