"""Talk as JSON: every line on standard error is one object, for programs that collect logs.

``docs/progress.md`` lists the events and their keys.
"""

import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

OPTION, VARIABLE = "--log-format", "BATCHRUNNER_LOG_FORMAT"
SPEAKERS = {"run", "retry", "plan"}  #: the commands that have the option
PREFIX = "batchrunner: "  #: of sentences for people


class Log(io.TextIOBase):
    """Standard error in JSON. A line of text that others write to it becomes a warning."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._begun = ""

    def event(self, name: str, **content: Any) -> None:
        """Write one object; a reader that is gone is not waited for."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = orjson.dumps({"time": now, "event": name, **content}, default=str)
        with suppress(OSError, ValueError):
            self._stream.write(line.decode() + "\n")
            self._stream.flush()

    def write(self, text: str) -> int:
        """Take text of others, and log its whole lines."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in filter(str.strip, lines):
            self.event("warning", text=line.removeprefix(PREFIX))
        return len(text)

    def isatty(self) -> bool:
        """Never: objects are not for eyes."""
        return False

    def fileno(self) -> int:
        """Where the objects go."""
        return self._stream.fileno()

    def finish(self) -> None:
        """Write what has no line end yet."""
        if self._begun.strip():
            self.write("\n")


def spoken() -> Log | None:
    """The log that standard error is, if it is one."""
    return sys.stderr if isinstance(sys.stderr, Log) else None


def begin() -> None:
    """From now on all that is said on standard error is JSON, until ``within`` ends."""
    if spoken() is None:
        sys.stderr = Log(sys.stderr)


@contextmanager
def within(*, as_json: bool) -> Iterator[None]:
    """Standard error is afterwards what it was, whoever has begun to speak JSON on it."""
    before = sys.stderr
    try:
        if as_json:
            begin()
        yield
    finally:
        if (log := spoken()) is not None:
            log.finish()
        sys.stderr = before


def is_asked(arguments: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Whether JSON is asked for so plainly that it is known before any settings are read."""
    if not arguments or arguments[0] not in SPEAKERS:
        return False
    for number, argument in enumerate(arguments):
        if argument == OPTION:
            return [*arguments, ""][number + 1] == "json"
        if argument.startswith(f"{OPTION}="):
            return argument == f"{OPTION}=json"
    return environ.get(VARIABLE) == "json"
