"""A selection of failed jobs runs again, through the front door; nothing is lost or doubled."""

import json
import signal
from pathlib import Path

import pytest

from batchrunner.again import again
from batchrunner.config import Settings
from batchrunner.ledger import Ledger
from batchrunner.outputs import checkpoint
from batchrunner.outputs.lines import decode
from batchrunner.outputs.lock import acquire
from batchrunner.selection import Selection
from tests.test_run import (
    CANARY,
    SLOW,
    batchrunner,
    place,
    read_results,
    start,
    wait_until,
)

__all__ = ["batchrunner", "place"]  # fixtures

OUTPUT = Path("in.results.jsonl")
CHECKPOINT = Path("in.results.jsonl.checkpoint.json")
SIMULATED = ("--simulate", "swift.toml")


def write_mixed(count=20, filtered=3):
    """Jobs of which the first few are refused."""
    lines = [
        {"id": f"job-{n}", "prompt": f"{'[[filter]] ' * (n < filtered)}Say {n}."}
        for n in range(count)
    ]
    Path("in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def failed(batchrunner):
    """A complete run of 20 jobs, of which three were refused."""
    write_mixed()
    code, *_ = batchrunner(
        "run", "in.jsonl", "--model", "gpt-4o-mini", "--system", "Be brief.", *SIMULATED
    )
    assert code == 1
    return batchrunner


def sent(out):
    return sum(region["calls"] for region in json.loads(out)["simulator"].values())


def calls():
    return json.loads(Path("in.results.jsonl.stats.json").read_text())["calls"]


def test_only_the_selected_jobs_run_again_and_the_others_stay(failed):
    before = {result["i"]: result for result in read_results()}

    code, out, _ = failed("retry", OUTPUT, "--only", "id=job-1", *SIMULATED, "--json", "--quiet")

    after = {result["i"]: result for result in read_results()}
    assert code == 1
    assert sent(out) == 1
    assert json.loads(out)["retry"]["selected"] == 1
    assert sorted(after) == sorted(before)
    assert [n for n in before if before[n] != after[n]] == [1]
    assert after[1]["request"] == before[1]["request"]
    assert calls() == 21


def test_all_failed_jobs_run_again_without_a_selection(failed):
    code, out, err = failed("retry", OUTPUT, *SIMULATED, "--json")

    assert (code, sent(out), calls()) == (1, 3, 23)
    assert "3 of 3 failed jobs run again" in err
    assert json.loads(out)["jobs"] == {
        "total": 20,
        "ok": 17,
        "failed": 3,
        "resumed": 17,
        "reused": 0,
    }


def test_what_was_asked_comes_from_the_checkpoint_and_nothing_else_does(failed):  # noqa: ARG001
    found = again(OUTPUT, Selection(), None)
    other = {"model": "other", "prompt": "{{ x }}", "messages_file": "m.json", "limit": 3}
    given = Settings(**other, restart=True, dedup=True, repair=True, concurrency=7, timeout=9.0)

    settings = found.settings(given)

    assert settings.fingerprint == found.saved["cfg_fp"]
    assert (settings.model, settings.system) == ("gpt-4o-mini", "Be brief.")
    assert (settings.prompt, settings.messages_file, settings.limit) == (None, None, None)
    assert (settings.restart, settings.dedup, settings.repair) == (False, False, False)
    assert (settings.concurrency, settings.timeout) == (7, 9.0)


def test_keys_and_regions_come_from_the_environment(failed, monkeypatch):
    monkeypatch.setenv("AZURE_OPENAI_API_KEY_1", "canary")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT_1", "https://stranger.example.com/")
    monkeypatch.setenv("BATCHRUNNER_MODEL", "other")

    code, _, err = failed("retry", OUTPUT)

    assert code == 2  # keys go to nobody that is not known
    assert "stranger.example.com" in err
    assert "canary" not in err


def test_a_dry_run_says_what_would_run_and_changes_nothing(failed):
    files = {path: path.read_bytes() for path in Path().iterdir()}

    code, out, _ = failed("retry", OUTPUT, "--only", "status=400", "--dry-run", "--json")

    assert code == 0
    told = json.loads(out)["retry"]
    assert (told["selected"], told["codes"]) == (3, {"content_filter": 3})
    assert sum(told["regions"].values()) == 3
    assert "by code: 3 content_filter; by region: " in failed("retry", OUTPUT, "--dry-run")[1]
    assert {path: path.read_bytes() for path in Path().iterdir()} == files


def test_where_nothing_is_selected_nothing_is_sent_and_nothing_changes(failed):
    files = {path: path.read_bytes() for path in Path().iterdir()}

    code, out, _ = failed("retry", OUTPUT, "--only", "code=nothing", *SIMULATED)

    assert code == 1
    assert "none of 3 failed jobs is selected: nothing to do" in out
    assert {path: path.read_bytes() for path in Path().iterdir()} == files


def test_where_nothing_failed_there_is_nothing_to_retry(batchrunner):
    write_mixed(filtered=0)
    batchrunner("run", "in.jsonl", "--model", "gpt-4o-mini", *SIMULATED)

    assert batchrunner("retry", OUTPUT)[0] == 0


def test_an_unknown_word_names_the_known_ones(failed):
    code, _, err = failed("retry", OUTPUT, "--only", "kode=x", *SIMULATED)

    assert code == 2
    assert "code, region, status, id" in err


def test_while_a_run_writes_the_output_it_is_refused(failed):
    with acquire(OUTPUT):
        code, _, err = failed("retry", OUTPUT, *SIMULATED)
        assert failed("retry", OUTPUT, "--dry-run")[0] == 6

    assert code == 6
    assert "is writing" in err


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"v":1,"crc":"00000000"}\n'])
def test_without_a_whole_checkpoint_nobody_knows_what_was_asked(failed, content):
    CHECKPOINT.unlink() if content is None else CHECKPOINT.write_bytes(content)
    old = OUTPUT.read_bytes()

    code, _, err = failed("retry", OUTPUT, *SIMULATED)

    assert code == 2
    assert "batchrunner run INPUT --retry-failed" in err
    assert OUTPUT.read_bytes() == old


