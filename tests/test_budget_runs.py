"""Budgets and deadlines through the front door: real files, and the simulator on a real socket."""

import json
from pathlib import Path

import pytest

from batchrunner import run_async
from batchrunner.cli import main
from batchrunner.config import read_settings
from batchrunner.outputs.checkpoint import checkpoint_path, encode, load
from batchrunner.outputs.disk import sibling
from batchrunner.outputs.lines import decode
from batchrunner.simulator import load as scenario_of
from batchrunner.simulator.server import serve
from batchrunner.views.words import usd
from tests.test_run import SWIFT, batchrunner, place, write_jobs

__all__ = ["batchrunner", "place"]  # fixtures

pytestmark = pytest.mark.socket
OUTPUT = Path("in.results.jsonl")
RUN = ("run", "in.jsonl", "--simulate", "swift.toml", "--quiet", "--max-tokens", "20")
CAP = 0.0004  #: US dollars; a job costs some 0.000017


def stats():
    return json.loads(sibling(OUTPUT, ".stats.json").read_bytes())


def records():
    return [decode(line) for line in OUTPUT.read_bytes().splitlines(keepends=True)]


def paid():
    return sum(record["cost_usd"] for record in records())


def saved(**changes):
    """What the checkpoint says of money that no result accounts for, perhaps changed."""
    fields = load(checkpoint_path(OUTPUT)).fields
    if changes:
        changed = fields | {"unanswered": fields["unanswered"] | changes}
        checkpoint_path(OUTPUT).write_bytes(encode(changed))
    return fields["unanswered"]


def test_a_run_stops_at_its_budget_and_goes_on_with_a_higher_one(batchrunner):
    write_jobs(count=100)
    code, out, _ = batchrunner(*RUN, "--max-cost", CAP, "--json")

    told = json.loads(out)
    assert code == 7
    assert "--max-cost 0.0004" in told["stopped"]
    assert CAP - 0.00003 < paid() <= CAP
    assert told["cost_usd"] == stats()["cost_usd"] == pytest.approx(paid(), abs=3e-6)
    assert not any(saved().values()), "an end leaves nothing open"
    before = OUTPUT.read_bytes()

    assert batchrunner(*RUN, "--max-cost", CAP)[0] == 7
    assert OUTPUT.read_bytes() == before, "the budget is that of all runs together"

    assert batchrunner(*RUN, "--max-cost", 1)[0] == 0
    assert len(records()) == 100
    assert stats()["cost_usd"] == pytest.approx(paid(), abs=3e-6)
    assert batchrunner("verify", OUTPUT)[0] == 0


def test_each_region_says_what_its_models_used_and_cost_and_so_does_status(batchrunner):
    write_jobs(count=30)
    assert batchrunner(*RUN)[0] == 0
    regions = stats()["regions"]
    for name, found in regions.items():
        own = [record for record in records() if record["region"] == name]
        usages = [record["response"]["body"]["usage"] for record in own]
        (used,) = found["models"].values()
        assert used["answers"] == len(own) > 0
        assert used["prompt_tokens"] == sum(usage["prompt_tokens"] for usage in usages)
        assert used["completion_tokens"] == sum(usage["completion_tokens"] for usage in usages)
        assert used["cached_tokens"] == found["cached_tokens"] == 0
        cost = sum(record["cost_usd"] for record in own)
        assert used["cost_usd"] == found["cost_usd"] == pytest.approx(cost, abs=1e-6)

    _, out, _ = batchrunner("status", OUTPUT, "--json")
    told = json.loads(out)
    for name, found in regions.items():
        assert told["regions"][name]["models"] == found["models"]
    _, out, _ = batchrunner("status", OUTPUT)
    assert f"{stats()['tokens']['prompt']:,} tokens of prompts (0 cached)" in out
    assert f"cost {usd(stats()['cost_usd'])}" in out


def test_what_may_have_been_billed_in_a_run_that_was_killed_counts_in_the_next(batchrunner):
    write_jobs(count=100)
    assert batchrunner(*RUN, "--max-cost", CAP)[0] == 7
    done = len(records())

    saved(usd=0.001 - CAP, tokens=500.0)
    assert batchrunner(*RUN, "--max-cost", 0.001)[0] == 7
    assert len(records()) <= done + 2, "it is as good as spent"
    assert saved()["usd"] == pytest.approx(0.001 - CAP, abs=1e-6)

    assert batchrunner(*RUN)[0] == 0
    assert saved()["usd"] == pytest.approx(0.001 - CAP, abs=1e-6), "also behind a run without one"


def test_calls_that_may_have_been_billed_stand_in_the_checkpoint(batchrunner):
    Path("hanging.toml").write_text(
        SWIFT + '[[regions.faults]]\nkind = "hang"\nrate = 0.3\n[openai]\nkey = "sk-canary"\n'
    )
    write_jobs(count=12)
    run = ("run", "in.jsonl", "--simulate", "hanging.toml", "--quiet", "--timeout", "0.4")
    assert batchrunner(*run, "--max-tokens", "20", "--max-cost", 1)[0] == 0

    lost = stats()["ambiguous"]
    assert saved()["calls"] == lost > 0
    assert saved()["usd"] > lost * 20 * 0.6e-6


