"""Whole runs against the simulator, on the virtual clock: what regions do, and what follows."""

import asyncio
from collections import Counter

import orjson
import pytest

from batchrunner.prices import cost_usd
from batchrunner.simulator import prompt_digest
from tests.world import World, job

CALM = {"median": 0.2, "sigma": 0.0, "tokens_per_second": 1000, "spread": 0.0, "slow_rate": 0.0}


def region(name, **settings):
    return {"name": name, "key": f"key-{name}", "latency": CALM, **settings}


def scenario(*regions, openai=None, seed=1):
    found = {"seed": seed, "regions": list(regions)}
    if openai is not None:
        found["openai"] = {"key": "sk-x", "latency": CALM, **openai}
    return found


def answered(world):
    return Counter(result.region for result in world.results if result.failure is None)


def assert_each_job_has_its_own_answer(world, jobs):
    assert sorted(result.job.ordinal for result in world.results) == list(range(len(jobs)))
    for result in world.results:
        prompt = orjson.loads(result.job.body)["messages"][-1]["content"]
        text = orjson.loads(result.reply.body)["choices"][0]["message"]["content"]
        assert text.startswith(prompt_digest(prompt)), (result.job, text)


def assert_the_simulator_agrees(world):
    """Every call that a region saw is in the statistics, and nothing else is."""
    stats = world.stats
    for name, seen in world.simulator.statistics().items():
        usage = stats.region(name)
        assert (usage.calls, usage.ok) == (seen["calls"], seen["ok"]), name
        assert usage.throttled.total() == sum(seen["throttled"].values()), name
        assert seen["sdk_retries"] == 0


async def test_regions_without_numbers_lose_no_job_and_waste_few_calls():
    """The case that comparable tools fail: 20 requests per 5 s, no headers, Retry-After: 3."""
    quota = {"request_window": 5.0, "request_limit": 20, "headers": "none", "retry_after": 3}
    world = World(scenario(*(region(name, **quota) for name in "abc")), concurrency=60)
    jobs = [job(i) for i in range(200)]

    ended = await world.run(jobs)

    assert_each_job_has_its_own_answer(world, jobs)
    assert_the_simulator_agrees(world)
    assert world.stats.failed == 0
    assert world.stats.wasted_calls < 40
    assert ended < 30


async def test_limits_in_headers_are_kept_to_after_the_first_answers():
    quota = {"request_window": 5.0, "request_limit": 20}
    world = World(scenario(*(region(name, **quota) for name in "abc")), concurrency=60)
    jobs = [job(i) for i in range(200)]

    ended = await world.run(jobs)

    assert_each_job_has_its_own_answer(world, jobs)
    assert world.stats.wasted_calls == 0
    assert ended < 17


@pytest.mark.parametrize("counting", ["fixed", "sliding", "bucket"])
async def test_configured_limits_are_kept_however_the_service_counts(counting):
    quota = {"rpm": 120, "tpm": 100_000, "counting": counting}
    world = World(
        scenario(region("a", **quota), region("b", **quota)),
        environ={f"AZURE_OPENAI_RPM_{n}": "120" for n in (1, 2)},
    )
    jobs = [job(i) for i in range(400)]

    ended = await world.run(jobs)

    assert_each_job_has_its_own_answer(world, jobs)
    assert world.stats.wasted_calls == 0
    assert ended <= 101  # 20 requests in any ten seconds, from each of two regions


async def test_tokens_are_charged_as_the_service_charges_them():
    quota = {"tpm": 12_000}
    world = World(scenario(region("a", **quota), region("b", **quota)))
    jobs = [job(i, max_tokens=480) for i in range(96)]

    ended = await world.run(jobs)

    assert_each_job_has_its_own_answer(world, jobs)
    assert world.stats.wasted_calls <= 2
    assert ended < 130


async def test_hours_of_throttling_lose_nothing():
    """Ten requests a minute in each region, and two thousand jobs."""
    quota = {"rpm": 10, "request_window": 60.0, "request_limit": 10}
    world = World(scenario(region("a", **quota), region("b", **quota)))
    jobs = [job(i) for i in range(2000)]

    ended = await world.run(jobs)

    assert_each_job_has_its_own_answer(world, jobs)
    assert ended == pytest.approx(100 * 60, rel=0.02)


