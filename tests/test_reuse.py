"""Night after night: what was answered before is not asked again. Through the front door."""

import json
import random
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from batchrunner.outputs.lines import decode, encode, failed
from batchrunner.simulator import prompt_digest
from batchrunner.stats import Stats
from batchrunner.summary import Progress
from tests.outputs.builders import CFG, FINAL, result
from tests.outputs.test_lines import sealed
from tests.test_run import SLOW, batchrunner, place, start, wait_for_lines

__all__ = ["batchrunner", "place"]  # fixtures

RUN = ("--simulate", "swift.toml", "--json")


def write_rows(path, prompts):
    """A row with members in an order that changes from file to file, and ids that do too."""
    rows = [
        {"id": f"{path}-{n}", "prompt": p, "model": "gpt-4o-mini"} for n, p in enumerate(prompts)
    ]
    rows = [dict(random.Random(path).sample(list(row.items()), 3)) for row in rows]
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))


def results(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def assert_whole(path, prompts):
    found = {record["i"]: record for record in results(path)}
    assert sorted(found) == list(range(len(prompts)))
    assert len(results(path)) == len(prompts)
    for number, record in found.items():
        text = record["response"]["body"]["choices"][0]["message"]["content"]
        assert text.startswith(prompt_digest(prompts[number]))
        assert record["custom_id"].endswith(f"-{number}")


def calls(out):
    return sum(region["calls"] for region in json.loads(out)["simulator"].values())


@pytest.fixture
def monday(batchrunner):
    """A first night: 200 rows, and what they came to."""
    prompts = [f"Translate sentence {n}." for n in range(200)]
    write_rows("monday", prompts)
    assert batchrunner("run", "monday", "-o", "monday.out", *RUN)[0] == 0
    return prompts


def changed(prompts, numbers, mark):
    prompts = [f"{p} ({mark})" if n in numbers else p for n, p in enumerate(prompts)]
    random.Random(mark).shuffle(prompts)
    return prompts


def test_only_what_changed_is_asked_and_a_chain_of_nights_holds(batchrunner, monday):
    tuesday = changed(monday, {7, 99}, "new")
    write_rows("tuesday", tuesday)

    code, out, err = batchrunner(
        "run", "tuesday", "-o", "tuesday.out", "--reuse", "monday.out", *RUN
    )

    assert code == 0
    assert calls(out) == 2
    assert_whole("tuesday.out", tuesday)
    stats = json.loads(out)
    assert stats["jobs"] == {"total": 200, "ok": 200, "failed": 0, "resumed": 0, "reused": 198}
    assert stats["calls"] == 2
    assert sum(stats["models"].values()) == 2
    assert 0 < stats["cost_usd"] < results_cost() / 50
    assert sum(region["share"] for region in stats["regions"].values()) == pytest.approx(1)
    assert "198 of 200 taken from the same request, answered before" in err

    wednesday = changed(tuesday, {3}, "newer")
    write_rows("wednesday", wednesday)
    code, out, _ = batchrunner(
        "run", "wednesday", "-o", "wednesday.out", "--reuse", "tuesday.out", *RUN
    )
    assert (code, calls(out)) == (0, 1)
    assert_whole("wednesday.out", wednesday)


def results_cost():
    return json.loads(Path("monday.out.stats.json").read_text())["cost_usd"]


def test_a_line_that_was_taken_is_that_of_the_answer_and_names_no_region(batchrunner, monday):
    write_rows("tuesday", monday)
    batchrunner("run", "tuesday", "-o", "tuesday.out", "--reuse", "monday.out", *RUN)

    before = {record["request"]: record for record in results("monday.out")}
    for record in results("tuesday.out"):
        earlier = before[record["request"]]
        assert record["response"] == earlier["response"]
        assert (record["region"], record["attempts"], record["reused"]) == (None, [], True)
        assert "reused" not in earlier
    code, out, _ = batchrunner("status", "tuesday.out", "--json")
    assert (code, json.loads(out)["jobs"]["reused"]) == (0, 200)
    assert json.loads(out)["calls"] == 0
    assert batchrunner("verify", "tuesday.out")[0] == 0


def test_without_the_checkpoint_the_lines_tell_what_was_taken(batchrunner, monday):
    write_rows("tuesday", [*monday, "Say something new."])
    _, out, _ = batchrunner("run", "tuesday", "-o", "tuesday.out", "--reuse", "monday.out", *RUN)
    Path("tuesday.out.checkpoint.json").unlink()

    _, told, _ = batchrunner("status", "tuesday.out", "--json")

    before, after = json.loads(out), json.loads(told)
    assert after["jobs"]["reused"] == before["jobs"]["reused"] == 200
    for name in ("ok", "calls", "prompt_tokens", "completion_tokens"):
        counts = [
            {region: usage[name] for region, usage in told["regions"].items() if usage["calls"]}
            for told in (before, after)
        ]
        assert counts[0] == counts[1]


def test_another_model_or_parameter_is_another_request(batchrunner, monday):
    write_rows("tuesday", monday[:5])

    code, out, _ = batchrunner(
        "run", "tuesday", "-o", "o", "--reuse", "monday.out", "--temperature", 0.5, *RUN
    )

    assert (code, calls(out)) == (0, 5)


def test_several_earlier_outputs_complete_each_other(batchrunner, monday):
    lines = Path("monday.out").read_bytes().splitlines(keepends=True)
    Path("a.out").write_bytes(b"".join(lines[:150]))
    Path("b.out").write_bytes(b"".join(lines[50:]))
    write_rows("tuesday", monday)
    both = ("--reuse", "a.out", "--reuse", "b.out")

    code, out, _ = batchrunner("run", "tuesday", "-o", "tuesday.out", *both, *RUN)

    assert (code, calls(out)) == (0, 0)


def test_failures_are_asked_again_and_damaged_lines_are_passed_over(batchrunner, monday):
    lines = Path("monday.out").read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b'"i":', b'"i": ', 1)
    Path("monday.out").write_bytes(b"".join(lines) + lines[0][:100])
    write_rows("tuesday", monday)

    code, out, _ = batchrunner("run", "tuesday", "-o", "o", "--reuse", "monday.out", *RUN)

    assert (code, calls(out)) == (0, 1)
    assert_whole("o", monday)


