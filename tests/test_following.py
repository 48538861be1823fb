"""A run followed from its files: cheaply, and until it has ended, however it ends."""

import json
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from batchrunner.commands.follow import _look
from batchrunner.errors import UsageError
from batchrunner.growth import Growth, remaining
from batchrunner.outputs import checkpoint
from batchrunner.outputs.lock import acquire
from batchrunner.status import Follower
from batchrunner.views.following import Look
from tests.outputs.builders import FINAL, line
from tests.test_run import (
    SLOW,
    batchrunner,
    place,
    start,
    wait_for_lines,
    wait_until,
    write_jobs,
)

__all__ = ["batchrunner", "place"]  # fixtures

OUTPUT = Path("in.results.jsonl")
TOLD = Path("told.txt")
CHECKPOINT = Path("in.results.jsonl.checkpoint.json")


@pytest.fixture
def follower(place):  # noqa: ARG001 - the place is where it looks
    OUTPUT.write_bytes(line(0) + line(1))
    found = Follower(OUTPUT)
    yield found
    found.close()


def counted(follower):
    summary, _ = follower.look()
    return summary.progress.stats.ok, summary.progress.stats.failed


def append(content):
    with OUTPUT.open("ab") as file:
        file.write(content)


def test_what_was_appended_is_added_and_half_a_line_waits(follower):
    assert counted(follower) == (2, 0)
    append(line(2) + line(3, failure=FINAL)[:50])
    assert counted(follower) == (3, 0)
    append(line(3, failure=FINAL)[50:])
    assert counted(follower) == (3, 1)


def test_what_was_read_is_not_read_again(follower):
    counted(follower)
    with OUTPUT.open("r+b") as file:
        file.write(b"x" * 40)  # who reads it again will miss a line
    append(line(2))

    assert counted(follower) == (3, 0)


def test_a_file_that_was_replaced_is_read_anew(follower):
    counted(follower)
    draft = Path("draft")
    draft.write_bytes(line(1) + line(2) + line(3) + line(4))
    draft.replace(OUTPUT)

    assert counted(follower) == (4, 0)


@pytest.mark.parametrize("ordinals", [[0], [9], [0, 9], [0, 9, 3]])
def test_a_file_that_is_shorter_or_another_now_is_read_anew(follower, ordinals):
    counted(follower)
    OUTPUT.write_bytes(b"".join(line(n, failure=FINAL) for n in ordinals))

    assert counted(follower) == (0, len(ordinals))


def test_a_new_checkpoint_says_what_is_counted(follower):
    counted(follower)
    stats = follower.look()[0].progress.stats
    stats.region("eastus").throttled_s = 7.0
    stats.ok = 100
    fields = {"results": {"synced": OUTPUT.stat().st_size, "records": 2}, "wall_s": 3.0}
    CHECKPOINT.write_bytes(checkpoint.encode(fields | {"stats": stats.as_json()}))
    append(line(2))

    summary, _ = follower.look()
    assert summary.progress.stats.ok == 101
    assert summary.wall_s == 3.0
    assert summary.as_json()["regions"]["eastus"]["throttled_s"] == 7.0


def test_damaged_lines_are_passed_over(follower):
    append(b"rubbish\n" + line(2))

    assert counted(follower) == (3, 0)


def test_the_pace_is_that_of_the_last_looks():
    growth = Growth(known=2.0)

    assert growth.look(0.0, 100) == 2.0
    assert growth.look(10.0, 150) == 5.0
    assert growth.look(100.0, 150) == 0.0
    assert growth.look(101.0, 10) == 2.0  # begun anew
    assert growth.look(102.0, 20) == 10.0


def test_the_rest_takes_as_long_as_the_pace_says():
    assert remaining(100, 5.0) == 20.0
    assert remaining(0, 0.0) == 0.0
    assert remaining(1, 0.0) is None


def test_where_nobody_writes_it_says_so_and_ends(batchrunner):
    write_jobs()
    batchrunner("run", "in.jsonl", "--simulate", "swift.toml")

    code, out, _ = batchrunner("status", OUTPUT, "--follow")
    assert (code, out) == (0, "20/20 jobs | 0 failed | complete\n")
    code, out, _ = batchrunner("status", OUTPUT, "--follow", "--json")
    assert code == 0
    plain = json.loads(batchrunner("status", OUTPUT, "--json")[1])
    assert json.loads(out).items() >= plain.items()