async def test_a_wrong_key_costs_three_calls_and_then_none():
    world = World(scenario(region("a", env_key="wrong"), region("b"), region("c")))
    jobs = [job(i) for i in range(200)]

    await world.run(jobs)

    assert_each_job_has_its_own_answer(world, jobs)
    assert world.simulator.statistics()["a"]["calls"] <= 3
    state = {status.name: status for status in world.pool.statistics()}
    assert state["a"].state == "out"
    assert "invalid subscription key" in state["a"].reason


async def test_a_missing_deployment_takes_the_region_out_for_that_model_only():
    world = World(
        scenario(region("a", deployments=["gpt-4o-mini"]), region("b")),
        models=("gpt-4o-mini", "gpt-4o"),
    )
    jobs = [job(i, model="gpt-4o" if i % 2 else "gpt-4o-mini") for i in range(100)]

    await world.run(jobs)

    assert_each_job_has_its_own_answer(world, jobs)
    by_model = Counter((r.job.model, r.region) for r in world.results)
    assert by_model["gpt-4o", "a"] == 0
    assert by_model["gpt-4o-mini", "a"] > 20
    assert world.simulator.statistics()["a"]["errors"] == {"404": 3} or (
        sum(world.simulator.statistics()["a"]["errors"].values()) <= 3
    )


async def test_an_outage_costs_a_few_calls_and_the_region_comes_back():
    outage = [{"kind": "outage", "from": 5.0, "until": 65.0, "status": 503}]
    quota = {"rpm": 300}
    world = World(
        scenario(region("a", faults=outage, **quota), region("b", **quota)), concurrency=32
    )
    jobs = [job(i) for i in range(1500)]

    ended = await world.run(jobs)

    assert_each_job_has_its_own_answer(world, jobs)
    assert_the_simulator_agrees(world)
    assert world.stats.region("a").errors["http_503"] < 40
    assert answered(world)["a"] > 300
    assert ended < 230


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"kind": "error", "status": 500}, "http_500"),
        ({"kind": "reset"}, "reset"),
        ({"kind": "reset", "where": "body"}, "reset"),
        ({"kind": "garbage", "shape": "html"}, "bad_payload"),
        ({"kind": "garbage", "shape": "empty"}, "bad_payload"),
        ({"kind": "garbage", "shape": "object"}, "bad_payload"),
        ({"kind": "hang", "seconds": 1000}, "timeout"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())),
)
async def test_a_region_that_always_fails_is_rested_and_its_jobs_go_elsewhere(fault, outcome):
    world = World(
        scenario(region("a", faults=[fault]), region("b")),
        concurrency=16,
        options={"timeout": 10},
    )
    jobs = [job(i) for i in range(300)]

    await world.run(jobs)

    assert_each_job_has_its_own_answer(world, jobs)
    assert set(world.stats.region("a").errors) == {outcome}
    assert world.stats.region("a").calls <= 12
    assert answered(world) == {"b": 300}


async def test_the_jobs_own_faults_fail_that_job_once():
    world = World(scenario(region("a"), region("b")))
    jobs = [job(0), job(1, text="[[filter]]"), job(2, text="[[too-long]]"), job(3)]

    await world.run(jobs)

    failures = {
        r.job.ordinal: (r.failure.code, r.failure.retryable) for r in world.results if r.failure
    }
    assert failures == {1: ("content_filter", False), 2: ("context_length_exceeded", False)}
    assert all(len(result.attempts) == 1 for result in world.results)


async def test_openai_is_used_only_when_azure_is_exhausted():
    quota = {"rpm": 60, "request_window": 60.0, "request_limit": 60}
    world = World(scenario(region("a", **quota), region("b", **quota), openai={"rpm": 600}))

    await world.run([job(i) for i in range(60)])
    assert answered(world)["openai"] == 0

    await world.run([job(i) for i in range(60, 180)])
    assert answered(world)["openai"] >= 60


