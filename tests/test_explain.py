"""One job, explained: through the front door, from finished and from hostile files."""

import json
from pathlib import Path

import pytest

from batchrunner.inputs.jsonl import fingerprint
from batchrunner.model import Attempt, Failure, Job, Reply, Result, Usage
from batchrunner.outputs import checkpoint
from batchrunner.outputs.lines import decode, encode
from batchrunner.outputs.lock import acquire
from tests.tables.made import chat
from tests.test_run import batchrunner, place
from tests.test_scenarios import region, scenario
from tests.world import World, job

__all__ = ["batchrunner", "place"]  # fixtures

OUTPUT = Path("in.results.jsonl")
ROWS = [f'{{"id":"job-{n}","prompt":"Say {n}","max_tokens":9}}'.encode() for n in range(8)]
BUSY = Attempt("eastus", "throttled", 429, 0.03, "tokens", wait=0.5)
FINE = Attempt("westus", "ok", 200, 1.25, wait=12.25)
BROKEN = Attempt("westus", "invalid", 200, 1.0, None, Usage("gpt-4o-mini", 100, 10, 40))


def write(*results, rows=ROWS, complete=True, **about):
    """Results of some rows of an input, with a checkpoint."""
    Path("in.jsonl").write_bytes(b"".join(row + b"\n" for row in rows))
    content = b"".join(encode(result, "c0ffee00") for result in results)
    OUTPUT.write_bytes(content)
    fields = {
        "complete": complete,
        "results": {"synced": len(content), "records": len(results)},
        "input": {"path": str(Path("in.jsonl").absolute()), "jobs": len(rows), "limit": None}
        | about,
        "cfg": {"model": "gpt-4o-mini"},
        "providers": {"eastus": "azure", "westus": "azure"},
    }
    checkpoint.checkpoint_path(OUTPUT).write_bytes(checkpoint.encode(fields))


def result(ordinal, *attempts, failure=None, body=None, id_=None, reused=False):
    row = ROWS[ordinal]
    name = f"job-{ordinal}" if id_ is None else id_
    asked = Job(
        ordinal, fingerprint(row), name, "/chat/completions", "m", b"{}", request="ab" * 16
    )
    content = json.dumps(chat("forty-two \x1b[31m") if body is None else body).encode()
    reply = Reply(attempts[-1].status if attempts else 200, {"x-request-id": "r-77"}, content)
    return Result(asked, reply, attempts, failure, reused=reused)


def told(batchrunner, *arguments):
    code, out, _ = batchrunner("explain", OUTPUT, *arguments, "--json")
    assert code == 0
    return json.loads(out)


def test_throttled_twice_and_answered_elsewhere(batchrunner):
    write(result(0, FINE), result(2, BUSY, BUSY, FINE))

    found = told(batchrunner, "job-2")
    code, out, _ = batchrunner("explain", OUTPUT, "job-2")

    assert (found["state"], found["line"], found["region"]) == ("answered", 3, "westus")
    assert [attempt["outcome"] for attempt in found["attempts"]] == ["throttled"] * 2 + ["ok"]
    assert [attempt["wait"] for attempt in found["attempts"]] == [0.5, 0.5, 12.25]
    assert (found["model_asked"], found["model"]) == ("gpt-4o-mini", "gpt-4o-mini-2024-07-18")
    assert found["tokens"] == {"prompt": 100, "cached": 0, "completion": 20}
    assert found["cost_usd"] == pytest.approx((100 * 0.15 + 20 * 0.6) / 1e6)
    assert (found["request_id"], found["finish_reasons"]) == ("r-77", ["stop"])
    assert code == 0
    assert "job-2: answered by westus" in out
    assert f"line 3 of {Path('in.jsonl').absolute()}" in out
    assert "3: 1.3s of asking, 13.2s of waiting" in out
    assert "1. eastus after a wait of 0.5s: throttled: its limit of tokens" in out
    assert "a minute was used up (status 429 in 0.030s)" in out


def test_a_failure_says_what_to_do(batchrunner):
    refused = Attempt("eastus", "refused", 400, 0.1)
    failure = Failure("content_filter", "filtered \x1b]0;evil\x07", retryable=False)
    write(result(1, refused, failure=failure, body={"error": {}}))

    found = told(batchrunner, "job-1")
    out = batchrunner("explain", OUTPUT, "job-1")[1]

    assert found["state"] == "failed"
    assert "soften it" in found["error"]["remedy"]
    assert "batchrunner retry runs it" in out
    assert "\x1b" not in out
    assert "\x07" not in out


def test_answers_that_were_not_taken_are_counted_too(batchrunner):
    failure = Failure("invalid_output", "it is not JSON", retryable=False)
    write(result(1, BROKEN, BROKEN, failure=failure))

    found = told(batchrunner, "job-1")

    assert found["tokens"]["prompt"] == 0
    assert found["rejected_tokens"] == {"prompt": 200, "cached": 80, "completion": 20}
    assert found["cost_usd"] > 0
    assert "--max-reasks" in found["error"]["remedy"]


