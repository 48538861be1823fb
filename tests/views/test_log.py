"""Talk in JSON: every line is an object, and the document says what is in it."""

import io
import json
import re
import sys
from contextlib import chdir, contextmanager, redirect_stderr
from pathlib import Path

import pytest

from batchrunner.cli import main
from batchrunner.commands.talk import complain, tell
from batchrunner.problems import WORDS
from batchrunner.summary import Stop, Summary
from batchrunner.views import log
from batchrunner.views.ending import show
from batchrunner.views.progress import watching
from tests.test_docs import ROOT, in_code, table
from tests.views.builders import progress, sick, status, usage

PAGE = ROOT / "docs" / "progress.md"


def ended(stop=None, run=None):
    return Summary(run or sick(), Path("out.jsonl"), 312.0, {}, stop=stop, warnings=["mind this"])


def objects(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def keys_by_event():
    """What the document says each event has."""
    rows = table(PAGE, "Events")
    found = {in_code(event): re.findall(r"`(\w+)`", keys) for event, _, keys in rows}
    return found | {"stopped": found["finished"]}


@contextmanager
def speaking():
    """Standard error, in JSON."""
    stream = io.StringIO()
    with redirect_stderr(stream), log.within(as_json=True):
        yield stream


def test_every_event_has_the_keys_that_the_document_names():
    with speaking() as spoken:
        with watching(quiet=False) as watch:
            watch(sick())
        show(ended())
        show(ended(Stop(7, "the budget is spent")))
        tell("columns: a, b")
        complain("no region is configured", 2)
        documented = keys_by_event()
        said = {one["event"]: one for one in objects(spoken)}

        assert set(said) == set(documented)
        for event, one in said.items():
            assert list(one) == ["time", "event", *documented[event]]
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one["time"])
        assert said["stopped"]["reason"] == "the budget is spent"
        assert said["finished"]["exit_code"] == 1
        assert said["started"]["regions"][:2] == ["westeurope", "eastus"]


def test_every_key_of_a_region_and_every_kind_of_problem_is_documented():
    with speaking() as spoken:
        with watching(quiet=False) as watch:
            watch(sick())
        (told,) = [one for one in objects(spoken) if one["event"] == "progress"]

        assert list(told["regions"]["eastus"]) == [
            in_code(row[0]) for row in table(PAGE, "Regions")
        ]
        assert list(WORDS) == [in_code(row[0]) for row in table(PAGE, "Problems")]


def test_progress_comes_every_five_seconds_and_problems_at_once():
    with speaking() as spoken:
        with watching(quiet=False) as watch:
            for quarter in range(4 * 12):
                at = quarter / 4
                state = status(state="throttled", opens_in=9.0) if at >= 7 else status()
                watch(progress([state], {"eastus": usage(quarter)}, wall_s=at))
        said = [(one["event"], one.get("wall_s")) for one in objects(spoken)]

        assert said == [
            ("started", None),
            ("progress", 0.0),
            ("progress", 5.0),
            ("problem", 7.0),
            ("progress", 10.0),
        ]


def test_what_others_print_is_a_warning_and_not_lost():
    with speaking() as spoken:
        sys.stderr.write("batchrunner: one\n\ntwo, ")
        sys.stderr.write("and its end\nthree without an end")
    texts = [(one["event"], one["text"]) for one in objects(spoken)]

    assert texts == [
        ("warning", "one"),
        ("warning", "two, and its end"),
        ("warning", "three without an end"),
    ]


def test_a_reader_that_is_gone_ends_nothing():
    class Gone(io.StringIO):
        def write(self, _):
            raise BrokenPipeError

    log.Log(Gone()).event("warning", text="nobody hears it")


def test_a_text_that_would_break_a_line_is_one_string():
    with speaking() as spoken:
        tell("a\nb\x1b[2J\u2028c")

        (said,) = objects(spoken)
        assert said["text"].isprintable()


@pytest.mark.parametrize(
    ("arguments", "environ", "is_json"),
    [
        (["run", "x", "--log-format", "json"], {}, True),
        (["run", "--log-format=json", "x"], {}, True),
        (["run", "x"], {"BATCHRUNNER_LOG_FORMAT": "json"}, True),
        (["run", "x", "--log-format", "text"], {"BATCHRUNNER_LOG_FORMAT": "json"}, False),
        (["run", "x", "--log-format"], {}, False),
        (["run", "x"], {}, False),
        (["retry", "x", "--log-format=json"], {}, True),
        (["plan", "x"], {"BATCHRUNNER_LOG_FORMAT": "json"}, True),
        (["verify", "x"], {"BATCHRUNNER_LOG_FORMAT": "json"}, False),
        ([], {}, False),
    ],
)
def test_the_format_is_known_before_any_settings_are_read(arguments, environ, is_json):
    assert log.is_asked(arguments, environ) is is_json


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run", "missing.jsonl", "--simulate"], 2),
        (["run", "missing.jsonl", "--no-such-option"], 2),
        (["run", "missing.jsonl", "--api-key=x"], 2),
        (["run"], 2),
        (["retry", "missing.jsonl"], 2),
        (["plan", "missing.jsonl", "--simulate"], 2),
    ],
)
def test_errors_before_the_start_are_objects_too(arguments, code, capfd, tmp_path):
    before = sys.stderr
    with chdir(tmp_path), pytest.raises(SystemExit) as end:
        main([*arguments, "--log-format=json"])
    (said,) = map(json.loads, capfd.readouterr().err.splitlines())

    assert end.value.code == said["exit_code"] == code
    assert said["event"] == "error"
    assert said["text"]
    assert sys.stderr is before


def test_a_quiet_run_says_nothing():
    with speaking() as spoken:
        with watching(quiet=True) as watch:
            watch(sick())

        assert spoken.getvalue() == ""


def test_no_object_is_written_where_text_is_asked_for(capfd, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["run", "missing.jsonl", "--simulate"])

    assert capfd.readouterr().err.startswith("batchrunner: ")