def test_without_a_checkpoint_the_lines_tell_what_was_spent(batchrunner):
    write_jobs(count=100)
    assert batchrunner(*RUN, "--max-cost", CAP)[0] == 7
    before = OUTPUT.read_bytes()

    checkpoint_path(OUTPUT).unlink()
    assert batchrunner(*RUN, "--max-cost", CAP)[0] == 7
    assert OUTPUT.read_bytes() == before


def test_a_model_without_a_price_is_refused_before_anything_is_made(batchrunner):
    write_jobs(count=3)
    Path("own.jsonl").write_text('{"prompt":"a","model":"my-own"}\n{"prompt":"b"}\n')
    for more in (("own.jsonl", "--model", "gpt-4o-mini"), ("in.jsonl", "--model", "my-own")):
        run = ("run", *more, "--simulate", "swift.toml", "--quiet", "--max-cost", 1)
        code, _, err = batchrunner(*run)

        assert code == 2
        assert "no price of 'my-own' is known for eastus: set AZURE_OPENAI_PRICE_n" in err
    assert not list(Path().glob("*.results*"))
    assert (
        batchrunner("run", "own.jsonl", "--simulate", "swift.toml", "--quiet", "--model", "x")[0]
        == 0
    )


async def test_prices_of_the_settings_hold_in_lines_statistics_and_status(place, capfd):  # noqa: ARG001
    write_jobs(count=8)
    async with serve(scenario_of(Path("swift.toml"))) as simulation:
        prices = {"AZURE_OPENAI_PRICE_1": "1000/1000", "AZURE_OPENAI_PRICE_2": "0/0"}
        options = {"strategy": "ordered", "concurrency": 1}
        settings = read_settings(options, {**simulation.environ(), **prices}, {})
        summary = await run_async("in.jsonl", None, settings)

    tokens = summary.as_json()["tokens"]
    expected = (tokens["prompt"] + tokens["completion"]) * 1000 / 1e6
    assert stats()["cost_usd"] == pytest.approx(expected) == pytest.approx(paid())
    with pytest.raises(SystemExit):
        main(["status", str(OUTPUT), "--json"])
    assert json.loads(capfd.readouterr().out)["cost_usd"] == stats()["cost_usd"]


async def test_a_checkpoint_tells_how_much_a_kill_may_find_in_flight(place):  # noqa: ARG001
    write_jobs(count=8)
    seen = []
    async with serve(scenario_of(Path("swift.toml"))) as simulation:
        settings = read_settings({"concurrency": 5, "max_cost": 1}, simulation.environ(), {})
        await run_async("in.jsonl", None, settings, watch=lambda _: seen.append(saved()))

    assert seen[0]["in_flight"] == 5, "before anything is sent"
    assert saved()["in_flight"] == 0


async def test_what_a_kill_may_find_counts_though_that_run_had_no_budget(place):  # noqa: ARG001
    write_jobs(count=8)
    seen = []
    async with serve(scenario_of(Path("swift.toml"))) as simulation:
        few = read_settings({"concurrency": 5, "limit": 6}, simulation.environ(), {})
        await run_async("in.jsonl", None, few, watch=lambda _: seen.append(saved()))
        ended = saved()
        saved(in_flight=3, calls=2)
        settings = read_settings({"concurrency": 5}, simulation.environ(), {})
        await run_async("in.jsonl", None, settings, watch=lambda _: seen.append(saved()))

    assert seen[0]["in_flight"] == 5
    assert ended["in_flight"] == 0
    assert seen[-1]["in_flight"] == 3 + 2, "no more than are left, and what was found earlier"
    assert saved()["in_flight"] == 3
    assert saved()["calls"] == 2, "a budget has yet to count the others"


def test_a_deadline_ends_a_run_in_time_and_it_can_go_on(batchrunner):
    Path("slow.toml").write_text(
        'seed = 1\n[[regions]]\nname = "a"\nkey = "canary"\n'
        "latency = { median = 0.2, sigma = 0.0, tokens_per_second = 1000,"
        " slow_rate = 0.2, slow_factors = [40, 50] }\n"
    )
    write_jobs(count=60)
    slow = ("run", "in.jsonl", "--simulate", "slow.toml", "--quiet", "--concurrency", "16")
    code, _, err = batchrunner(*slow, "--deadline", "3s")

    assert code == 7
    assert "the deadline (3s) has come" in err
    told = stats()
    assert 0 < told["jobs"]["ok"] < 60
    assert told["ambiguous"] > 0
    assert not told["complete"]

    assert batchrunner(*RUN)[0] == 4, "--max-tokens is another question"
    assert batchrunner("run", "in.jsonl", "--simulate", "swift.toml", "--quiet")[0] == 0
    assert stats()["ambiguous"] == told["ambiguous"]


@pytest.mark.parametrize("deadline", ["2020-01-01T06:00", "2020-01-01T06:00Z"])
def test_a_deadline_in_the_past_is_refused(batchrunner, deadline):
    write_jobs(count=3)

    code, _, err = batchrunner(*RUN, "--deadline", deadline)

    assert code == 2
    assert f"--deadline: {deadline} has passed" in err
    assert not OUTPUT.exists()
