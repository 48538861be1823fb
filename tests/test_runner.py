"""Many jobs at once, and how many that is may change at any moment."""

import asyncio

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.runner import Crew, run
from tests.virtual import run as on_virtual_clock
from tests.world import feed


class Work:
    """Jobs that take a second each; notes how many were under way at any time."""

    def __init__(self, jobs, seconds=1.0):
        self.jobs, self.seconds = jobs, seconds
        self.under_way, self.peaks, self.done, self.ran_out = 0, [], [], 0

    async def answer(self, job):
        self.under_way += 1
        self.peaks.append((asyncio.get_running_loop().time(), self.under_way))
        await asyncio.sleep(self.seconds)
        self.under_way -= 1
        return job

    async def report(self, job):
        self.done.append(job)

    def end(self):
        self.ran_out += 1

    async def run(self, crew):
        await run(feed(range(self.jobs)), self.answer, self.report, crew, self.end)

    def peak(self, since, until):
        return max(n for at, n in self.peaks if since <= at < until)


async def steer(crew, *changes):
    """At each time, the size; the rest of the time nothing."""
    for at, size in changes:
        await asyncio.sleep(at - asyncio.get_running_loop().time())
        crew.resize(size)


async def steered(work, crew, *changes):
    async with anyio.create_task_group() as group:
        group.start_soon(steer, crew, *changes)
        await work.run(crew)


async def test_a_crew_that_grows_works_at_more_at_once_and_at_that_moment():
    work, crew = Work(60), Crew(2)
    await steered(work, crew, (3.5, 12))

    assert work.peak(0, 3.5) == 2
    assert (3.5, 12) in work.peaks
    assert sorted(work.done) == list(range(60))


async def test_a_crew_that_shrinks_drops_nothing_and_starts_nothing_above_its_size():
    work, crew = Work(60), Crew(12)
    await steered(work, crew, (3.5, 3))

    assert work.peak(0, 4) == 12
    assert work.peak(4.01, 99) == 3
    assert sorted(work.done) == list(range(60))
    assert asyncio.get_running_loop().time() == 4 + 4  # 48 in four seconds, 12 by three


@pytest.mark.parametrize("size", [0, -3])
async def test_one_stays_whatever_is_said(size):
    work, crew = Work(5), Crew(2)
    await steered(work, crew, (0.5, size))

    assert sorted(work.done) == list(range(5))
    assert crew.size == 1


async def test_who_is_hired_when_there_are_no_more_lines_goes_home():
    work, crew = Work(2), Crew(2)
    await steered(work, crew, (0.5, 50))

    assert sorted(work.done) == [0, 1]
    assert work.ran_out == 50
    assert crew.working == 0


async def test_nobody_is_hired_when_the_work_is_done():
    work, crew = Work(2), Crew(2)
    await work.run(crew)
    crew.resize(9)

    assert crew.working == 0


async def test_a_crew_that_failed_hires_nobody():
    async def fail(_):
        raise ArithmeticError

    crew = Crew(2)
    with pytest.RaisesGroup(ArithmeticError, ArithmeticError):
        await run(feed([1, 2, 3]), fail, fail, crew)
    crew.resize(9)

    assert crew.working == 0


@given(
    st.integers(1, 20),
    st.integers(0, 60),
    st.lists(st.tuples(st.floats(0, 20), st.integers(-1, 30)), max_size=8),
)
def test_however_often_the_size_changes_each_job_is_done_once(size, jobs, changes):
    work, crew = Work(jobs), Crew(size)

    async def main():
        async with anyio.create_task_group() as group:
            group.start_soon(steer, crew, *sorted(changes))
            await work.run(crew)
            group.cancel_scope.cancel()

    on_virtual_clock(main())
    assert sorted(work.done) == list(range(jobs))
    assert crew.working == work.under_way == 0
