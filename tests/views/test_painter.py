"""Drawing over what was drawn: what stands on a terminal in the end."""

import fcntl
import io
import os
import pty
import re
import struct
import sys
import termios
from contextlib import suppress

import pytest
from rich.text import Text

from batchrunner.views.live.painter import HIDE, SHOW, Painter, painting

CONTROL = re.compile(r"\x1b\[\??(\d*)([A-Za-z])|\r|\n|[^\x1b\r\n]+")


class Terminal(io.StringIO):
    """A terminal that wraps again what stands on it when its width changes, as most do."""

    def __init__(self, columns=40, lines=10):
        super().__init__()
        self.columns, self.lines = columns, lines
        self.rows, self.row, self.written = [""], 0, ""

    @property
    def size(self):
        return self.columns, self.lines

    def write(self, text):
        self.written += text
        for found in CONTROL.finditer(text):
            self._obey(found[0], int(found[1] or 1), found[2])
        return len(text)

    def _obey(self, part, number, control):
        if part == "\n":
            self.row += 1
            self.rows += [""] * (self.row + 1 - len(self.rows))
        elif control == "A":
            self.row = max(0, len(self.rows) - self.lines, self.row - number)
        elif control == "J":
            del self.rows[self.row :]
            self.rows.append("")
        elif not control and part != "\r":
            assert len(part) <= self.columns, "a line that is wrapped"
            self.rows[self.row] = part  # lines are written whole, and the rest is cleared

    def resize(self, columns, lines):
        self.columns, self.lines = columns, lines
        wrapped = [
            row[at : at + columns] for row in self.rows for at in range(0, len(row) or 1, columns)
        ]
        self.rows, self.row = wrapped, len(wrapped) - 1


class Shown(Painter):
    """A painter whose terminal is asked for its size as it would be by the system."""

    @property
    def size(self):
        return self._console.size.__class__(*self._stream.size)


def painted(terminal, painter, *texts):
    painter.paint([Text(text, no_wrap=True) for text in texts])
    return [row.rstrip() for row in terminal.rows]


@pytest.fixture
def terminal():
    terminal = Terminal()
    terminal.write("$ batchrunner run\r\n")
    return terminal


def test_lines_replace_those_before_and_leave_what_stood_above(terminal):
    painter = Shown(terminal)

    def rows(*texts):
        command, *below = painted(terminal, painter, *texts)
        assert command == "$ batchrunner run"
        return below

    assert rows("one", "two") == ["one", "two", ""]
    assert rows("1", "two", "3") == ["1", "two", "3", ""]
    assert rows("less") == ["less", ""]
    assert rows() == [""]


def test_a_line_that_stays_is_not_written_again(terminal):
    painter = Shown(terminal)
    painted(terminal, painter, "a line that stays", "one")
    terminal.written = ""
    painted(terminal, painter, "a line that stays", "two")

    assert "stays" not in terminal.written
    assert "two" in terminal.written


@pytest.mark.parametrize("size", [(15, 10), (60, 10), (40, 30), (9, 12)])
def test_another_size_leaves_nothing_behind(terminal, size):
    painter = Shown(terminal)
    painted(terminal, painter, "x" * 39, "y" * 20, "")
    terminal.resize(*size)
    rows = painted(terminal, painter, "new", "and")

    assert "".join(rows) == "$ batchrunner runnewand"


def test_what_others_say_stands_above_the_lines(terminal, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal)
    with painting(terminal) as painter:
        painter.__class__ = Shown
        painted(terminal, painter, "one", "two")
        sys.stderr.write("a warning\n")
        sys.stderr.write("half of ")
        rows = painted(terminal, painter, "three")

    assert rows == ["$ batchrunner run", "a warning", "three", ""]


@pytest.mark.parametrize(("lines", "columns"), [(0, 0), (9, 33)])
def test_a_terminal_that_does_not_know_its_size_has_a_usual_one(lines, columns, monkeypatch):
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    with open(theirs, "w") as stream:  # noqa: PTH123 - a descriptor
        size = Painter(stream).size
    os.close(ours)

    assert size.width == columns or size.width >= 80
    assert size.height == lines or size.height >= 20


def test_a_terminal_that_was_stopped_is_not_waited_for():
    ours, theirs = pty.openpty()
    with open(theirs, "w") as stream:  # noqa: PTH123 - a descriptor
        painter = Painter(stream)
        assert painter.is_ready
        termios.tcflow(theirs, termios.TCOOFF)
        painter.paint([Text("nobody waits")])
        is_ready = painter.is_ready
        termios.tcflow(theirs, termios.TCOON)

        assert not is_ready
        assert painter.is_ready
    os.close(ours)


def test_a_terminal_that_went_away_is_no_error():
    class Gone(Terminal):
        def write(self, _):
            raise OSError(5, "Input/output error")

    with painting(Gone()):
        pass


def test_in_the_end_the_lines_are_gone_and_the_cursor_is_back(terminal):
    with painting(terminal) as painter:
        painter.__class__ = Shown
        painted(terminal, painter, "one", "two")
        assert HIDE in terminal.written

    assert terminal.rows == ["$ batchrunner run", ""]
    assert terminal.written.rindex(SHOW) > terminal.written.rindex(HIDE)


def test_whatever_goes_wrong_the_cursor_is_back(terminal):
    with suppress(ZeroDivisionError), painting(terminal) as painter:
        painter.paint([Text("one")])
        raise ZeroDivisionError

    assert terminal.written.endswith(SHOW)
