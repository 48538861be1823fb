"""Draws lines over those that were drawn before, without flicker.

Only lines that changed are written again. They are drawn below what the terminal shows already,
and are gone when the painter is done with them. A terminal that has another width than before has
wrapped the lines that became too long for it: they are counted before they are cleared away.
"""

import io
import os
import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from typing import TextIO

from rich.console import ConsoleDimensions
from rich.text import Text

from ..screen import Screen

HIDE, SHOW, CLEAR_LINE, CLEAR_BELOW = "\x1b[?25l", "\x1b[?25h", "\x1b[K", "\x1b[J"


class Painter:
    """Keeps some lines at the end of a terminal up to date."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._console = Screen(file=stream, highlight=False, force_terminal=True)
        self._shown: list[Text] = []
        self._size = self.size

    @property
    def size(self) -> ConsoleDimensions:
        """Columns and lines of the terminal, as they are now."""
        try:
            columns, lines = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):  # it is no file, or closed
            columns, lines = 0, 0
        usual = self._console.size  # some terminals do not know how large they are
        return ConsoleDimensions(columns or usual.width, lines or usual.height)

    def paint(self, lines: Sequence[Text]) -> None:
        """Show these lines, and no others."""
        if not self.is_ready:
            return
        size = self.size
        start = self._start_over(size) if size != self._size else _up(len(self._shown))
        self._size = self._console.size = size
        parts = [HIDE, start]
        for number, line in enumerate(lines):
            is_same = number < len(self._shown) and self._shown[number] == line
            parts.append("\r\n" if is_same else f"\r{self._drawn(line)}{CLEAR_LINE}\r\n")
        self._shown = list(lines)
        self._write("".join([*parts, CLEAR_BELOW]))

    def clear(self) -> None:
        """Take the lines away; what is written next stands where they were."""
        start = self._start_over(self.size)
        self._write(f"{start}{SHOW}")

    @property
    def is_ready(self) -> bool:
        """Whether the terminal takes anything now: it may have been stopped by Ctrl-S."""
        try:
            return bool(select.select([], [self._stream], [], 0)[1])
        except (OSError, ValueError):  # it is no file
            return True

    def _start_over(self, size: ConsoleDimensions) -> str:
        """To where the lines began, however they are wrapped by now; nothing is left of them."""
        rows = sum(max(1, -(-line.cell_len // max(1, size.width))) for line in self._shown)
        self._shown = []
        return f"{_up(rows)}\r{CLEAR_BELOW}"

    def _drawn(self, line: Text) -> str:
        with self._console.capture() as capture:
            self._console.print(line, end="", no_wrap=True, overflow="crop", crop=True)
        return capture.get()

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _up(rows: int) -> str:
    return f"\x1b[{rows}A" if rows else ""


class _Above(io.TextIOBase):
    """Standard error while lines are kept at its end: what is written to it stands above them."""

    def __init__(self, painter: Painter, stream: TextIO) -> None:
        self._painter, self._stream = painter, stream
        self._begun = ""

    def write(self, text: str) -> int:
        whole, end, self._begun = (self._begun + text).rpartition("\n")
        if end:
            self._painter.clear()
            self._stream.write(whole + end)
            self._stream.flush()
        return len(text)

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


@contextmanager
def painting(stream: TextIO) -> Iterator[Painter]:
    """A painter, and its lines taken away at the end."""
    painter = Painter(stream)
    above = _Above(painter, stream)
    with redirect_stderr(above):
        try:
            yield painter
        finally:
            with suppress(OSError):  # the terminal is gone
                painter.clear()
