"""Jobs wait while the disk has no room for their results."""

import asyncio

import pytest

from batchrunner.gate import Gate
from tests.test_scenarios import region, scenario
from tests.test_supervisor import supervise
from tests.world import World


def now():
    return asyncio.get_running_loop().time()


def crowded_between(start, end):
    return lambda: "no room" if start <= now() < end else None


async def test_nothing_is_sent_while_there_is_no_room():
    world = World(scenario(region("a")))
    supervisor = supervise(world, 20, crowding=crowded_between(0, 100))

    await supervisor.run()

    assert supervisor.stopped is None
    assert supervisor.ledger.stats.ok == 20
    assert 100 <= now() < 160


async def test_a_disk_that_stays_full_ends_the_run_and_what_is_in_flight_is_waited_for():
    world = World(scenario(region("a", rpm=60)))
    supervisor = supervise(world, 500, crowding=crowded_between(30, 1e9))

    await supervisor.run()

    assert supervisor.stopped.exit_code == 3
    assert "no room: make room" in supervisor.stopped.reason
    assert 0 < supervisor.ledger.stats.ok == world.simulator.statistics()["a"]["calls"]
    assert 630 <= now() < 660


@pytest.mark.parametrize("patience", [0.0, 7.0])
async def test_the_gate_gives_up_after_its_patience_and_holds_nobody(patience):
    reasons = []

    async def crowded():
        return "no room"

    gate = Gate(crowded, reasons.append, patience)
    await gate.watch()
    await gate.until_open()

    assert reasons == ["no room"]
    assert now() == patience
