"""What others wrote must not steer a terminal."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.stats import Stats
from batchrunner.summary import Progress, Stop, Summary
from batchrunner.terminal import printable, printable_lines
from batchrunner.views.ending import show
from batchrunner.views.progress import watching
from tests.views.builders import status

ESCAPES = {
    "title": "\x1b]0;owned\x07",
    "link": "\x1b]8;;https://evil.example\x1b\\here\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "clear": "\x1b[2J\x1b[H",
    "C1": "\x9b2J\x9d0;x\x9c",
    "line ends": "one\r\ntwo\x0b\x0c\x85\u2028\u2029",
    "turned": "\u202egnp.exe\u2066\u2069\u200f",
    "backspace": "secret\b\b\b\b\b\b\x7f",
}


@pytest.mark.parametrize("name", ESCAPES)
def test_what_controls_a_terminal_is_a_space(name):
    assert printable(ESCAPES[name]).isprintable()


@given(st.text())
def test_nothing_else_is_changed(text):
    shown = printable(text)

    assert len(shown) == len(text)
    assert all(a == b for a, b in zip(shown, text, strict=True) if a != " ")
    assert printable_lines(f"{shown}\n{text}\n").count("\n") == text.count("\n") + 2


def test_what_a_person_can_read_stays():
    assert printable("grün, 日本, 🙂, naïve") == "grün, 日本, 🙂, naïve"


class Screen(io.StringIO):
    def __init__(self, *, is_terminal):
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self):
        return self.is_terminal


def progress(text):
    region = status(state="out", reason=text)
    return Progress(total=1, resumed=0, wall_s=1.0, stats=Stats(), regions=[region], note=text)


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("is_terminal", [False, True], ids=["log", "terminal"])
def test_no_view_of_a_run_passes_an_escape_on(name, is_terminal):
    """The live view has escapes of its own, but never those of a text."""
    bad, screen = ESCAPES[name], Screen(is_terminal=is_terminal)
    with watching(quiet=False, stream=screen) as watch:
        watch(progress(bad))
    end = Summary(
        progress=progress(bad),
        output=Path(f"out{bad.replace('/', '')}.jsonl"),
        wall_s=1.0,
        cost_usd={},
        stop=Stop(8, bad),
    )
    show(end, screen)

    shown = screen.getvalue()
    assert bad not in shown
    for mark in ("\x1b]", "\x9b", "\x9d", "\u202e", "\u2028", "\x07", "\b", "\x7f", "\x85"):
        assert mark not in shown
    if not is_terminal:
        assert "\x1b" not in shown
