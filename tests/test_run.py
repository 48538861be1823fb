"""The main job through the front door: real files, real sockets, real processes, the simulator."""

import gzip
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from batchrunner.outputs.lock import acquire
from batchrunner.simulator import prompt_digest

SWIFT = """
seed = 1
[[regions]]
name = "eastus"
key = "key-of-eastus-canary"
latency = { speed = 50.0 }
[[regions]]
name = "westus"
key = "key-of-westus-canary"
latency = { speed = 50.0 }
"""
CANARY = b"canary"


@pytest.fixture
def place(clean, tmp_path):  # noqa: ARG001 - it is where it is
    Path("swift.toml").write_text(SWIFT)
    return tmp_path


@pytest.fixture
def batchrunner(place, front_door):  # noqa: ARG001 - the place is where it runs
    """Run the command line; returns exit code, standard output and standard error."""
    return front_door


def write_jobs(path="in.jsonl", count=20, text="Say {} in French."):
    lines = [
        {"id": f"job-{i}", "prompt": text.format(i), "model": "gpt-4o-mini"} for i in range(count)
    ]
    Path(path).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return [line["prompt"] for line in lines]


def read_results(path="in.results.jsonl"):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def assert_whole(prompts, results):
    """One line for each job, with its own answer."""
    assert sorted(result["i"] for result in results) == list(range(len(prompts)))
    for result in results:
        text = result["response"]["body"]["choices"][0]["message"]["content"]
        assert text.startswith(prompt_digest(prompts[result["i"]]))
        assert result["error"] is None
        assert result["region"] == result["attempts"][-1]["region"]


def test_every_job_gets_its_answer_and_the_numbers_add_up(batchrunner):
    prompts = write_jobs(count=100)

    code, out, _ = batchrunner("run", "in.jsonl", "--simulate", "swift.toml", "--json")

    assert code == 0
    assert_whole(prompts, read_results())
    summary = json.loads(out)
    stats = json.loads(Path("in.results.jsonl.stats.json").read_text())
    seen = summary.pop("simulator")
    assert summary == stats
    assert stats["jobs"] == {"total": 100, "ok": 100, "failed": 0, "resumed": 0, "reused": 0}
    assert sum(region["ok"] for region in stats["regions"].values()) == 100
    for name, region in stats["regions"].items():
        assert (region["calls"], region["ok"]) == (seen[name]["calls"], seen[name]["ok"])
    assert stats["cost_usd"] > 0
    assert json.loads(Path("in.results.jsonl.checkpoint.json").read_text())["complete"] is True


def test_a_finished_run_calls_nothing(batchrunner):
    write_jobs()
    batchrunner("run", "in.jsonl", "--simulate", "swift.toml")
    before = Path("in.results.jsonl").read_bytes()

    code, out, _ = batchrunner("run", "in.jsonl", "--simulate", "swift.toml", "--json")

    assert code == 0
    assert Path("in.results.jsonl").read_bytes() == before
    assert json.loads(out)["jobs"] == {
        "total": 20,
        "ok": 20,
        "failed": 0,
        "resumed": 20,
        "reused": 0,
    }
    assert sum(region["calls"] for region in json.loads(out)["simulator"].values()) == 0


def test_a_torn_line_is_mended_and_its_job_runs_again(batchrunner):
    prompts = write_jobs()
    batchrunner("run", "in.jsonl", "--simulate", "swift.toml")
    results = Path("in.results.jsonl")
    whole = results.read_bytes()
    Path("in.results.jsonl.checkpoint.json").unlink()
    results.write_bytes(whole[:-100])

    code, out, _ = batchrunner("run", "in.jsonl", "--simulate", "swift.toml", "--json")

    assert code == 0
    assert_whole(prompts, read_results())
    assert json.loads(out)["jobs"]["resumed"] == 19
    assert json.loads(out)["calls"] == 20


def test_appended_jobs_run_and_the_others_do_not(batchrunner):
    write_jobs(count=10)
    batchrunner("run", "in.jsonl", "--simulate", "swift.toml")
    prompts = write_jobs(count=15)

    code, out, _ = batchrunner("run", "in.jsonl", "--simulate", "swift.toml", "--json")

    assert code == 0
    assert_whole(prompts, read_results())
    assert sum(region["calls"] for region in json.loads(out)["simulator"].values()) == 5
    assert json.loads(out)["calls"] == 15


