"""The views of a whole run, on a real terminal and in a real log."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest

from batchrunner.views.live.painter import HIDE, SHOW

pytestmark = pytest.mark.socket

SWIFT = """
seed = 1
[[regions]]
name = "eastus"
latency = { speed = 1.0 }
[[regions]]
name = "westus"
env_key = "wrong"
"""
RUN = [sys.executable, "-m", "batchrunner", "run", "in.jsonl"]
COLOUR = re.compile(r"\x1b\[[\d;]*3[0-7]m")
JOBS = 20
ASKED = "a prompt that nobody may see"


@pytest.fixture
def place(tmp_path):
    (tmp_path / "swift.toml").write_text(SWIFT)
    lines = [{"prompt": f"{ASKED} {n}", "model": "gpt-4o-mini"} for n in range(JOBS)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def environ(**more):
    ours = ("AZURE", "OPENAI", "BATCHRUNNER", "NO_COLOR", "COLUMNS", "LINES")
    known = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return known | {"TERM": "xterm-256color", "PYTHONPATH": str(Path(__file__).parents[2])} | more


def start(place, *options, more=None, **streams):
    command = [*RUN, "--simulate", "swift.toml", *options]
    return subprocess.Popen(  # noqa: S603 - our own command line
        command, cwd=place, env=environ(**(more or {})), stdin=subprocess.DEVNULL, **streams
    )


def resize(terminal, lines, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def on_a_terminal(place, *options, at_first=lambda _: None, **more):
    """Run on a terminal; gives the exit code and all that it was sent."""
    ours, theirs = pty.openpty()
    resize(theirs, 24, 80)
    process = start(place, *options, more=more, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    parts = []

    def read():
        try:
            while part := os.read(ours, 65_536):
                if not parts:
                    at_first(ours)
                parts.append(part)
        except OSError:  # nobody writes any more
            pass

    reader = threading.Thread(target=read)
    reader.start()
    code = process.wait()
    reader.join()
    os.close(ours)
    return code, b"".join(parts).decode()


def test_a_terminal_is_shown_the_run_and_is_left_as_it_was(place):
    code, shown = on_a_terminal(place, at_first=lambda terminal: resize(terminal, 12, 50))

    assert code == 0
    assert f"of {JOBS} jobs" in shown
    assert "● open" in shown
    assert "✕ out" in shown
    assert COLOUR.search(shown)
    assert f"{JOBS} of {JOBS} jobs answered" in shown.replace("\r\n", " ")
    assert shown.rindex(SHOW) > shown.rindex(HIDE)
    assert ASKED not in shown
    assert "\x1b[?1049h" not in shown


def test_a_quiet_run_says_nothing_to_a_terminal(place):
    assert on_a_terminal(place, "--quiet") == (0, "")


def test_a_terminal_that_wants_no_colours_gets_none(place):
    _, plain = on_a_terminal(place, NO_COLOR="1")

    assert not COLOUR.search(plain)
    assert "● open" in plain


def test_a_terminal_that_can_only_print_is_given_lines(place):
    _, shown = on_a_terminal(place, TERM="dumb")

    assert "\x1b" not in shown
    assert f"0/{JOBS} jobs | 0 failed" in shown


@pytest.mark.parametrize("on_terminal", [False, True], ids=["pipe", "terminal"])
def test_all_that_a_run_says_is_json_where_that_is_asked_for(place, on_terminal):
    if on_terminal:
        code, said = on_a_terminal(place, "--log-format", "json")
    else:
        process = start(place, "--log-format", "json", stderr=subprocess.PIPE)
        said, code = process.communicate()[1].decode(), process.returncode
    events = [json.loads(line)["event"] for line in said.splitlines()]

    assert code == 0
    assert events[0] == "started"
    assert events[-1] == "finished"
    assert {"progress", "problem"} <= set(events)
    assert ASKED not in said


def test_a_run_says_how_near_its_bounds_are(place):
    bounds = ["--max-cost", "5", "--max-tokens-total", "900000", "--deadline", "1h"]
    process = start(place, "--log-format", "json", *bounds, stderr=subprocess.PIPE)
    said = map(json.loads, process.communicate()[1].splitlines())
    first = next(one for one in said if one["event"] == "progress")

    assert process.returncode == 0
    assert (first["max_cost_usd"], first["max_tokens_total"]) == (5, 900_000)
    assert 3500 < first["deadline_s"] <= 3600


def test_the_format_may_stand_in_the_env_file(place):
    """And then an error before the start is an object too."""
    (place / ".env").write_text("BATCHRUNNER_LOG_FORMAT=json\n")
    (place / ".env").chmod(0o600)
    process = subprocess.run(  # noqa: S603 - our own command line
        [*RUN],
        cwd=place,
        env=environ(),
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    (said,) = [json.loads(line) for line in process.stderr.splitlines()]

    assert process.returncode == said["exit_code"] == 2
    assert said["event"] == "error"
    assert "no region is configured" in said["text"]
