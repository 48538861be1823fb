"""A run in progress, on the virtual clock; the files are played by a stand-in of the ledger."""

import asyncio
import signal
from types import SimpleNamespace

import anyio
import orjson
import pytest

from batchrunner.config import Settings
from batchrunner.errors import DiskError
from batchrunner.inputs.defaults import Defaults
from batchrunner.inputs.feed import Feed
from batchrunner.prices import PriceList
from batchrunner.stats import Stats
from batchrunner.supervisor import Supervisor
from batchrunner.timeline import Timeline
from tests.test_scenarios import region, scenario
from tests.world import MODEL, World

OUTAGE_WAIT = Settings().outage_wait


class Memory:
    """Keeps results where a ledger would write them."""

    def __init__(self, crowding=lambda: None):
        self.stats = Stats()
        self.timeline, self.wall_before, self.prices = Timeline(), 0.0, PriceList()
        self.journal = SimpleNamespace(records=0, stalled=None, death=None, hurry=lambda: None)
        self.settings = SimpleNamespace(disk_wait=600.0)
        self.crowding = crowding
        self.steered = []

    async def record(self, result):
        self.stats.add(result)
        self.journal.records += 1

    async def crowded(self, in_flight):  # noqa: ARG002 - it is told
        return self.crowding()

    async def save(self, *, wall_s):
        pass

    def note_steering(self, wall_s, what):
        self.steered.append((wall_s, what))


async def lines(count):
    yield [orjson.dumps({"prompt": f"Say {n}.", "max_tokens": 9}) for n in range(count)]


def supervise(world, count, workers=8, **memory):
    return Supervisor(
        feed=Feed(lines(count), Defaults(model=MODEL)),
        caller=world.caller,
        ledger=Memory(**memory),
        total=count,
        workers=workers,
        watch=lambda _: None,
    )


@pytest.mark.parametrize("began", [0.0, 30.0], ids=["from the start", "in the middle"])
async def test_a_long_outage_of_all_regions_ends_the_run_and_fails_no_job(began):
    outage = [{"kind": "outage", "from": began, "until": 1e6, "status": 503}]
    world = World(scenario(*(region(name, rpm=60, faults=outage) for name in "ab")))
    supervisor = supervise(world, 200)

    await supervisor.run()

    assert supervisor.stopped.exit_code == 8
    assert "no region has answered" in supervisor.stopped.reason
    assert supervisor.ledger.stats.failed == 0
    assert supervisor.ledger.stats.ok < 200
    now = asyncio.get_running_loop().time()
    assert began + OUTAGE_WAIT < now < began + OUTAGE_WAIT + 60


async def test_an_outage_that_ends_in_time_does_not_end_the_run():
    outage = [{"kind": "outage", "from": 5.0, "until": OUTAGE_WAIT - 70, "status": 503}]
    world = World(scenario(*(region(name, rpm=60, faults=outage) for name in "ab")))
    supervisor = supervise(world, 200)

    await supervisor.run()

    assert supervisor.stopped is None
    assert supervisor.ledger.stats.ok == 200


async def test_hours_of_throttling_are_no_outage():
    quota = {"rpm": 1, "request_window": 1000.0, "request_limit": 4}
    world = World(scenario(region("a", **quota)))
    supervisor = supervise(world, 12)

    await supervisor.run()

    assert supervisor.stopped is None
    assert supervisor.ledger.stats.ok == 12


async def test_a_journal_that_died_ends_the_run_though_nothing_is_written_just_now():
    slow = {"latency": {"median": 50.0, "sigma": 0.0}}
    world = World(scenario(region("a", **slow)))
    supervisor = supervise(world, 8)
    asyncio.get_running_loop().call_later(
        3.0, setattr, supervisor.ledger.journal, "death", DiskError("the disk broke")
    )

    with pytest.RaisesGroup(pytest.RaisesExc(DiskError, match="the disk broke")):
        await supervisor.run()
    assert asyncio.get_running_loop().time() < 4


async def interrupt(supervisor, *delays):
    for delay in delays:
        await anyio.sleep(delay)
        supervisor.interrupt(signal.SIGINT)


class Counted:
    """Counts what is sent, and what came back."""

    def __init__(self, send):
        self.sent, self.answered, self.send = 0, 0, send

    async def __call__(self, region, job):
        self.sent += 1
        reply = await self.send(region, job)
        self.answered += reply.status == 200
        return reply


async def test_what_was_sent_and_cancelled_is_counted_and_nothing_that_arrived_is_lost():
    """A second signal at every tenth of a second of a run."""
    most = 0
    for tenth in range(1, 40):
        world = World(scenario(region("a"), region("b", rpm=60)))
        world.caller.send = counted = Counted(world.caller.send)
        supervisor = supervise(world, 60)
        async with anyio.create_task_group() as group:
            group.start_soon(interrupt, supervisor, 0.05, tenth / 10)
            await supervisor.run()
            group.cancel_scope.cancel()

        stats = supervisor.ledger.stats
        assert stats.calls == counted.sent
        assert stats.ok == supervisor.ledger.journal.records == counted.answered
        assert stats.wasted_calls == counted.sent - counted.answered >= stats.ambiguous
        most = max(most, stats.ambiguous)
    assert most > 3