def test_limit_takes_the_first_jobs_and_the_rest_later(batchrunner):
    prompts = write_jobs()

    assert batchrunner("run", "in.jsonl", "--simulate", "swift.toml", "--limit", 5)[0] == 0
    assert sorted(result["i"] for result in read_results()) == list(range(5))
    assert batchrunner("run", "in.jsonl", "--simulate", "swift.toml")[0] == 0
    assert_whole(prompts, read_results())


def test_gzip_is_read(batchrunner):
    prompts = write_jobs()
    Path("in.jsonl.gz").write_bytes(gzip.compress(Path("in.jsonl").read_bytes()))

    assert batchrunner("run", "in.jsonl.gz", "--simulate", "swift.toml")[0] == 0
    assert_whole(prompts, read_results())


@pytest.mark.socket
@pytest.mark.usefixtures("place")
def test_standard_input_is_read():
    prompts = write_jobs()
    process = start("run", "-", "-o", "out.jsonl", "--simulate", "swift.toml", stdin=-1)
    process.communicate(Path("in.jsonl").read_bytes())

    assert process.returncode == 0
    assert_whole(prompts, read_results("out.jsonl"))


@pytest.mark.socket
@pytest.mark.usefixtures("place")
def test_waiting_for_standard_input_can_be_interrupted(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    process = start("run", "-", "-o", "out.jsonl", "--simulate", "swift.toml", stdin=-1)
    wait_until(lambda: list(tmp_path.glob("batchrunner-*")))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)

    assert process.returncode == 130
    assert b"Traceback" not in err
    assert list(tmp_path.glob("batchrunner-*")) == []


@pytest.mark.socket
@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("streams", ["2>/dev/full", ">/dev/full", "<&- >&- 2>&-"])
def test_a_run_does_not_need_its_standard_streams(streams):
    prompts = write_jobs()
    command = f"exec {sys.executable} -m batchrunner run in.jsonl --json --simulate swift.toml"
    ended = subprocess.run(["sh", "-c", f"{command} {streams}"], check=False)  # noqa: S603, S607

    assert ended.returncode == 0
    assert_whole(prompts, read_results())


def test_without_a_command_there_is_help(batchrunner):
    code, out, err = batchrunner()

    assert code == 2
    assert "simulate" in out + err


def test_the_simulator_brings_its_own_regions(batchrunner):
    write_jobs()

    code, _, err = batchrunner("run", "in.jsonl", "--simulate", "--env-file", "x.env")

    assert code == 2
    assert "leave out --config and --env-file" in err


def test_quiet_says_nothing(batchrunner):
    write_jobs()

    assert batchrunner("run", "in.jsonl", "--simulate", "swift.toml", "--quiet") == (0, "", "")


def test_the_end_is_told_in_words_and_a_table(batchrunner):
    write_jobs()

    _, out, err = batchrunner("run", "in.jsonl", "--simulate", "swift.toml")

    assert out == ""
    assert "20 of 20 jobs answered, 0 failed" in err
    assert "results: in.results.jsonl" in err
    assert "eastus" in err


def test_every_bad_line_is_reported_and_nothing_is_sent(batchrunner):
    write_jobs(count=3)
    with Path("in.jsonl").open("a") as file:
        file.write('{"prompt": 7}\nnot json\n{"prompt": "a", "api_key": "x"}\n')

    code, out, err = batchrunner("run", "in.jsonl", "--simulate", "swift.toml", "--model", "m")

    assert code == 2
    assert out == ""
    for number in (4, 5, 6):
        assert f"line {number}:" in err
    assert sorted(path.name for path in Path().iterdir()) == ["in.jsonl", "swift.toml"]


def test_bad_lines_can_be_recorded_as_failed(batchrunner):
    write_jobs(count=3)
    with Path("in.jsonl").open("a") as file:
        file.write('{"id": "odd", "prompt": 7}\n')

    code, _, err = batchrunner(
        "run", "in.jsonl", "--simulate", "swift.toml", "--bad-lines", "record"
    )

    assert code == 1
    assert "1 bad_line" in err
    bad = next(result for result in read_results() if result["error"])
    assert (bad["custom_id"], bad["error"]["code"], bad["attempts"]) == ("odd", "bad_line", [])


def test_duplicate_ids_are_refused_with_both_lines(batchrunner):
    Path("in.jsonl").write_text(
        '{"id":"a","prompt":"x"}\n{"id":"b","prompt":"x"}\n{"id":"a","prompt":"y"}\n'
    )

    code, _, err = batchrunner("run", "in.jsonl", "--simulate", "swift.toml", "--model", "m")

    assert code == 2
    assert "line 3" in err
    assert "line 1" in err


