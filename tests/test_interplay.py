"""Budgets, deadlines, and what a person does meanwhile: each ends the run as it would alone."""

import asyncio

import pytest

from batchrunner.curfew import Curfew
from tests.test_scenarios import CALM, region
from tests.test_steering import SLOW, Live
from tests.world import job

CAP = {"max_cost": 0.0005}  #: US dollars; a job costs up to 0.000009


async def test_a_budget_ends_a_run_while_a_region_is_out_by_hand():
    live = Live(region("a"), region("b"), options=CAP)
    ended = await live.run((0.5, "out", "b"))

    assert live.supervisor.stopped.exit_code == 7
    assert "--max-cost" in live.supervisor.stopped.reason
    assert ended < 60
    live.assert_settled()


async def test_a_budget_ends_a_run_after_a_pause_too():
    live = Live(region("a"), options=CAP)
    await live.run((0.5, "pause"), (3600.0, "resume"))

    assert live.supervisor.stopped.exit_code == 7
    assert live.count(0.5, 3599.9) == 0 < live.count(3599.9)
    live.assert_settled()


async def test_jobs_that_only_a_region_takes_which_is_out_hold_up_nobody():
    live = Live(region("large"), region("small"), environ={"AZURE_OPENAI_TPM_2": "2000"})
    pool, done = live.world.pool, []

    async def lease(one):
        lease = await pool.lease(one, frozenset())
        done.append(one.ordinal)
        await asyncio.sleep(0.1)
        pool.settle(lease, None)

    live.order("out", "large")
    async with asyncio.TaskGroup() as group:
        for n in range(20):
            group.create_task(lease(job(n, max_tokens=50_000)))
        for n in range(20, 200):
            group.create_task(lease(job(n, max_tokens=2)))
        await asyncio.sleep(3600)
        assert sorted(done) == list(range(20, 200))
        live.order("in", "large")
    assert sorted(done) == list(range(200))


async def test_what_a_person_changed_is_in_the_checkpoint_at_once():
    live = Live(region("a", latency=SLOW), jobs=100, workers=4)
    ledger, saved = live.supervisor.ledger, []

    async def save(*, wall_s):
        saved.append((wall_s, ledger.workers))

    ledger.save = save
    await live.run((4.0, "concurrency", {"concurrency": 20}), (4.5, "pause"), (4.6, "resume"))

    assert saved[:3] == [(0.2, 4), (1.0, 4), (4.0, 20)], "a kill may find as many from now on"
    assert [at for at, _ in saved[3:5]] == pytest.approx([4.5, 4.6])
    assert saved[5][0] == pytest.approx(9.6), "then as often as ever"


async def test_a_run_stops_when_azure_is_too_dear_and_the_fallback_has_spent_its_own():
    prices = {"AZURE_OPENAI_PRICE_1": "1000/1000", "OPENAI_PRICE": "0.1/0.1"}
    caps = {"max_cost": 0.001, "fallback_max_cost": 0.00005}
    live = Live(region("a"), openai={}, environ=prices, options=caps, jobs=400)
    await live.run()

    stop = live.supervisor.stopped
    assert stop.exit_code == 7
    assert "--max-cost 0.001" in stop.reason
    assert len(live.answers) == live.count(-1.0, name="openai") > 2
    live.assert_settled()


async def test_a_deadline_says_that_the_run_waited_for_the_disk():
    live = Live(region("a"), jobs=400, crowding=lambda: "the disk has 0 MiB of room left")
    live.supervisor.beside.append(Curfew(live.supervisor, 60.0, "06:00").watch)
    await live.run()

    assert live.supervisor.stopped.exit_code == 7
    assert live.supervisor.stopped.reason == (
        "the deadline (06:00) has come, waiting for the disk: the disk has 0 MiB of room left: "
        "make room, and run the command again later to go on"
    )
    assert live.sent == []


async def test_a_deadline_ends_a_run_that_is_paused_and_says_so():
    live = Live(region("a"), jobs=400)
    live.supervisor.beside.append(Curfew(live.supervisor, 60.0, "06:00").watch)
    ended = await live.run((1.0, "pause"))

    assert live.supervisor.stopped.exit_code == 7
    assert live.supervisor.stopped.reason == (
        "the deadline (06:00) has come, paused: run the command again later to go on"
    )
    assert ended <= 60.0
    live.assert_settled()


@pytest.mark.parametrize("speed", [200.0, 1000.0])
async def test_a_deadline_is_named_however_fast_answers_are(speed):
    quick = region("a", latency={**CALM, "speed": speed}, rpm=1, request_limit=2)
    for seconds in range(30, 33):
        live = Live(quick, jobs=50, delay=lambda: 0.0)
        end = asyncio.get_running_loop().time() + seconds + 0.123
        live.supervisor.beside.append(Curfew(live.supervisor, end, "06:00").watch)
        await live.run()

        assert live.supervisor.stopped is not None
        assert live.supervisor.stopped.exit_code == 7