def test_a_reused_answer_cost_nothing(batchrunner):
    write(result(1, reused=True))

    found = told(batchrunner, "job-1")
    out = batchrunner("explain", OUTPUT, "job-1")[1]

    assert (found["reused"], found["attempts"], found["cost_usd"]) == (True, [], 0.0)
    assert "nothing was sent" in out


def test_a_cost_that_no_line_names_is_that_of_the_prices_of_the_run(batchrunner):
    write(result(0, FINE))
    path = checkpoint.checkpoint_path(OUTPUT)
    saved = dict(checkpoint.load(path).fields)
    path.write_bytes(checkpoint.encode(saved | {"prices": {"westus": "1000000/2000000"}}))

    found = told(batchrunner, "job-0")

    tokens = found["tokens"]
    assert found["cost_usd"] == tokens["prompt"] + 2 * tokens["completion"] > 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", ".", "a"),
        ("status", "."),
        ("status", "/", "--follow"),
        ("report", "."),
        ("verify", "."),
        ("retry", "."),
        ("ctl", ".", "show"),
        ("export", ".", "-o", "t.csv"),
    ],
    ids=" ".join,
)
def test_a_directory_is_refused_in_words(batchrunner, arguments):
    code, out, err = batchrunner(*arguments)

    assert (code, out) == (2, "")
    assert "directory" in err
    assert "error of its own" not in err


def test_what_is_no_file_of_results_is_called_so(batchrunner):
    write(result(0, FINE))

    code, _, err = batchrunner("explain", "in.jsonl", "job-0")

    assert (code, "is no file of results" in err) == (2, True)


def test_a_cost_that_the_line_names_is_taken(batchrunner):
    write(result(0, FINE))
    line = OUTPUT.read_bytes().replace(b',"cfg":', b',"cost_usd":0.5,"cfg":')
    from batchrunner.outputs.lines import _seal

    OUTPUT.write_bytes(_seal(line[: line.rindex(b',"crc":')]))

    assert told(batchrunner, "job-0")["cost_usd"] == 0.5


def test_the_answer_is_shown_only_where_it_is_wanted_and_cannot_steer(batchrunner):
    write(result(0, FINE))

    assert "forty-two" not in batchrunner("explain", OUTPUT, "job-0")[1]
    assert "answers" not in told(batchrunner, "job-0")
    shown = batchrunner("explain", OUTPUT, "job-0", "--answer")[1]
    assert "forty-two  [31m" in shown
    assert told(batchrunner, "job-0", "--answer")["answers"] == ["forty-two \x1b[31m"]
    for _, out, err in [batchrunner("explain", OUTPUT, "job-0", "--answer")]:
        assert "Say 0" not in out + err


@pytest.mark.parametrize("how", [("#3",), ("--line", 3), ("job-2",)])
def test_a_job_is_named_by_its_id_or_by_its_line(batchrunner, how):
    write(result(0, FINE), result(2, FINE))

    assert told(batchrunner, *how)["id"] == "job-2"


def test_an_id_that_looks_like_a_line_is_an_id(batchrunner):
    write(result(0, FINE), result(1, FINE, id_="#1"))

    assert told(batchrunner, "#1")["line"] == 2
    assert told(batchrunner, "--line", 1)["line"] == 1


@pytest.mark.parametrize("how", [("job-5",), ("#6",), ("--line", 6)])
def test_what_is_not_done_yet_is_found_in_the_input(batchrunner, how):
    write(result(0, FINE), complete=False)

    found = told(batchrunner, *how)

    assert (found["state"], found["id"], found["line"]) == ("not done yet", "job-5", 6)
    assert found["model_asked"] == "gpt-4o-mini"
    with acquire(OUTPUT):
        assert "is at work" in batchrunner("explain", OUTPUT, *how)[1]


def test_what_a_limit_left_out_is_said(batchrunner):
    write(result(0, FINE), limit=3)

    assert told(batchrunner, "job-5")["state"] == "left out"
    assert told(batchrunner, "job-2")["state"] == "not done yet"


def test_without_an_id_a_line_is_known_by_its_place(batchrunner):
    rows = [b'{"prompt":"a"}', b"", b'{"prompt":"no id"}', b'{"id":7,"prompt":"b"}']
    write(rows=rows, complete=False)

    assert told(batchrunner, "2")["line"] == 3
    assert told(batchrunner, "7")["line"] == 4
    assert batchrunner("explain", OUTPUT, "#2")[0] == 2  # a blank line