async def test_without_fallback_jobs_wait():
    quota = {"rpm": 60, "request_window": 60.0, "request_limit": 60}
    world = World(scenario(region("a", **quota), openai={}), options={"no_fallback": True})
    jobs = [job(i) for i in range(120)]

    ended = await world.run(jobs)

    assert_each_job_has_its_own_answer(world, jobs)
    assert answered(world) == {"a": 120}
    assert 60 < ended < 65


async def test_fallback_after_gives_azure_the_first_chance():
    quota = {"rpm": 60, "request_window": 60.0, "request_limit": 60}
    world = World(scenario(region("a", **quota), openai={}), options={"fallback_after": 20})
    jobs = [job(i) for i in range(100)]

    ended = await world.run(jobs)

    assert_each_job_has_its_own_answer(world, jobs)
    assert answered(world) == {"a": 60, "openai": 40}
    assert 20 < ended < 25


SCARCE = {"rpm": 60, "request_window": 60.0, "request_limit": 60}


@pytest.mark.parametrize(("share", "expected"), [(0.25, 0.25), (0.0, 0.0), (1.0, 0.7)])
async def test_the_fallback_takes_no_more_than_its_share(share, expected):
    world = World(
        scenario(region("a", **SCARCE), openai={}), options={"fallback_max_share": share}
    )
    jobs = [job(i) for i in range(200)]

    await world.run(jobs)

    assert_each_job_has_its_own_answer(world, jobs)
    answers, taken = 0, 0
    for result in world.results:
        answers, taken = answers + 1, taken + (result.region == "openai")
        assert taken <= share * answers + 1e-9 or share == 1
    assert taken / answers == pytest.approx(expected, abs=0.01)
    governor = world.router.governor
    assert (governor.taken, governor.answers) == (taken, 200)
    assert (governor.money.in_flight, governor.money.reserved) == (0, 0)


async def test_the_fallback_takes_no_more_than_its_money():
    world = World(
        scenario(region("a", **SCARCE), openai={}), options={"fallback_max_cost": 0.0005}
    )
    jobs = [job(i) for i in range(200)]

    await world.run(jobs)

    assert_each_job_has_its_own_answer(world, jobs)
    usage = world.stats.region("openai")
    assert usage.ok > 10
    governor = world.router.governor
    assert governor.money.spent == pytest.approx(cost_usd(usage, "openai"), rel=0.01)
    assert 0.0004 < governor.money.spent <= 0.0005
    assert governor.money.reserved == pytest.approx(0, abs=1e-12)
    assert world.pool.held_back == "" or "cost" in world.pool.held_back


async def test_a_resumed_run_counts_what_earlier_runs_took():
    bounds = {"fallback_max_share": 0.25, "fallback_max_cost": 1.0}
    first = World(scenario(region("a", **SCARCE), openai={}), options=bounds)
    await first.run([job(i) for i in range(100)])
    before = first.stats
    assert before.region("openai").ok > 10

    again = World(scenario(region("a", **SCARCE), openai={}), options=bounds, before=before)
    governor = again.router.governor
    assert (governor.answers, governor.taken) == (100, before.region("openai").ok)
    spent = cost_usd(before.region("openai"), "openai")
    assert governor.money.spent == pytest.approx(spent, abs=1e-6)
    await again.run([job(i) for i in range(100)])

    both = before + again.stats
    assert both.region("openai").ok <= 0.25 * both.ok


async def test_a_run_whose_regions_are_out_leaves_what_the_fallback_may_not_take():
    world = World(
        scenario(region("a", env_key="wrong"), openai={}), options={"fallback_max_share": 0.5}
    )

    await world.run([job(i) for i in range(20)])

    assert (world.results, world.left) == ([], 20)
    assert world.pool.held_back == "its share reached 50%"


@pytest.mark.parametrize("hedge", [True, False])
async def test_stragglers_are_asked_for_elsewhere_where_that_is_wanted(hedge):
    hang = [{"kind": "hang", "seconds": 200, "rate": 0.005}]
    world = World(
        scenario(region("a", faults=hang), region("b")),
        concurrency=8,
        options={"hedge": hedge, "timeout": 250},
    )
    jobs = [job(i) for i in range(2000)]

    await world.run(jobs)

    assert_each_job_has_its_own_answer(world, jobs)
    overtaken = sum(usage.errors["overtaken"] for usage in world.stats.regions.values())
    assert (overtaken > 0) is hedge
    assert all(status.in_flight == 0 for status in world.pool.statistics())


