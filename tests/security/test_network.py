"""What keys that stop working do to a run, on the virtual clock."""

import pytest

from tests.test_scenarios import region, scenario
from tests.world import World, job


def revoked(status):
    return [{"kind": "error", "from": 5.0, "until": 1e9, "status": status}]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_is_refused_in_the_middle_takes_its_region_out_and_fails_no_job(status):
    world = World(scenario(region("a", rpm=600, faults=revoked(status)), region("b", rpm=600)))
    await world.run([job(n) for n in range(2400)])

    state = {status.name: status for status in world.pool.statistics()}
    assert len(world.results) == 2400
    assert world.stats.failed == world.left == 0
    assert (state["a"].state, state["b"].state) == ("out", "open")
    assert str(status) in state["a"].reason
    assert 0 < world.stats.regions["a"].ok < 2400
    assert world.stats.regions["a"].errors["barred"] <= 64


async def test_when_every_key_is_refused_in_the_middle_the_rest_is_left_for_later():
    world = World(scenario(*(region(name, rpm=600, faults=revoked(401)) for name in "ab")))
    await world.run([job(n) for n in range(2400)])

    assert world.stats.failed == 0
    assert world.stats.ok == len(world.results) > 0
    assert world.left > 0
