"""Many workers, one file: every job once, in memory that does not grow."""

import asyncio

import anyio
import orjson
import pytest

from batchrunner.inputs.defaults import Defaults
from batchrunner.inputs.feed import Feed
from batchrunner.inputs.jsonl import BadLine, fingerprint
from batchrunner.inputs.source import Source

GOOD = b'{"model": "m", "prompt": "a"}'


async def batches(*many, wait=0.0):
    """Lists of lines, as a source makes them, each of which takes its time."""
    for lines in many:
        await asyncio.sleep(wait)
        yield list(lines)


class Endless:
    """One line at a time, for ever; counts what was asked of it at the same time."""

    def __init__(self):
        self.asked = self.busy = self.most = 0

    def __aiter__(self):
        return self

    async def __anext__(self):
        self.asked += 1
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            await asyncio.sleep(1)
        finally:
            self.busy -= 1
        return [GOOD] * 10


async def drain(feed):
    return [job async for job in feed]


async def share(feed, workers):
    """What each of ``workers`` gets when they all pull at the same time."""
    got = [[] for _ in range(workers)]

    async def work(mine):
        async for job in feed:
            mine.append(job)
            await asyncio.sleep(0.001)

    async with anyio.create_task_group() as group:
        for mine in got:
            group.start_soon(work, mine)
    return got


async def test_jobs_come_in_the_order_of_the_lines_and_blank_lines_count():
    feed = Feed(batches([GOOD, b"", b" \t\r"], [], [GOOD + b"\r"]))

    assert [(job.ordinal, job.id) for job in await drain(feed)] == [(0, "0"), (3, "3")]


async def test_two_hundred_workers_get_each_job_once():
    feed = Feed(batches(*[[GOOD] * 7] * 300, wait=0.01))

    got = await share(feed, 200)

    assert sorted(job.ordinal for mine in got for job in mine) == list(range(2100))
    assert sum(bool(mine) for mine in got) > 100


async def test_only_one_worker_fetches_while_the_others_wait():
    source = Endless()

    await share(Feed(source, limit=1000), 200)

    assert (source.most, source.asked) == (1, 100)


async def test_nobody_waits_while_lines_are_at_hand():
    feed = Feed(batches([GOOD] * 3))
    await anext(feed)

    for _ in range(2):
        with pytest.raises(StopIteration):
            feed.__anext__().send(None)


async def test_nothing_is_read_before_it_is_needed():
    source = Endless()
    feed = Feed(source)

    assert source.asked == 0
    for _ in range(10):
        await anext(feed)
    assert source.asked == 1


async def test_a_job_that_is_done_is_not_parsed():
    bad = b'{"done": "and therefore never looked at"'
    done = {0: fingerprint(bad), 2: fingerprint(GOOD)}

    feed = Feed(batches([bad, GOOD, GOOD]), skip=lambda ordinal, mark: done.get(ordinal) == mark)

    assert [job.ordinal for job in await drain(feed)] == [1]


async def test_a_bad_line_comes_in_its_place():
    first, bad, last = await drain(Feed(batches([GOOD, b"[]", GOOD])))

    assert isinstance(bad, BadLine)
    assert (first.ordinal, bad.ordinal, last.ordinal) == (0, 1, 2)
    assert bad.reason.startswith("is a list, not a job")


async def test_defaults_reach_the_jobs():
    (job,) = await drain(Feed(batches([b'{"prompt": "a"}']), Defaults(model="m", temperature=0)))

    assert (job.model, orjson.loads(job.body)["temperature"]) == ("m", 0)


@pytest.mark.parametrize(
    ("limit", "ordinals"), [(0, []), (2, [1, 3]), (4, [1, 3]), (9, [1, 3, 5])], ids=str
)
async def test_the_limit_counts_lines_and_not_what_is_left_to_do(limit, ordinals):
    lines = [GOOD, GOOD, b"", GOOD, GOOD, GOOD]
    done = {0, 4}
    if limit == 2:
        ordinals = ordinals[:1]

    feed = Feed(batches(lines), skip=lambda ordinal, _: ordinal in done, limit=limit)

    assert [job.ordinal for job in await drain(feed)] == ordinals


async def test_stop_ends_it_for_everyone_at_once():
    feed = Feed(Endless())

    async def stop():
        await asyncio.sleep(2.5)
        feed.stop()

    async with anyio.create_task_group() as group:
        group.start_soon(stop)
        got = await share(feed, 50)

    assert sum(map(len, got)) == 20
    assert asyncio.get_running_loop().time() == 2.5
    assert await drain(feed) == []


async def test_a_feed_that_was_stopped_before_it_began_is_empty():
    feed = Feed(Endless())
    feed.stop()

    assert await drain(feed) == []


async def test_a_worker_that_is_cancelled_while_it_fetches_takes_nothing_with_it():
    feed = Feed(Endless(), limit=30)

    with anyio.move_on_after(0.5):
        await anext(feed)

    assert [job.ordinal for job in await drain(feed)] == list(range(30))


async def test_a_worker_that_is_cancelled_while_it_waits_takes_nothing_with_it():
    feed = Feed(Endless(), limit=30)
    async with anyio.create_task_group() as group:
        group.start_soon(anext, feed)
        with anyio.move_on_after(0.5):
            await anext(feed)

    assert [job.ordinal for job in await drain(feed)] == list(range(1, 30))


async def test_a_source_that_fails_is_told_once_and_ends_the_feed_for_the_others():
    class Failing(Endless):
        async def __anext__(self):
            lines = await super().__anext__()
            if self.asked > 1:
                raise OSError("gone")
            return lines

    feed = Feed(Failing())

    with pytest.raises(ExceptionGroup) as caught:
        await share(feed, 50)
    assert [str(error) for error in caught.value.exceptions] == ["gone"]
    assert await drain(feed) == []


@pytest.mark.socket
async def test_a_real_file_shared_by_many(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"".join(b'{"id": "n%d", "prompt": "a"}\n' % n for n in range(10_000)))

    async with Source(path, block=2000) as source:
        got = await share(Feed(source, Defaults(model="m")), 300)

    assert {job.id for mine in got for job in mine} == {f"n{n}" for n in range(10_000)}
    assert sum(map(len, got)) == 10_000