@pytest.mark.parametrize(
    ("content", "rest"), [(b"", b""), (b"", b"damaged"), (line(0) + b"torn", b"")]
)
def test_what_is_empty_or_damaged_is_told_and_ends(batchrunner, content, rest):
    OUTPUT.write_bytes(content)
    CHECKPOINT.write_bytes(rest)

    code, out, _ = batchrunner("status", OUTPUT, "--follow")

    assert code == 0
    done = content.count(b"\n")
    assert f"{done}/{done} jobs" in out
    assert "without a checkpoint" in out


def test_what_people_changed_is_told_of_a_run_that_goes_on(batchrunner):
    OUTPUT.write_bytes(line(0))
    change = {"at_s": 1.5, "what": "paused"}
    fields = {"results": {"synced": 0, "records": 0}, "stats": None, "steered": [change]}
    CHECKPOINT.write_bytes(checkpoint.encode(fields))

    code, out, _ = batchrunner("status", OUTPUT, "--json")

    assert (code, json.loads(out)["steered"]) == (0, [change])


def test_what_is_missing_or_no_results_is_refused(batchrunner):
    code, _, err = batchrunner("status", "nowhere.jsonl", "--follow")
    assert (code, "does not exist" in err) == (2, True)
    Path("letter.txt").write_text("Dear\n")
    assert batchrunner("status", "letter.txt", "--follow")[0] == 2


def follow(*options):
    """A follower that has begun to look; what it says is in a file."""
    command = [sys.executable, "-m", "batchrunner", "status", str(OUTPUT), "--follow", *options]
    with TOLD.open("wb") as told:
        return subprocess.Popen(  # noqa: S603 - our own command line
            [*command, "--every", "0.1"], stdout=told, stderr=subprocess.PIPE
        )


def looks(process):
    _, err = process.communicate(timeout=30)
    assert b"Traceback" not in err
    return [json.loads(look) for look in TOLD.read_bytes().splitlines()]


def wait_until_told():
    wait_until(lambda: b"\n" in TOLD.read_bytes())


def test_that_a_run_has_ended_is_told_though_it_was_complete_before(follower):
    OUTPUT.write_bytes(line(0))
    with acquire(OUTPUT):
        last, ended = (
            Look(follower.look()[0], writer, 1.0, 0.0) for writer in ("process 1", None)
        )

    assert last.state != ended.state
    assert ended.state == Look(ended.summary, None, 9.0, 9.0).state


@pytest.mark.socket
@pytest.mark.parametrize("ending", ["complete", "SIGKILL", "SIGINT"])
def test_a_run_is_followed_to_its_end(place, ending):  # noqa: ARG001
    write_jobs(count=40 if ending == "complete" else 2000)
    Path("slow.toml").write_text(SLOW)
    run = start("run", "in.jsonl", "--simulate", "slow.toml", "--concurrency", 10)
    wait_for_lines(3)
    process = follow("--json")
    wait_until_told()
    if ending != "complete":
        run.send_signal(signal.Signals[ending])
    run.communicate()

    told = looks(process)

    assert process.returncode == 0
    done = [look["jobs"]["ok"] for look in told]
    assert len(told) > (ending != "complete")  # that one may be over before it is looked at
    assert done == sorted(done)
    assert done[-1] == OUTPUT.read_bytes().count(b"\n")
    assert all(look["running"] for look in told[:-1])
    assert told[-1]["running"] is None
    said = told[-1]["stopped"]
    expected = {"complete": None, "SIGKILL": "not finished, killed", "SIGINT": "SIGINT: run the"}
    assert said == expected[ending] or expected[ending] in said


@pytest.mark.socket
def test_an_interrupted_follower_says_130_and_a_closed_pipe_ends_it(place):  # noqa: ARG001
    OUTPUT.write_bytes(line(0))
    with acquire(OUTPUT):
        process = follow("--json")
        wait_until_told()
        process.send_signal(signal.SIGINT)
        assert len(looks(process)) == 1
        assert process.returncode == 130

        process = start("status", OUTPUT, "--follow", "--every", "0.1")
        process.stdout.readline()
        process.stdout.close()
        append(line(1))
        assert process.wait(timeout=20) == 0
        assert b"Traceback" not in process.stderr.read()
        process.stderr.close()


def test_an_output_that_is_about_to_begin_is_waited_for(place):  # noqa: ARG001
    with closing(Follower(OUTPUT)) as follower:
        with pytest.raises(UsageError):
            _look(follower)
        with acquire(OUTPUT):
            assert _look(follower) is None
            OUTPUT.write_bytes(line(0))
            assert _look(follower)[0].progress.done == 1


def test_a_file_that_is_gone_ends_it(follower):
    counted(follower)
    OUTPUT.unlink()

    with pytest.raises(UsageError, match="does not exist"):
        follower.look()
