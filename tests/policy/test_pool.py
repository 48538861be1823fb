"""Nobody awaits the alarm, so what goes wrong in it is raised to those who wait."""

import asyncio

import pytest

from batchrunner.policy.router import Lease, Router
from batchrunner.pool import RegionPool
from tests.policy.builders import job, region

NOWHERE = frozenset()


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
