"""Of requests that are the same one is sent, on the virtual clock; the output is in memory."""

import asyncio
import io
import signal
from collections import Counter
from pathlib import Path

import anyio
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchrunner.inputs.feed import Feed
from batchrunner.inputs.jsonl import BadLine, Defaults
from batchrunner.model import Reply
from batchrunner.outputs.disk import Disk
from batchrunner.outputs.lines import check, decode, encode, retryable
from batchrunner.outputs.shelf import Shelf
from batchrunner.reuse import Reuse
from batchrunner.simulator import prompt_digest
from batchrunner.stats import Stats
from batchrunner.supervisor import Supervisor
from batchrunner.twins import Twins
from tests import virtual
from tests.test_scenarios import region, scenario
from tests.test_supervisor import Counted, Memory
from tests.world import MODEL, World, feed, job

OUTPUT = Path("/output")


class Book(Disk):
    """The one file there is; all of it is in memory."""

    def __init__(self, content=b""):
        self.content = bytearray(content)

    def open(self, path, flags):  # noqa: ARG002 - as it is called
        return 0

    def close(self, fd):
        pass

    def reader(self, path):  # noqa: ARG002
        return io.BytesIO(self.content)

    def peek(self, fd, size, offset):  # noqa: ARG002
        return bytes(self.content[offset : offset + size])


class Lines(Memory):
    """Keeps lines where a ledger would; the disk takes a moment."""

    def __init__(self, book):
        super().__init__()
        self.book = book
        self.done = {check(line)[0] for line in book.content.splitlines(keepends=True)}

    async def record(self, result):
        line = encode(result, "c0ffee00")
        assert result.job.ordinal not in self.done
        self.done.add(result.job.ordinal)
        offset = len(self.book.content)
        self.book.content += line
        await super().record(result)
        await anyio.sleep(0.001)
        return offset

    @property
    def records(self):
        return [decode(line) for line in self.book.content.splitlines()]


async def rows(prompts):
    yield [orjson.dumps({"prompt": prompt, "max_tokens": 9}) for prompt in prompts]


class Run:
    """A run that asks once for the same."""

    def __init__(self, prompts, *, world=None, book=None, workers=8):
        self.world = world or World(scenario(region("a"), region("b")))
        self.prompts = prompts
        self.ledger = Lines(book or Book())
        self.sent = Counted(self.world.caller.send)
        self.world.caller.send = self.sent
        done = set(self.ledger.done)
        self.supervisor = Supervisor(
            feed=Feed(rows(prompts), Defaults(model=MODEL), skip=lambda i, _: i in done),
            caller=self.world.caller,
            ledger=self.ledger,
            total=len(prompts),
            workers=workers,
            watch=lambda _: None,
        )
        own = Shelf(len(prompts), disk=self.ledger.book)
        own.add(OUTPUT, lambda line: not retryable(line))
        self.supervisor.use(Reuse(own=own))

    async def run(self):
        await self.supervisor.run()
        return asyncio.get_running_loop().time()

    def assert_each_has_its_answer(self):
        assert sorted(record["i"] for record in self.ledger.records) == list(
            range(len(self.prompts))
        )
        for record in self.ledger.records:
            text = record["response"]["body"]["choices"][0]["message"]["content"]
            assert text.startswith(prompt_digest(self.prompts[record["i"]]))
            assert (record["attempts"] == []) is (record.get("reused") is True)
            assert (record["region"] is None) is (record.get("reused") is True)


def replying(world, status, *, times):
    """The first replies are errors, the others those of the simulator."""
    send, left = world.caller.send, [times]

    async def reply(region, job):
        if left[0] == 0:
            return await send(region, job)
        left[0] -= 1
        await anyio.sleep(1.0)
        return Reply(status, {}, b'{"error":{"code":"x","message":"no"}}')

    world.caller.send = reply


SORTED = [f"Say {n // 100}." for n in range(500)]
MIXED = [f"Say {n % 5}." for n in range(500)]


@pytest.mark.parametrize("prompts", [SORTED, MIXED], ids=["sorted", "mixed"])
async def test_one_of_each_is_sent_and_a_sorted_table_holds_no_worker_up(prompts):
    run = Run(prompts)

    ended = await run.run()

    run.assert_each_has_its_answer()
    assert run.sent.sent == 5
    assert run.ledger.stats.reused == 495
    assert ended < 3  # one after the other they would take five answers' time, with workers held


async def test_in_a_sorted_table_all_that_differ_are_under_way_at_once():
    world = World(scenario(region("a", latency={"median": 10.0, "sigma": 0.0}, tpm=10**6)))
    run = Run(SORTED, world=world)

    ended = await run.run()

    assert ended < 25  # a worker for each hundred: three in a first burst, then the other two


async def test_a_failure_for_good_is_shared_with_its_code():
    world = World(scenario(region("a")))
    replying(world, 400, times=10**6)
    run = Run(["Say it."] * 50, world=world)

    await run.run()

    assert run.sent.sent == 1
    assert Counter(record["error"]["code"] for record in run.ledger.records) == {"x": 50}
    assert sum(record.get("reused", False) for record in run.ledger.records) == 49
    assert run.ledger.stats.regions["a"].failed == 1


async def test_a_failure_that_may_end_otherwise_is_not_shared():
    world = World(scenario(region("a")), options={"max_attempts": 1})
    replying(world, 500, times=1)
    run = Run(["Say it."] * 50, world=world)

    await run.run()

    stats = run.ledger.stats
    assert (stats.ok, stats.failed, stats.codes["http_500"]) == (49, 1, 1)
    assert 2 <= run.sent.sent <= 1 + 8  # each worker had one that came back
    assert stats.reused == 50 - run.sent.sent