def test_an_empty_input_is_complete_at_once(batchrunner):
    Path("in.jsonl").write_text("\n\n")

    code, out, _ = batchrunner("run", "in.jsonl", "--simulate", "swift.toml", "--json")

    assert code == 0
    assert json.loads(out)["jobs"]["total"] == 0
    assert Path("in.results.jsonl").read_bytes() == b""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "INPUT"),
        (["run", "in.jsonl", "--frobnicate"], "--frobnicate"),
        (["run", "none.jsonl", "--simulate"], "none.jsonl does not exist"),
        (["run", "in.xlsx", "--simulate"], "must be .jsonl"),
        (["run", "in.jsonl", "-o", "in.jsonl", "--simulate"], "in.jsonl is the input"),
        (["run", "in.jsonl", "-o", ".", "--simulate"], "is a directory"),
        (["run", "in.jsonl", "-o", "no/where.jsonl", "--simulate"], "no does not exist"),
        (["run", "in.jsonl", "-o", "/dev/null", "--simulate"], "is no regular file"),
        (["run", "in.jsonl", "-o", "link.jsonl", "--simulate"], "is no regular file"),
        (["run", "in.jsonl", "-o", "-", "--simulate"], "give --output a file"),
        (["run", "-", "--simulate"], "give --output"),
        (["run", "in.jsonl"], "no region is configured"),
        (["run", "in.jsonl", "--env-file", "none.env"], "none.env cannot be read"),
        (["run", "in.jsonl", "--config", "bad.toml"], "bad.toml is no TOML"),
        (["run", "in.jsonl", "--simulate", "none.toml"], "none.toml"),
        (["run", "in.jsonl", "--simulate", "bad.toml"], "bad.toml"),
        (["run", "in.jsonl", "--simulate", "--concurrency", "0"], "--concurrency"),
        (["run", "in.jsonl", "--simulate", "--concurrency", "x"], "--concurrency"),
        (["run", "in.jsonl", "--simulate", "--strategy", "x"], "--strategy"),
        (["run", "in.jsonl", "--simulate", "--timeout", "-1"], "--timeout"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_refused_with_the_remedy_and_leaves_nothing(
    batchrunner, arguments, words
):
    write_jobs()
    Path("in.csv").write_text("a,b\n")
    Path("bad.toml").write_text("= 3")
    Path("link.jsonl").symlink_to("in.csv")
    before = sorted(Path().iterdir())

    code, out, err = batchrunner(*arguments)

    assert code == 2
    assert words in err
    assert out == ""
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AZURE_OPENAI_ENDPOINT_1", "eastus.openai.azure.com"),
        ("AZURE_OPENAI_ENDPOINT_1", "http://eastus.openai.azure.com"),
        ("AZURE_OPENAI_ENDPOINT_1", "https://eastus.openai.azure.com/openai/deployments/gpt-4o"),
        ("AZURE_OPENAI_ENDPOINT_1", "https://eastus.openai.azure.com/openai/"),
        ("AZURE_OPENAI_ENDPOINT_1", "https://a.azure.com/openai/v1/chat/completions"),
        ("AZURE_OPENAI_RPM_1", "many"),
        ("BATCHRUNNER_TIMEOUT", "soon"),
    ],
)
def test_a_wrong_variable_is_named(batchrunner, monkeypatch, variable, value):
    write_jobs()
    monkeypatch.setenv("AZURE_OPENAI_API_KEY_1", "canary")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT_1", "https://eastus.openai.azure.com")
    monkeypatch.setenv(variable, value)

    code, _, err = batchrunner("run", "in.jsonl")

    assert code == 2
    assert variable in err
    assert "canary" not in err


def test_an_edited_input_is_refused_with_the_line(batchrunner):
    write_jobs()
    batchrunner("run", "in.jsonl", "--simulate", "swift.toml")
    lines = Path("in.jsonl").read_text().splitlines(keepends=True)
    lines[7] = lines[7].replace("French", "Dutch")
    Path("in.jsonl").write_text("".join(lines))

    code, out, err = batchrunner("run", "in.jsonl", "--simulate", "swift.toml")

    assert (code, out) == (4, "")
    assert "line 8" in err


def test_a_shortened_input_is_refused(batchrunner):
    write_jobs()
    batchrunner("run", "in.jsonl", "--simulate", "swift.toml")
    write_jobs(count=10)

    code, _, err = batchrunner("run", "in.jsonl", "--simulate", "swift.toml")

    assert code == 4
    assert "10 lines" in err