def spoilt(line, **changes):
    """A line of results whose answer came otherwise."""
    record = json.loads(line)
    choice = record["response"]["body"]["choices"][0]
    choice["finish_reason"] = changes.pop("finish_reason", "stop")
    choice["message"] |= changes
    del record["crc"]
    return sealed(json.dumps(record, separators=(",", ":")).encode()[:-1])


@pytest.mark.parametrize("option", ["--reuse", "--dedup"])
def test_an_answer_that_would_not_do_as_a_fresh_one_is_asked_for_again(batchrunner, option):
    Path("schema.json").write_text(
        '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}'
    )
    prompts = [f"Where is {n}?" for n in range(5)]
    write_rows("monday", prompts)
    run = (*RUN, "--schema", "schema.json")
    batchrunner("run", "monday", "-o", "o", *run)
    good, *lines = Path("o").read_bytes().splitlines(keepends=True)
    bad = [
        spoilt(lines[0], content='{"town":"Bonn"}'),
        spoilt(lines[1], content="Bonn"),
        spoilt(lines[2], content=None, refusal="No."),
        spoilt(lines[3], finish_reason="length"),
    ]
    Path("o").write_bytes(good + b"".join(bad))
    Path("o.checkpoint.json").unlink()
    if option == "--reuse":
        Path("o").rename("monday.out")
        run = (*run, "--reuse", "monday.out")
        write_rows("monday", prompts)
    else:
        write_rows("more", prompts)
        with Path("monday").open("a") as file:
            file.write(Path("more").read_text())
        run = (*run, "--dedup")

    code, out, err = batchrunner("run", "monday", "-o", "o", *run)

    assert (code, calls(out)) == (0, 4), err
    told = json.loads(out)["jobs"]
    assert (told["ok"], told["reused"]) == ((5, 1) if option == "--reuse" else (10, 1))
    assert all(record["error"] is None for record in results("o"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.out", None, "--reuse missing.out does not exist"),
        (".", None, "--reuse . cannot be read"),
        ("input.out", b'{"prompt":"Hello"}\n', "input.out holds no results"),
        ("packed.out.zst", b"\x28\xb5\x2f\xfd packed", "packed.out.zst holds no results"),
        ("old.out", encode(result(), CFG), "old.out was made by an earlier version"),
        ("tuesday.out", b"", "tuesday.out is the output"),
    ],
)
def test_what_cannot_be_reused_is_told_before_anything_is_sent(batchrunner, name, content, said):
    if content is not None:
        Path(name).write_bytes(content)
    write_rows("tuesday", ["Say it."])

    code, out, err = batchrunner("run", "tuesday", "-o", "tuesday.out", "--reuse", name, *RUN)

    assert (code, out) == (2, "")
    assert said in err
    assert not Path("tuesday.out.stats.json").exists()


@pytest.mark.parametrize(
    "content", [b"", encode(result(failure=FINAL), CFG), encode(result(), CFG)[:3], b'{"i":0,"fp"']
)
def test_a_night_without_answers_is_no_error(batchrunner, content):
    Path("monday.out").write_bytes(content)
    write_rows("tuesday", ["Say it."])

    code, out, _ = batchrunner("run", "tuesday", "-o", "o", "--reuse", "monday.out", *RUN)

    assert (code, calls(out)) == (0, 1)


