"""The report through the front door: at the end of runs, and from the files alone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from batchrunner.outputs import checkpoint
from batchrunner.report.recall import recall
from tests.report.test_page import Parsed

SWIFT = """
seed = 1
[[regions]]
name = "eastus"
latency = { speed = 50.0 }
[[regions.faults]]
kind = "filter"
marker = "forbidden"
[[regions]]
name = "westus"
latency = { speed = 50.0 }
[[regions.faults]]
kind = "key"
"""
OUT = Path("in.results.jsonl")
REPORT = Path("in.results.jsonl.report.html")
RUN = ("run", "in.jsonl", "--simulate", "swift.toml")


@pytest.fixture
def batchrunner(front_door):
    """Run the command line; returns exit code, standard output and standard error."""
    Path("swift.toml").write_text(SWIFT)
    write_jobs(40)
    return front_door


def write_jobs(count):
    lines = [
        {
            "id": f"job-{n}",
            "prompt": "a secret prompt" + " forbidden" * (n == 7),
            "model": "gpt-4o-mini",
            "max_tokens": 4000,
        }
        for n in range(count)
    ]
    Path("in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def text_of(path=REPORT):
    return " ".join("".join(Parsed(path.read_bytes()).texts).split())


@pytest.mark.socket
def test_a_run_ends_with_a_report_that_holds_no_prompt_and_no_answer(batchrunner):
    code, _, err = batchrunner(*RUN)

    assert code == 1
    assert f"report: {REPORT}" in err
    content = REPORT.read_bytes().decode()
    text = text_of()
    assert "39 of 40 jobs were answered, 1 failed" in text
    assert "westus earned nothing" in text
    assert "content_filter" in text
    assert "secret prompt" not in content
    assert "You asked" not in content
    drawn = Parsed(REPORT.read_bytes()).data
    assert sum(sum(region["rate"]) for region in drawn["regions"]) > 0


@pytest.mark.socket
def test_the_report_made_anew_says_the_same(batchrunner):
    batchrunner(*RUN)
    before = REPORT.read_bytes()
    REPORT.unlink()

    code, out, err = batchrunner("report", OUT)

    assert (code, out) == (0, "")
    assert err == f"batchrunner: report: {REPORT}\n"
    assert text_of() == " ".join("".join(Parsed(before).texts).split())
    assert Parsed(REPORT.read_bytes()).data == Parsed(before).data
    assert REPORT.stat().st_mode & 0o777 == 0o600


@pytest.mark.socket
def test_everything_that_advice_rests_on_is_found_in_the_files(batchrunner):
    batchrunner(*RUN, "--concurrency", 7)

    found = recall(OUT)

    model = "gpt-4o-mini-2024-07-18"
    assert found.concurrency == 7
    assert found.configured == ("eastus", "westus")
    assert found.caps.by_model == {model: {4000: 39}}
    assert found.answered_by == {"gpt-4o-mini": {model: 39}}
    assert found.known["westus"].state.startswith("out: 401")
    assert sum(one.ok for one in found.timeline.regions["eastus"]) == 39
    assert found.stats.regions["eastus"].models[model].lengths.count == 39


@pytest.mark.socket
def test_the_figures_are_json_and_those_of_the_statistics(batchrunner):
    batchrunner(*RUN)
    REPORT.unlink()

    code, out, _ = batchrunner("report", OUT, "--json")

    assert code == 0
    assert not REPORT.exists()
    said, stats = json.loads(out), json.loads(Path(f"{OUT}.stats.json").read_text())
    assert said["complete"] is True
    assert said["jobs"] == {"total": 40, "ok": 39, "failed": 1, "left": 0, "reused": 0}
    assert said["tokens"] == stats["tokens"]
    assert said["cost_usd"] == pytest.approx(stats["cost_usd"])
    assert {f["kind"] for f in said["advice"]} >= {"no_answers"}
    for region in said["regions"]:
        for name in ("calls", "ok", "failed", "share", "latency_s", "rpm", "tpm"):
            assert region[name] == stats["regions"][region["region"]][name]


@pytest.mark.socket
def test_the_page_goes_where_it_is_asked_to(batchrunner, tmp_path):
    batchrunner(*RUN)

    code, out, _ = batchrunner("report", OUT, "-o", "-")
    assert code == 0
    assert Parsed(out.encode()).find("h1")

    code, out, _ = batchrunner("report", OUT, "-o", tmp_path / "other.html", "--json")
    assert code == 0
    assert json.loads(out)["output"] == str(OUT)
    assert text_of(tmp_path / "other.html") == text_of()


@pytest.mark.socket
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.jsonl"], "does not exist"),
        ([OUT, "-o", OUT], "belongs to the results"),
        ([OUT, "-o", f"{OUT}.checkpoint.json"], "belongs to the results"),
        ([OUT, "-o", "no/such/place.html"], "does not exist: make it"),
        ([OUT, "-o", "."], "is no regular file"),
        ([OUT, "-o", "-", "--json"], "give -o a file"),
        (["in.jsonl"], "is no file of results"),
    ],
    ids=["no output", "itself", "its checkpoint", "no place", "a directory", "both", "an input"],
)
def test_what_cannot_be_reported_is_refused_with_the_remedy(batchrunner, arguments, words):
    batchrunner(*RUN)
    before = {path: path.read_bytes() for path in Path().iterdir()}

    code, out, err = batchrunner("report", *arguments)

    assert (code, out) == (2, "")
    assert words in err
    assert before == {path: path.read_bytes() for path in Path().iterdir()}


@pytest.mark.socket
def test_results_of_an_older_version_have_a_report_without_times(batchrunner):
    batchrunner(*RUN)
    path = checkpoint.checkpoint_path(OUT)
    saved = dict(checkpoint.load(path).fields)
    for name in ("timeline", "caps", "concurrency", "answered_by"):
        del saved[name]
    for region in saved["stats"]["regions"].values():
        for tokens in region["models"].values():
            del tokens["lengths"]
    del saved["stats"]["examples"]
    path.write_bytes(checkpoint.encode(saved))
    Path(f"{OUT}.stats.json").write_text('{"regions": [1, 2]}')

    code, out, _ = batchrunner("report", OUT, "--json")
    assert code == 0
    assert json.loads(out)["jobs"]["ok"] == 39

    code, _, _ = batchrunner("report", OUT)
    assert code == 0
    assert "When each region did what is not known" in text_of()


@pytest.mark.socket
def test_results_without_any_other_file_have_a_report(batchrunner):
    batchrunner(*RUN)
    for path in Path().glob("in.results.jsonl.*"):
        path.unlink()

    code, _, _ = batchrunner("report", OUT)

    assert code == 0
    assert "39 of 40 jobs were answered" in text_of()


def test_batch_output_of_a_service_has_a_report(batchrunner):
    body = {
        "model": "gpt-4o-mini",
        "choices": [{"message": {"content": "an answer"}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5},
    }
    line = {"custom_id": "a", "response": {"status_code": 200, "body": body}, "error": None}
    Path("batch.jsonl").write_text(json.dumps(line) + "\n")

    code, out, _ = batchrunner("report", "batch.jsonl", "--json")

    assert code == 0
    assert json.loads(out)["models"][0]["completion"] == 5
    assert batchrunner("report", "batch.jsonl")[0] == 0


@pytest.mark.socket
def test_a_report_that_cannot_be_written_is_a_warning_and_no_more(batchrunner):
    Path(f"{OUT}.report.html.tmp").mkdir()

    code, _, err = batchrunner(*RUN)

    assert code == 1
    assert "the report could not be written" in err
    assert json.loads(checkpoint.checkpoint_path(OUT).read_bytes())["complete"] is True


@pytest.mark.socket
def test_a_run_that_was_killed_can_be_reported_and_its_report_goes_on(batchrunner):
    write_jobs(1000)
    slow = SWIFT.replace("speed = 50.0", "speed = 2.0")
    Path("swift.toml").write_text(slow)
    command = [sys.executable, "-m", "batchrunner", *RUN, "--quiet"]
    process = subprocess.Popen(command)  # noqa: S603 - our own command line
    until = time.monotonic() + 20
    while not OUT.exists() or OUT.stat().st_size < 2_000 or not _has_seen("westus"):
        assert time.monotonic() < until
        assert process.poll() is None
        os.sched_yield()
    code, out, _ = batchrunner("report", OUT, "--json")  # while it runs
    assert code == 0
    assert json.loads(out)["verdict"] == "running"
    process.send_signal(signal.SIGKILL)
    process.wait()

    code, out, _ = batchrunner("report", OUT, "--json")

    said = json.loads(out)
    assert (code, said["complete"], said["verdict"]) == (0, False, "not complete")
    assert 0 < said["jobs"]["ok"] < 1000
    states = {region["region"]: region["state"] for region in said["regions"]}
    assert states["westus"].startswith("out: 401")
    assert said["jobs"]["left"] == 1000 - said["jobs"]["ok"] - said["jobs"]["failed"]
    assert batchrunner("report", OUT)[0] == 0
    assert "are still to do" in text_of()

    Path("swift.toml").write_text(SWIFT)
    assert batchrunner(*RUN, "--limit", said["jobs"]["ok"])[0] in (0, 1)
    assert len(json.loads(batchrunner("report", OUT, "--json")[1])["runs"]) == 2


def _has_seen(region):
    """Whether the checkpoint says that a region is out."""
    saved = checkpoint.load(checkpoint.checkpoint_path(OUT)).fields or {}
    return saved.get("regions", {}).get(region, {}).get("state", "").startswith("out")
