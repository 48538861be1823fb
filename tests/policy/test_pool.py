"""Callers wait their turn, nobody for ever; what goes wrong is raised to those who wait."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.model import Usage
from batchrunner.policy.account import Account
from batchrunner.policy.governor import Governor
from batchrunner.policy.lease import Lease
from batchrunner.policy.quota import Quota
from batchrunner.policy.ratelimit import Limit
from batchrunner.policy.router import Router
from batchrunner.policy.verdict import Answered, Cause, Faulty, Throttled
from batchrunner.pool import PATIENCE, RegionPool
from tests.policy.builders import job, region
from tests.virtual import run

NOWHERE = frozenset()
OK = Answered(Usage("gpt", 0, 0))


class Upset(Router):
    """It asks for five seconds first, then fails, then picks as ever."""

    def pick(self, now, job, avoid=NOWHERE, waited=0.0):
        if now < 4.9:
            return 5.0 - now
        if now < 5.1:
            raise ArithmeticError("no such number")
        return super().pick(now, job, avoid, waited)


async def test_what_goes_wrong_in_the_alarm_is_raised_to_everybody_who_waits():
    pool = RegionPool(Upset([region("a"), region("b")]))
    lanes = [(job(0), NOWHERE), (job(1), NOWHERE), (job(2), frozenset("a"))]
    waiting = [asyncio.ensure_future(pool.lease(*lane)) for lane in lanes]
    gone = asyncio.ensure_future(pool.lease(job(3), NOWHERE))
    await asyncio.sleep(1)
    assert pool.waiting == 4
    gone.cancel()

    raised = await asyncio.gather(*waiting, return_exceptions=True)

    assert [str(error) for error in raised] == ["no such number"] * 3
    assert asyncio.get_running_loop().time() == pytest.approx(5, abs=0.01)
    assert gone.cancelled()
    assert pool.waiting == 0


async def test_a_caller_who_leaves_at_the_moment_of_the_alarm_is_left_alone():
    pool = RegionPool(Upset([region("a")]))
    stays = asyncio.ensure_future(pool.lease(job(0), NOWHERE))
    gone = asyncio.ensure_future(pool.lease(job(1), NOWHERE))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_at(5 - 1e-10, gone.cancel)  # in the same turn of the loop

    raised = await asyncio.gather(stays, gone, return_exceptions=True)

    assert [type(error) for error in raised] == [ArithmeticError, asyncio.CancelledError]
    assert pool.waiting == 0


async def test_the_pool_goes_on_after_the_alarm_has_failed():
    pool = RegionPool(Upset([region("a")]))
    with pytest.raises(ArithmeticError):
        await pool.lease(job(0), NOWHERE)
    await asyncio.sleep(1)

    lease = await pool.lease(job(1), NOWHERE)

    assert isinstance(lease, Lease)
    pool.settle(lease, None)
    assert lease.region.in_flight == 0


# --- whoever does not wait


async def test_who_does_not_wait_gets_a_region_that_is_open_or_nothing():
    a = region("a", slots=1)
    pool = RegionPool(Router([a]))
    lease = pool.lease_nowait(job(0), NOWHERE)

    assert isinstance(lease, Lease)
    assert pool.lease_nowait(job(1), NOWHERE) is None
    assert pool.lease_nowait(job(1), frozenset("a")) is None
    pool.settle(lease, None)
    assert (a.in_flight, pool.waiting) == (0, 0)


async def test_who_does_not_wait_gets_nothing_while_somebody_does():
    pool = RegionPool(Router([region("a", slots=1), region("b")]))
    lease = pool.lease_nowait(job(0), frozenset("b"))
    waits = asyncio.ensure_future(pool.lease(job(1), frozenset("b")))
    await asyncio.sleep(1)

    assert pool.lease_nowait(job(2), NOWHERE) is None
    waits.cancel()
    await asyncio.sleep(0)
    assert isinstance(pool.lease_nowait(job(2), NOWHERE), Lease)
    pool.settle(lease, None)


async def test_a_closed_pool_gives_nothing():
    pool = RegionPool(Router([region("a")]))
    pool.close()

    assert pool.lease_nowait(job(0), NOWHERE) is None


async def test_the_pool_tells_what_holds_the_fallback_back():
    assert RegionPool(Router([region("a")])).held_back == ""
    router = Router([region("a")], governor=Governor(max_share=0.0))
    assert RegionPool(router).held_back == "its share reached 0%"


# --- laws


async def test_nobody_starves():
    """Small jobs keep coming, and still the large one goes after so many of them."""
    quota = Quota(tokens=Limit(100, 10))
    pool = RegionPool(Router([region("a", slots=99, quota=quota)], is_paced=False))
    order, tasks = [], []

    async def one(ordinal, tokens):
        lease = await pool.lease(job(ordinal, answer=tokens), NOWHERE)
        order.append(ordinal)
        await asyncio.sleep(0.01)
        pool.settle(lease, OK)

    tasks = [asyncio.ensure_future(one(0, 5))]
    await asyncio.sleep(0.5)
    tasks.append(asyncio.ensure_future(one(1, 100)))  # it needs an empty window
    for ordinal in range(2, 400):
        await asyncio.sleep(0.1)
        tasks.append(asyncio.ensure_future(one(ordinal, 5)))
    await asyncio.gather(*tasks)

    assert sorted(order) == list(range(400))
    assert 10 < order.index(1) <= PATIENCE + 1


@given(
    data=st.lists(
        st.tuples(
            st.floats(0, 4),  # seconds until it asks
            st.sampled_from([0, 10, 60]),  # tokens
            st.sampled_from(["", "a", "b"]),  # whom it avoids
            st.floats(0, 5),  # how long its request takes
            st.sampled_from([OK, OK, None, "429", "fault", "cancel"]),
        ),
        max_size=30,
    )
)
def test_accounts_return_to_zero_and_everybody_is_served(data):
    regions = [
        region("a", slots=2, quota=Quota(Limit(5, 10))),
        region("b", slots=2, quota=Quota(tokens=Limit(100, 10))),
        region("openai", slots=1, is_fallback=True),
    ]
    governor = Governor(max_share=0.5, money=Account(1.0), price=lambda *_: 0.01)
    verdicts = {"429": Throttled(Cause.REQUESTS, 2.0), "fault": Faulty("http_500", "")}

    async def one(pool, ordinal, story):
        pause, tokens, avoid, seconds, end = story
        await asyncio.sleep(pause)
        lease = await pool.lease(job(ordinal, answer=tokens), frozenset(avoid))
        assert lease is not None
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            pool.settle(lease, None)
            raise
        pool.settle(lease, None if end == "cancel" else verdicts.get(end, end))

    async def main():
        pool = RegionPool(Router(regions, governor=governor))
        tasks = []
        for ordinal, story in enumerate(data):
            tasks.append(asyncio.ensure_future(one(pool, ordinal, story)))
            pause, _, _, seconds, end = story
            if end == "cancel":
                asyncio.get_running_loop().call_later(pause + seconds / 2, tasks[-1].cancel)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(one) for one in ended} <= {type(None), asyncio.CancelledError}
        assert pool.waiting == 0

    run(main())
    assert [one.in_flight for one in regions] == [0, 0, 0]
    assert governor.money.in_flight == 0
    assert governor.money.reserved == pytest.approx(0, abs=1e-9)


async def test_a_job_has_waited_since_it_began_however_often_it_was_sent_back():
    quota = Quota(Limit(1, 60.0))
    router = Router(
        [region("a", quota=quota), region("openai", is_fallback=True)], fallback_after=5
    )
    pool = RegionPool(router)
    pool.settle(await pool.lease(job(0), NOWHERE), None)
    await asyncio.sleep(4)

    lease = await pool.lease(job(1), NOWHERE, since=0.0)

    assert (lease.region.name, asyncio.get_running_loop().time()) == ("openai", 5.0)
    pool.settle(lease, None)