@pytest.mark.parametrize(
    "id_", ['q"uote', "back\\slash", "naïve 🙂", "new\nline", "\x1b[31mred", "#", "--", "#x"]
)
def test_ids_of_any_kind_are_found_and_shown_harmlessly(batchrunner, id_):
    rows = [*ROWS[:1], json.dumps({"id": id_, "prompt": "b"}).encode()]
    write(result(0, FINE, id_=id_), rows=rows)

    code, out, _ = batchrunner("explain", OUTPUT, "--", id_)

    assert code == 0
    assert "\x1b" not in out
    assert out.splitlines()[0].endswith(": answered by westus")
    write(rows=rows, complete=False)
    assert batchrunner("explain", OUTPUT, "--", id_)[0] == 0  # it is in the input


@pytest.mark.parametrize(
    "how", [("job-99",), ("#99",), ("--line", 99), ("#0",), ("#" + "9" * 30,)]
)
def test_nobody_knows_it(batchrunner, how):
    write(result(0, FINE), rows=ROWS[:1])

    code, out, err = batchrunner("explain", OUTPUT, *how)

    assert (code, out) == (2, "")
    assert "#7 is the seventh line" in err


def test_one_job_must_be_named(batchrunner):
    write(result(0, FINE))

    assert batchrunner("explain", OUTPUT)[0] == 2
    assert batchrunner("explain", OUTPUT, "job-0", "--line", 1)[0] == 2


def test_two_jobs_of_one_id_are_both_named(batchrunner):
    write(result(3, FINE, id_="x"), result(5, FINE, id_="x"))

    found = told(batchrunner, "x")

    assert found["line"] == 4
    assert "line 6 of the input has this id too: see --line" in found["notes"]


def test_an_input_that_is_gone_or_another_is_told(batchrunner):
    write(result(0, FINE), result(2, FINE))
    Path("in.jsonl").write_bytes(b"".join(row + b"\n" for row in reversed(ROWS)))
    assert "another line there now" in told(batchrunner, "job-2")["notes"][0]

    Path("in.jsonl").rename("moved.jsonl")
    assert "--input" in told(batchrunner, "job-2")["notes"][0]
    code, _, err = batchrunner("explain", OUTPUT, "job-5")
    assert (code, "say with --input FILE" in err) == (2, True)
    assert told(batchrunner, "job-5", "--input", "moved.jsonl")["state"] == "not done yet"


def test_damage_and_missing_checkpoints_are_lived_with(batchrunner):
    write(result(0, FINE), result(2, FINE))
    content = OUTPUT.read_bytes()
    OUTPUT.write_bytes(
        b"rubbish\n" + content.replace(b'"job-0","resp', b'"job-0","Resp') + b'{"i":'
    )
    checkpoint.checkpoint_path(OUTPUT).write_bytes(b"{}")

    found = told(batchrunner, "job-2")
    assert found["state"] == "answered"
    assert found["model_asked"] is None
    assert batchrunner("explain", OUTPUT, "job-0")[0] == 2

    OUTPUT.write_bytes(b"")
    assert batchrunner("explain", OUTPUT, "job-0")[0] == 2


def test_files_of_others_are_refused(batchrunner):
    Path("batch.jsonl").write_text(
        '{"custom_id":"a","response":{"status_code":200,"body":{}},"error":null}\n'
    )
    code, _, err = batchrunner("explain", "batch.jsonl", "a")
    assert (code, "Batch output" in err) == (2, True)
    assert batchrunner("explain", "nowhere.jsonl", "a")[0] == 2
    Path("letter.txt").write_text("Dear\n")
    assert batchrunner("explain", "letter.txt", "a")[0] == 2


def test_a_row_of_a_table_is_called_a_row(batchrunner):
    Path("in.csv").write_text("sku;name\nA-1;apple\nB-2;[[filter]] pear\n")
    batchrunner(
        *("run", "in.csv", "--model", "gpt-4o-mini", "--prompt", "What is {{ name }}?"),
        *("--id-column", "sku", "--simulate", "swift.toml", "--limit", 1),
    )

    assert told(batchrunner, "A-1")["row"] == 1
    found = told(batchrunner, "B-2")
    assert (found["row"], found["state"]) == (2, "left out")


async def test_the_waits_and_the_attempts_of_a_job_are_all_of_its_time():
    quota = {"request_window": 5.0, "request_limit": 2, "headers": "none", "retry_after": 3}
    world = World(scenario(region("a", **quota)), concurrency=6)

    ended = await world.run([job(n) for n in range(6)])

    times = [sum(a.wait + a.seconds for a in result.attempts) for result in world.results]
    assert max(times) == pytest.approx(ended, abs=0.001)
    assert min(attempt.wait for result in world.results for attempt in result.attempts) == 0
    throttled = next(r for r in world.results if len(r.attempts) > 1)
    assert throttled.attempts[1].wait > 1


def test_a_line_names_a_wait_and_none_where_there_was_none():
    line = decode(encode(result(0, BUSY, Attempt("w", "ok", 200, 1.0, wait=0.0004)), "c0ffee00"))

    assert line["attempts"][0]["wait"] == 0.5
    assert "wait" not in line["attempts"][1]