async def test_regions_of_one_group_share_their_quota():
    quota = {"rpm": 60, "request_window": 60.0, "request_limit": 60, "quota_group": "pool"}
    world = World(scenario(region("a", **quota), region("b", **quota)))
    jobs = [job(i) for i in range(120)]

    ended = await world.run(jobs)

    assert_each_job_has_its_own_answer(world, jobs)
    assert world.stats.wasted_calls <= 3
    assert 60 < ended < 70


async def test_ordered_prefers_the_first_region():
    world = World(
        scenario(region("a"), region("b")), concurrency=3, options={"strategy": "ordered"}
    )
    await world.run([job(i) for i in range(50)])

    assert answered(world) == {"a": 50}


async def test_balanced_uses_regions_alike():
    world = World(scenario(*(region(name) for name in "abcd")), concurrency=40)
    await world.run([job(i) for i in range(400)])

    assert min(answered(world).values()) > 80


async def test_a_job_larger_than_every_limit_fails_and_the_others_go_on():
    quota = {"tpm": 1000}
    world = World(scenario(region("a", **quota), region("b", **quota)))
    jobs = [job(0, max_tokens=5000), *(job(i, max_tokens=100) for i in range(1, 20))]

    await world.run(jobs)

    failed = [r for r in world.results if r.failure]
    assert [(r.job.ordinal, r.failure.code, r.failure.retryable) for r in failed] == [
        (0, "too_large", False)
    ]
    assert len(world.results) == 20


async def test_when_every_key_is_wrong_jobs_are_left_and_not_failed():
    world = World(scenario(region("a", env_key="x"), region("b", env_key="y")))

    await world.run([job(i) for i in range(50)])

    assert world.results == []
    assert world.left == 50
    assert not world.pool.is_alive


async def test_a_fault_in_every_region_rests_and_is_tried_again():
    outage = [{"kind": "outage", "from": 0.0, "until": 8.0, "status": 503}]
    world = World(scenario(region("a", faults=outage), region("b", faults=outage)), concurrency=2)
    jobs = [job(i) for i in range(4)]

    await world.run(jobs)

    assert all(result.failure is None or result.failure.retryable for result in world.results)
    assert len(world.results) == 4


async def test_an_outage_of_all_regions_fails_no_job():
    outage = [{"kind": "outage", "from": 3.0, "until": 600.0, "status": 503}]
    world = World(
        scenario(region("a", faults=outage), region("b", faults=outage)),
        concurrency=8,
        options={"max_attempts": 3},
    )
    jobs = [job(i) for i in range(400)]

    ended = await world.run(jobs)

    assert_each_job_has_its_own_answer(world, jobs)
    assert world.stats.failed == 0
    assert 600 < ended < 700
    assert world.stats.wasted_calls < 60


async def test_accounts_return_to_zero_whenever_a_run_is_cancelled():
    for seconds in (0.0, 0.005, 0.1, 0.21, 0.3, 1.0, 2.5):
        world = World(scenario(region("a", rpm=120), region("b", rpm=120)), concurrency=50)
        task = asyncio.ensure_future(world.run([job(i) for i in range(500)]))
        await asyncio.sleep(seconds)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert repr(world.pool) == "<RegionPool 0 waiting | a 0, b 0>"


async def test_closing_sends_those_who_wait_away_and_lets_requests_in_flight_end():
    quota = {"rpm": 60, "request_window": 60.0, "request_limit": 60}
    world = World(scenario(region("a", **quota)), concurrency=100)
    task = asyncio.ensure_future(world.run([job(i) for i in range(100)]))
    await asyncio.sleep(10)

    world.caller.close()
    await task

    assert len(world.results) == 60
    assert world.left == 40
    assert asyncio.get_running_loop().time() == 10