def test_lines_of_an_earlier_version_go_on(batchrunner):
    """Without ``request`` and with the same input: they are done, and the rest is asked."""
    prompts = [f"Say {n}." for n in range(4)]
    write_rows("in", prompts)
    batchrunner("run", "in", "-o", "out", *RUN)
    old = []
    for line in Path("out").read_bytes().splitlines(keepends=True):
        text = line[: line.rindex(b',"crc"')]
        at = text.rindex(b',"request":')
        old.append(sealed(text[:at] + text[text.rindex(b',"cfg":') :]))
    Path("out").write_bytes(b"".join(old[:3]))
    Path("out.checkpoint.json").unlink()

    code, out, _ = batchrunner("run", "in", "-o", "out", "--dedup", *RUN)

    assert (code, calls(out)) == (0, 1)
    assert_whole("out", prompts)


def test_the_same_within_a_run_is_asked_once_and_after_a_resume_too(batchrunner):
    prompts = [f"Say {n // 20}." for n in range(200)]
    write_rows("in", prompts)
    first = batchrunner("run", "in", "-o", "out", "--dedup", "--limit", 50, *RUN)

    code, out, _ = batchrunner("run", "in", "-o", "out", "--dedup", *RUN)

    assert (calls(first[1]), code, calls(out)) == (3, 0, 7)
    assert json.loads(out)["jobs"]["reused"] == 190
    assert_whole("out", prompts)


def test_without_the_option_the_same_is_asked_again(batchrunner):
    write_rows("in", ["Say it."] * 5)

    assert calls(batchrunner("run", "in", "-o", "out", *RUN)[1]) == 5


def test_the_rate_is_that_of_what_is_asked():
    """190 of 200 were taken in ten seconds, which says nothing of the others."""
    stats = Stats(ok=190, reused=190)
    taken = Progress(total=200, resumed=0, wall_s=10.0, stats=stats, regions=(), reused=190)
    assert (taken.asked, taken.rate) == (0, 0.0)

    asked = replace(taken, wall_s=20.0, stats=Stats(ok=192, reused=190))
    assert (asked.asked, asked.left, asked.rate) == (2, 8, 0.1)


def test_a_failure_that_was_shared_and_runs_again_is_counted_as_shared_no_longer():
    stats = Stats()
    line = decode(encode(replace(result(failure=FINAL), attempts=(), reused=True), CFG))
    stats.add_line(line)
    assert (stats.failed, stats.reused) == (1, 1)

    stats.withdraw(line)

    assert (stats.failed, stats.reused) == (0, 0)


@pytest.mark.socket
def test_killed_while_reusing_a_run_goes_on_and_asks_nothing_twice(batchrunner, monday):
    """The new rows come first and are slow, so that the kill finds lines of both kinds."""
    Path("slow.toml").write_text(SLOW)
    tuesday = [x for n, p in enumerate(monday) for x in ([p, f"New {n}."] if n < 40 else [p])]
    write_rows("tuesday", tuesday)
    arguments = ("run", "tuesday", "-o", "tuesday.out", "--reuse", "monday.out")
    process = start(*arguments, "--simulate", "slow.toml", "--concurrency", 4)
    wait_for_lines(60, "tuesday.out")
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    before = len(results_that_were_whole("tuesday.out"))

    code, out, _ = batchrunner(*arguments, *RUN)

    assert code == 0
    assert_whole("tuesday.out", tuesday)
    assert json.loads(out)["jobs"]["resumed"] == before >= 60
    assert json.loads(out)["jobs"]["reused"] == 200
    assert 0 < calls(out) <= 40


def results_that_were_whole(path):
    lines = Path(path).read_bytes().splitlines(keepends=True)
    return [decode(line) for line in lines if line.endswith(b"\n") and not failed(line)]


@pytest.mark.socket
@pytest.mark.usefixtures("batchrunner")
def test_two_runs_take_from_a_third_that_still_writes(monday):
    """What is whole when they begin is taken, the rest is asked."""
    Path("slow.toml").write_text(SLOW)
    Path("monday.out").unlink()
    Path("monday.out.checkpoint.json").unlink()
    writer = start(
        "run", "monday", "-o", "monday.out", "--simulate", "slow.toml", "--concurrency", 4
    )
    wait_for_lines(20, "monday.out")
    others = []
    for name in ("a", "b"):
        write_rows(name, monday)
        others.append(start("run", name, "-o", f"{name}.out", "--reuse", "monday.out", *RUN))
    told = [json.loads(other.communicate(timeout=60)[0]) for other in others]
    writer.kill()
    writer.communicate()

    for name, stats in zip("ab", told, strict=True):
        assert 20 <= stats["jobs"]["reused"] < 200
        assert stats["jobs"]["reused"] + stats["calls"] == 200
        assert_whole(f"{name}.out", monday)
