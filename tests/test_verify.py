"""Verify and status say what is in the files, and change nothing."""

import json
from pathlib import Path

import pytest

from batchrunner.outputs.checkpoint import checkpoint_path, encode, load
from batchrunner.outputs.lock import acquire
from tests.test_run import CANARY, batchrunner, place, write_jobs

__all__ = ["batchrunner", "place"]  # fixtures

OUTPUT = Path("in.results.jsonl")
RUN = ("run", "in.jsonl", "--simulate", "swift.toml", "--quiet")


@pytest.fixture
def made(batchrunner):
    """The command line, and the finished results of ten jobs."""
    write_jobs(count=10)
    assert batchrunner(*RUN)[0] == 0
    return batchrunner


def verified(batchrunner, *options):
    before = {path: path.read_bytes() for path in Path().iterdir()}
    code, out, _ = batchrunner("verify", OUTPUT, "--json", *options)
    assert before == {path: path.read_bytes() for path in Path().iterdir()}
    found = json.loads(out)
    assert found["exit_code"] == code
    assert found["ok"] is (code == 0)
    return code, found


def change(change_):
    OUTPUT.write_bytes(b"".join(change_(OUTPUT.read_bytes().splitlines(keepends=True))))


def test_a_finished_run_is_whole_unique_and_complete(made):
    code, found = verified(made)

    assert code == 0
    assert (found["records"], found["complete"], found["notes"]) == (10, True, [])
    assert found["input"] == str(Path("in.jsonl").absolute())


def test_the_end_is_told_in_words(made):
    code, out, _ = made("verify", OUTPUT)

    assert code == 0
    assert "whole, unique and complete; every job has an answer" in out


@pytest.mark.parametrize(
    ("spoil", "kind", "first"),
    [
        (
            lambda lines: [*lines[:3], lines[3].replace(b"region", b"legion"), *lines[4:]],
            "damaged",
            [4],
        ),
        (lambda lines: [*lines, lines[2]], "doubled", [11]),
        (lambda lines: [*lines[:3], b"\0" * 50 + b"\n", *lines[3:]], "damaged", [4]),
    ],
    ids=["another word", "the same line again", "a hole"],
)
def test_a_damaged_or_doubled_line_is_named(made, spoil, kind, first):
    change(spoil)

    code, found = verified(made)
    assert code == 5
    assert (found[kind]["count"], found[kind]["first"]) == (1, first)


@pytest.mark.parametrize("gone", [0, 9])
def test_a_line_that_was_safe_and_is_gone_is_damage(made, gone):
    change(lambda lines: lines[:gone] + lines[gone + 1 :])

    code, found = verified(made)
    assert code == 5
    assert found["lost_jobs"] == 1
    assert found["missing"]["count"] == 1


def test_half_a_line_at_the_end_is_unfinished_and_no_damage(made):
    half = OUTPUT.read_bytes()[:50]
    change(lambda lines: [*lines, half])

    code, found = verified(made)
    assert code == 1
    assert (found["unfinished_bytes"], found["damaged"]["count"]) == (50, 0)


def test_jobs_that_were_added_to_the_input_are_missing(made):
    write_jobs(count=12)

    code, found = verified(made)
    assert code == 1
    assert found["missing"] == {"count": 2, "first": [11, 12]}


def test_of_a_limited_run_only_those_jobs_are_missed(batchrunner):
    write_jobs(count=10)
    batchrunner(*RUN, "--limit", 4)

    assert verified(batchrunner)[0] == 0


def test_another_input_is_told_by_its_lines(made):
    lines = Path("in.jsonl").read_text().splitlines(keepends=True)
    Path("in.jsonl").write_text("".join([lines[1], lines[0], *lines[2:8]]))

    code, found = verified(made)
    assert code == 4
    assert found["changed"]["first"] == [1, 2]
    assert found["beyond"]["first"] == [9, 10]


def test_the_input_may_be_elsewhere_or_nowhere(made):
    Path("in.jsonl").rename("moved.jsonl")

    code, found = verified(made)
    assert (code, found["missing"]) == (0, None)
    assert "not at hand" in found["notes"][0]
    assert verified(made, "--input", "moved.jsonl")[1]["missing"] == {"count": 0, "first": []}
    assert made("verify", OUTPUT, "--input", "in.jsonl")[0] == 2


def test_without_a_checkpoint_nobody_knows_whether_it_is_complete(made):
    checkpoint_path(OUTPUT).unlink()

    code, found = verified(made)
    assert code == 1
    assert "is missing" in found["notes"][0]


def test_failed_jobs_are_no_answers(batchrunner):
    write_jobs(count=3, text="[[filter]] {}")
    batchrunner(*RUN)

    code, found = verified(batchrunner)
    assert (code, found["failed"], found["complete"]) == (1, 3, True)
    assert "some jobs failed" in batchrunner("verify", OUTPUT)[1]


@pytest.mark.parametrize("command", ["verify", "status"])
def test_what_is_not_there_is_told(batchrunner, command):
    code, _, err = batchrunner(command, "none.jsonl")

    assert code == 2
    assert "none.jsonl does not exist" in err


def test_status_counts_what_is_behind_the_checkpoint_too(made):
    lines = OUTPUT.read_bytes().splitlines(keepends=True)
    OUTPUT.write_bytes(b"".join(lines[:7]) + lines[7][:40])
    checkpoint_path(OUTPUT).unlink()

    code, out, _ = made("status", OUTPUT, "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["complete"], found["running"]) == (False, None)
    assert found["jobs"]["ok"] == found["calls"] == 7
    assert "state" not in found["regions"]["eastus"]
    assert "run the same command again" in made("status", OUTPUT)[1]


def test_status_says_who_is_writing_and_what_is_done(made):
    with acquire(OUTPUT):
        code, out, _ = made("status", OUTPUT)

    assert code == 0
    assert "10 of 10 jobs answered, 0 failed, 0 to go" in out
    assert json.loads(made("status", OUTPUT, "--json")[1])["complete"] is True
    assert CANARY.decode() not in out


# --- other settings


def test_changed_settings_can_be_accepted_and_each_line_keeps_its_own(made):
    write_jobs(count=12)
    code, _, err = made(*RUN, "--temperature", 0.5)
    assert code == 4
    assert "temperature was null, now 0.5" in err
    assert "--accept-config-change" in err

    code, out, _ = made(*RUN, "--temperature", 0.5, "--accept-config-change", "--json")
    assert code == 0
    assert "temperature was null, now 0.5" in json.loads(out)["warnings"][0]
    assert sorted(verified(made)[1]["settings"].values()) == [2, 10]


def test_without_a_checkpoint_the_lines_tell_that_the_settings_changed(made):
    checkpoint_path(OUTPUT).unlink()
    before = OUTPUT.read_bytes()

    code, _, err = made(*RUN, "--system", "Be brief.")
    assert code == 4
    assert "the checkpoint is gone" in err
    assert OUTPUT.read_bytes() == before
    assert made(*RUN)[0] == 0


def test_a_model_that_changed_behind_its_name_is_told(made):
    fields = load(checkpoint_path(OUTPUT)).fields
    [(model, _)] = fields["answered_by"]["gpt-4o-mini"].items()
    older = {"answered_by": {"gpt-4o-mini": {"gpt-4o-mini-2023-01-01": 10}}}
    checkpoint_path(OUTPUT).write_bytes(encode(fields | older))
    write_jobs(count=12)

    code, out, _ = made(*RUN, "--json")
    assert code == 0
    assert f"gpt-4o-mini-2023-01-01 (10), {model} (2)" in json.loads(out)["warnings"][0]