def test_settings_that_ask_something_else_are_refused_with_the_difference(batchrunner):
    write_jobs()
    batchrunner("run", "in.jsonl", "--simulate", "swift.toml", "--temperature", "0.5")

    code, _, err = batchrunner("run", "in.jsonl", "--simulate", "swift.toml", "--concurrency", 7)
    assert code == 4
    assert "temperature was 0.5, now null" in err

    code, _, _ = batchrunner(
        "run", "in.jsonl", "--simulate", "swift.toml", "--temperature", "0.5", "--concurrency", 7
    )
    assert code == 0


def test_restart_moves_the_old_files_aside(batchrunner):
    prompts = write_jobs()
    batchrunner("run", "in.jsonl", "--simulate", "swift.toml")
    old = Path("in.results.jsonl").read_bytes()

    code, out, _ = batchrunner(
        "run", "in.jsonl", "--simulate", "swift.toml", "--restart", "--json"
    )

    assert code == 0
    assert json.loads(out)["jobs"]["resumed"] == 0
    assert_whole(prompts, read_results())
    (aside,) = Path().glob("in.results.jsonl.before-*")
    assert aside.read_bytes() == old


def test_restart_with_a_bad_input_leaves_the_results_where_they_are(batchrunner):
    write_jobs()
    batchrunner("run", "in.jsonl", "--simulate", "swift.toml")
    old = Path("in.results.jsonl").read_bytes()
    Path("bad.jsonl").write_text("bad\n")

    code, _, _ = batchrunner(
        "run", "bad.jsonl", "-o", "in.results.jsonl", "--restart", "--simulate", "swift.toml"
    )

    assert code == 2
    assert Path("in.results.jsonl").read_bytes() == old


def test_a_refused_rerun_takes_nothing_out(batchrunner):
    write_jobs(text="[[filter]] {}")
    assert batchrunner("run", "in.jsonl", "--simulate", "swift.toml")[0] == 1
    old = Path("in.results.jsonl").read_bytes()
    lines = Path("in.jsonl").read_text().splitlines(keepends=True)
    Path("in.jsonl").write_text("".join(reversed(lines)))

    code, _, _ = batchrunner("run", "in.jsonl", "--retry-failed", "--simulate", "swift.toml")

    assert code == 4
    assert Path("in.results.jsonl").read_bytes() == old


def test_regions_of_earlier_runs_keep_their_rows(batchrunner):
    write_jobs(count=10)
    batchrunner("run", "in.jsonl", "--simulate", "swift.toml")
    write_jobs(count=20)
    Path("other.toml").write_text(SWIFT.replace("eastus", "northeu").replace("westus", "southeu"))

    code, out, _ = batchrunner("run", "in.jsonl", "--simulate", "other.toml", "--json")

    stats = json.loads(out)
    assert code == 0
    assert sum(region["ok"] for region in stats["regions"].values()) == stats["jobs"]["ok"] == 20
    assert stats["regions"]["eastus"]["state"] == "not used"
    assert stats["regions"]["eastus"]["peak_in_flight"] >= 1


def test_a_second_run_on_the_same_output_ends_at_once(batchrunner):
    write_jobs()
    with acquire(Path("in.results.jsonl")):
        code, _, err = batchrunner("run", "in.jsonl", "--simulate", "swift.toml")

    assert code == 6
    assert "another run" in err
    assert batchrunner("run", "in.jsonl", "--simulate", "swift.toml")[0] == 0


def test_damage_where_it_was_safe_is_refused_and_can_be_repaired(batchrunner):
    prompts = write_jobs()
    batchrunner("run", "in.jsonl", "--simulate", "swift.toml")
    content = bytearray(Path("in.results.jsonl").read_bytes())
    content[500] ^= 1
    Path("in.results.jsonl").write_bytes(content)

    code, _, err = batchrunner("run", "in.jsonl", "--simulate", "swift.toml")

    assert code == 5
    assert "damaged" in err
    assert Path("in.results.jsonl").read_bytes() == content

    code, out, _ = batchrunner("run", "in.jsonl", "--simulate", "swift.toml", "--repair", "--json")
    assert code == 0
    assert_whole(prompts, read_results())
    assert sum(region["calls"] for region in json.loads(out)["simulator"].values()) == 1


def test_without_a_region_left_the_run_stops_and_goes_on_when_the_keys_are_right(batchrunner):
    prompts = write_jobs(count=40)
    Path("wrong.toml").write_text(SWIFT.replace("latency", 'env_key = "wrong"\nlatency'))

    code, out, err = batchrunner("run", "in.jsonl", "--simulate", "wrong.toml", "--json")

    assert code == 8
    assert json.loads(out)["complete"] is False
    assert "eastus: 401" in err
    assert sum(region["calls"] for region in json.loads(out)["simulator"].values()) <= 6
    assert batchrunner("run", "in.jsonl", "--simulate", "swift.toml")[0] == 0
    assert_whole(prompts, read_results())