def test_an_input_that_was_moved_is_named_and_compared(failed):
    Path("in.jsonl").rename("moved.jsonl")
    code, _, err = failed("retry", OUTPUT, *SIMULATED)
    assert (code, "say with --input FILE" in err) == (2, True)

    assert failed("retry", OUTPUT, "--input", "moved.jsonl", *SIMULATED)[0] == 1
    old = OUTPUT.read_bytes()
    lines = Path("moved.jsonl").read_text().splitlines(keepends=True)
    Path("moved.jsonl").write_text("".join(reversed(lines)))

    assert failed("retry", OUTPUT, "--input", "moved.jsonl", *SIMULATED)[0] == 4
    assert OUTPUT.read_bytes() == old


def test_lines_that_were_added_belong_to_the_run(failed):
    with Path("in.jsonl").open("a") as file:
        file.write('{"prompt": "new"}\n')

    code, _, err = failed("retry", OUTPUT, *SIMULATED)

    assert (code, "longer than it was" in err) == (2, True)
    assert len(read_results()) == 20


def test_standard_input_cannot_be_read_again(failed):
    saved = {**checkpoint.load(CHECKPOINT).fields}
    saved["input"] = {**saved["input"], "path": None}
    CHECKPOINT.write_bytes(checkpoint.encode(saved))

    code, _, err = failed("retry", OUTPUT, *SIMULATED)
    assert (code, "standard input" in err) == (2, True)
    assert failed("retry", OUTPUT, "--input", "-", *SIMULATED)[0] == 2


def test_a_limit_and_recorded_lines_stay_as_they_were(batchrunner):
    write_mixed()
    with Path("in.jsonl").open("a") as file:
        file.write("bad\n")
    batchrunner(
        *("run", "in.jsonl", "--model", "gpt-4o-mini", "--limit", 21),
        *("--bad-lines", "record", *SIMULATED),
    )
    with Path("in.jsonl").open("a") as file:
        file.write('{"prompt": "behind the limit"}\n')

    code, out, _ = batchrunner("retry", OUTPUT, "--only", "region=none", *SIMULATED, "--json")

    assert code == 1
    assert sent(out) == 0
    assert json.loads(out)["failures"] == {"content_filter": 3, "bad_line": 1}


def test_a_run_that_is_not_over_is_finished_first(failed):
    lines = OUTPUT.read_bytes().splitlines(keepends=True)
    OUTPUT.write_bytes(b"".join(lines[:-2]))
    saved = checkpoint.load(CHECKPOINT).fields | {"complete": False}
    CHECKPOINT.write_bytes(checkpoint.encode(saved | {"results": {"synced": 0, "records": 0}}))

    code, _, err = failed("retry", OUTPUT, *SIMULATED)

    assert code == 2
    assert "2 jobs have no result yet: first go on with the run itself" in err


def test_results_that_are_gone_are_not_passed_over(failed):
    OUTPUT.write_bytes(OUTPUT.read_bytes()[:-20])

    assert failed("retry", OUTPUT, *SIMULATED)[0] == 5


def test_files_of_others_are_refused(failed):
    batch = '{"custom_id":"a","response":{"status_code":200,"body":{}},"error":null}\n'
    for name, content in (("batch.jsonl", batch), ("text.jsonl", "hello\n"), ("no.jsonl", "")):
        Path(name).write_text(content)
        assert failed("retry", name, *SIMULATED)[0] == 2
    assert failed("retry", "missing.jsonl", *SIMULATED)[0] == 2