async def test_where_every_one_fails_every_one_is_asked_and_not_one_after_the_other():
    world = World(scenario(region("a"), region("b")), options={"max_attempts": 1})
    replying(world, 409, times=10**6)  # a fault that opens no breaker
    run = Run(["Say it."] * 50, world=world)

    ended = await run.run()

    assert run.sent.sent == run.ledger.stats.codes["http_409"] == 50
    assert ended < 25


async def test_after_a_resume_the_lines_that_are_there_count():
    first = Run(["Say 0.", "Say 1."])
    await first.run()
    again = Run(["Say 0.", "Say 1.", *["Say 1."] * 20, "Say 2."], book=first.ledger.book)

    await again.run()

    again.assert_each_has_its_answer()
    assert again.sent.sent == 1
    assert again.ledger.stats.reused == 20


async def test_a_stop_waits_for_the_first_and_its_twins_get_their_lines():
    world = World(scenario(region("a", latency={"median": 10.0, "sigma": 0.0})))
    run = Run(["Say it."] * 50, world=world)
    asyncio.get_running_loop().call_later(1.0, run.supervisor.interrupt, signal.SIGINT)

    await run.run()

    assert run.supervisor.stopped.exit_code == 130
    assert run.sent.sent == 1
    run.assert_each_has_its_answer()


async def test_twins_of_a_first_that_was_left_are_left_too():
    """The region goes out while the first is under way: all are for another run."""
    world = World(scenario(region("a")))
    replying(world, 401, times=10**6)
    run = Run(["Say it."] * 50, world=world)

    await run.run()

    assert run.supervisor.stopped.exit_code == 8
    assert run.ledger.records == []


async def test_a_second_signal_cancels_at_any_time_and_nobody_hangs():
    for tenth in range(1, 30):
        run = Run([f"Say {n % 7}." for n in range(60)])
        async with anyio.create_task_group() as group:
            for delay in (0.05, tenth / 10):
                loop = asyncio.get_running_loop()
                loop.call_later(delay, run.supervisor.interrupt, signal.SIGINT)
            await run.run()
            group.cancel_scope.cancel()
        stats = run.ledger.stats
        assert stats.calls == run.sent.sent
        assert stats.ok == len(run.ledger.records)


@settings(deadline=None, max_examples=60)
@given(
    prompts=st.lists(st.integers(0, 4), max_size=30),
    workers=st.integers(1, 6),
    status=st.sampled_from([400, 409, 429]),
    times=st.integers(0, 6),
)
def test_whatever_happens_every_job_has_one_line_and_the_lines_tell_the_numbers(
    prompts, workers, status, times
):
    async def main():
        world = World(scenario(region("a"), region("b")), options={"max_attempts": 2})
        replying(world, status, times=times)
        run = Run([f"Say {n}." for n in prompts], world=world, workers=workers)
        await run.run()
        return run

    run = virtual.run(main())

    assert run.supervisor.stopped is None
    assert run.ledger.done == set(range(len(prompts)))
    stats, live = Stats(), run.ledger.stats
    for record in run.ledger.records:
        stats.add_line(record)
    for name, usage in stats.regions.items():
        assert (usage.calls, usage.ok) == (live.regions[name].calls, live.regions[name].ok)
        assert usage.tokens == live.regions[name].tokens
    assert (stats.ok, stats.failed, stats.reused) == (live.ok, live.failed, live.reused)
    assert stats.calls == run.sent.sent
    assert Stats.from_json(orjson.loads(orjson.dumps(live.as_json()))) == live


def asking(ordinal, request):
    one = job(ordinal)
    one.request = request
    return one


async def test_no_more_than_so_many_are_aside_and_who_pulls_another_one_waits():
    jobs = [asking(n, "a") for n in range(6)] + [asking(6, "b")]
    twins = Twins(feed(jobs), most=3)
    first = await anext(twins)
    pulled = []

    async def work():
        async for one in twins:
            pulled.append(one.ordinal)
            twins.ended(one)

    async with anyio.create_task_group() as group:
        group.start_soon(work)
        await anyio.sleep(1)
        assert (twins.aside, pulled) == (3, [])
        twins.ended(first)

    assert sorted(pulled) == [1, 2, 3, 4, 5, 6]
    assert twins.aside == 0


async def test_a_twin_keeps_its_place_and_name_and_shares_the_body():
    twins = Twins(feed([asking(0, "a"), asking(1, "a"), BadLine(2, "", "2", "bad")]))
    first = await anext(twins)
    assert isinstance(await anext(twins), BadLine)

    twins.ended(first)

    twin = await anext(twins)
    assert (twin.ordinal, twin.id, twin.fingerprint) == (1, "job-1", f"{1:016x}")
    assert twin.body is first.body


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 6), st.integers(1, 20)), max_size=6))
def test_a_crew_that_grows_and_shrinks_leaves_no_twin_behind(changes):
    async def main():
        run = Run(MIXED[:100] + SORTED[:120])

        async def resize():
            for at, size in sorted(changes):
                await anyio.sleep(at - asyncio.get_running_loop().time())
                run.supervisor.resize(size)

        run.supervisor.beside.append(resize)
        await run.run()
        run.assert_each_has_its_answer()

    virtual.run(main())