def test_failures_are_told_and_only_those_that_may_end_otherwise_run_again(batchrunner):
    write_jobs(count=3)
    with Path("in.jsonl").open("a") as file:
        file.write('{"id": "bad", "prompt": "[[filter]]", "model": "gpt-4o-mini"}\n')
    down = SWIFT.replace("latency", 'faults = [{kind = "outage", status = 503}]\nlatency')
    Path("down.toml").write_text(down)
    arguments = ("run", "in.jsonl", "--max-attempts", 1, "--json", "--simulate")

    code, out, _ = batchrunner(*arguments, "down.toml")
    assert code == 1
    assert json.loads(out)["failures"] == {"http_503": 4}
    assert all(result["error"]["retryable"] for result in read_results())
    wasted = json.loads(out)["calls"]

    code, out, _ = batchrunner(*arguments, "swift.toml")
    assert code == 1
    assert json.loads(out)["failures"] == {"content_filter": 1}
    assert json.loads(out)["jobs"] == {"total": 4, "ok": 3, "failed": 1, "resumed": 0, "reused": 0}
    assert json.loads(out)["calls"] == wasted + 4  # what was lost on the way still counts
    assert len(read_results()) == 4

    code, out, _ = batchrunner(*arguments, "swift.toml")
    assert sum(region["calls"] for region in json.loads(out)["simulator"].values()) == 0

    code, out, _ = batchrunner(*arguments, "swift.toml", "--retry-failed")
    assert sum(region["calls"] for region in json.loads(out)["simulator"].values()) == 1
    assert len(read_results()) == 4


def test_files_are_private_and_hold_no_key(batchrunner):
    write_jobs()
    _, out, err = batchrunner("run", "in.jsonl", "--simulate", "swift.toml", "--json")

    made = [path for path in Path().iterdir() if path.name.startswith("in.results")]
    assert len(made) == 5
    for path in made:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert CANARY not in path.read_bytes()
    assert "canary" not in out + err


def start(*arguments, stdin=None):
    command = [sys.executable, "-m", "batchrunner", *map(str, arguments)]
    return subprocess.Popen(  # noqa: S603 - our own command line
        command, stdin=stdin, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )


def wait_until(condition, patience=20.0):
    """Real processes have no virtual clock: look until it is so."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, f"not within {patience} s"
        os.sched_yield()


def wait_for_lines(count, path="in.results.jsonl"):
    wait_until(lambda: Path(path).exists() and Path(path).read_bytes().count(b"\n") >= count)


SLOW = SWIFT.replace("speed = 50.0", "speed = 8.0")


@pytest.mark.socket
def test_after_kill_9_every_job_has_exactly_one_line(batchrunner):
    prompts = write_jobs(count=150)
    Path("slow.toml").write_text(SLOW)
    arguments = ("run", "in.jsonl", "--simulate", "slow.toml", "--concurrency", 10, "--json")
    for lines in (10, 60):
        process = start(*arguments)
        wait_for_lines(lines)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL

    code, out, _ = batchrunner(*arguments)

    assert code == 0
    assert_whole(prompts, read_results())
    assert json.loads(out)["jobs"]["resumed"] >= 60
    assert json.loads(out)["jobs"]["ok"] == 150
    assert sum(region["ok"] for region in json.loads(out)["regions"].values()) == 150


@pytest.mark.socket
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains_and_nothing_is_paid_twice(batchrunner, number):
    prompts = write_jobs(count=100)
    Path("slow.toml").write_text(SLOW)
    arguments = ("run", "in.jsonl", "--simulate", "slow.toml", "--concurrency", 10, "--json")
    process = start(*arguments)
    wait_for_lines(10)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)

    assert process.returncode == 128 + number
    first = json.loads(out)
    assert first["complete"] is False
    assert first["calls"] == sum(region["calls"] for region in first["simulator"].values())
    assert len(read_results()) == first["jobs"]["ok"] < 100
    assert b"run the same command again" in err
    assert b"Traceback" not in err

    code, out, _ = batchrunner(*arguments)
    assert code == 0
    assert_whole(prompts, read_results())
    seen = json.loads(out)["simulator"].values()
    assert sum(region["calls"] for region in seen) + first["calls"] == 100