def test_a_row_is_asked_by_its_template_again(batchrunner):
    Path("in.csv").write_text("name;x\n[[filter]] a;1\nb;2\n")
    Path("p.txt").write_text("Say {{ name }}")
    run = ("run", "in.csv", "--model", "gpt-4o-mini", "--prompt-file", "p.txt")
    batchrunner(*run, "--delimiter", ";", *SIMULATED)
    Path("p.txt").unlink()  # what it said is in the checkpoint

    code, out, _ = batchrunner("retry", OUTPUT, *SIMULATED, "--json", "--quiet")

    assert (code, sent(out)) == (1, 1)


@pytest.mark.socket
@pytest.mark.parametrize("then", ["retry", "run"])
def test_killed_in_the_middle_no_job_is_lost_or_doubled(batchrunner, then):
    write_mixed(count=80, filtered=60)
    Path("slow.toml").write_text(SLOW)
    run = ("run", "in.jsonl", "--model", "gpt-4o-mini", *SIMULATED)
    batchrunner(*run)
    assert calls() == 80
    retry = ("retry", OUTPUT, "--only", "code=content_filter", "--concurrency", 1)
    process = start(*retry, "--simulate", "slow.toml")
    wait_until(lambda: 25 <= OUTPUT.read_bytes().count(b"\n") <= 60)
    process.send_signal(signal.SIGKILL)
    _, err = process.communicate()
    assert CANARY not in err
    again_done = len(read_results()) - 20
    if then == "retry":
        told = json.loads(batchrunner("retry", OUTPUT, "--only", "id=x", "--dry-run", "--json")[1])
        assert told["retry"]["selected"] == 0
        assert told["retry"]["unfinished"] == 60 - again_done
        said = batchrunner("retry", OUTPUT, "--only", "id=x", "--dry-run")[1]
        assert "that an earlier retry has left run too" in said

    code, out, _ = batchrunner(*(retry + SIMULATED if then == "retry" else run), "--json")

    results = read_results()
    assert code == 1
    assert sorted(result["i"] for result in results) == list(range(80))
    assert sum(result["error"] is not None for result in results) == 60
    stats = json.loads(out)
    assert (stats["jobs"]["ok"], stats["failures"]) == (20, {"content_filter": 60})
    rerun = 60 if then == "retry" else 60 - again_done
    assert sent(out) == rerun
    assert stats["calls"] == 80 + again_done + rerun  # the one that was in flight nobody saw


def test_killed_before_or_after_the_compaction_the_numbers_add_up(failed):
    found = again(OUTPUT, Selection(), None)
    old = OUTPUT.read_bytes()
    ledger = Ledger.open(OUTPUT, found.settings(Settings()), again=found.selection)
    ledger.journal.close()  # and here the process dies

    told = json.loads(failed("status", OUTPUT, "--json")[1])
    assert (told["jobs"]["ok"], told["jobs"]["failed"], told["calls"]) == (17, 0, 20)

    OUTPUT.write_bytes(old)  # or it died a moment earlier, with the old file in its place
    saved = {**checkpoint.load(CHECKPOINT).fields}
    saved["compaction"] = {**saved["compaction"], "inode": OUTPUT.stat().st_ino}
    CHECKPOINT.write_bytes(checkpoint.encode(saved))
    told = json.loads(failed("status", OUTPUT, "--json")[1])
    assert (told["jobs"]["ok"], told["jobs"]["failed"], told["calls"]) == (17, 3, 20)

    code, out, _ = failed("retry", OUTPUT, *SIMULATED, "--json", "--quiet")
    assert (code, sent(out), calls()) == (1, 3, 23)
    assert len(read_results()) == 20


def test_hostile_ids_are_selected_and_do_not_steer_the_terminal(batchrunner):
    ids = ['q"uote', "back\\slash", "naïve 🙂", "a,b=c", "*", "region=x"]
    lines = [json.dumps({"id": id_, "prompt": "[[filter]]"}) + "\n" for id_ in ids]
    Path("in.jsonl").write_text("".join(lines))
    batchrunner("run", "in.jsonl", "--model", "gpt-4o-mini", *SIMULATED)

    for id_ in ids:
        code, out, _ = batchrunner(
            "retry", OUTPUT, "--only", f"id={id_}", *SIMULATED, "--json", "--quiet"
        )
        assert (code, sent(out)) == (1, 1), id_
    assert sorted(
        decode(line)["custom_id"] for line in OUTPUT.read_bytes().splitlines()
    ) == sorted(ids)


def test_an_output_that_is_empty_has_nothing_to_retry(batchrunner):
    Path("in.jsonl").write_text("")
    batchrunner("run", "in.jsonl", "--model", "gpt-4o-mini", *SIMULATED)

    assert batchrunner("retry", OUTPUT, *SIMULATED)[0] in {0, 2}
