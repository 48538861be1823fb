"""Many waits with one timer: who is late, who is cancelled, and who is both."""

import asyncio

import anyio
import pytest

from batchrunner.timeouts import Timeouts


async def ended(timeouts, seconds):
    """How and when a wait of so many seconds ended."""
    loop = asyncio.get_running_loop()
    try:
        with timeouts:
            await asyncio.sleep(seconds)
    except TimeoutError:
        return "late", loop.time()
    return "in time", loop.time()


async def test_who_is_in_time_notices_nothing():
    assert await ended(Timeouts(10), 9.9) == ("in time", 9.9)
    await asyncio.sleep(100)


async def test_who_is_late_is_ended_when_the_time_is_over():
    assert await ended(Timeouts(10), 10.1) == ("late", 10.0)
    assert asyncio.current_task().cancelling() == 0


async def test_everybody_has_his_own_time_and_all_have_one_timer():
    loop, timers = asyncio.get_running_loop(), []
    call_at = loop.call_at

    def counted(when, call, *args, **kwargs):
        if getattr(call, "__name__", "") == "_sweep":
            timers.append(when)
        return call_at(when, call, *args, **kwargs)

    loop.call_at = counted
    timeouts = Timeouts(10)

    async def later(start, seconds):
        await asyncio.sleep(start)
        return await ended(timeouts, seconds)

    waits = [(0, 20), (1, 1), (2, 20), (3, 9.5), (4, 20), (4, 20), (50, 20)]
    outcomes = await asyncio.gather(*(later(*wait) for wait in waits))

    assert outcomes == [
        ("late", 10.0),
        ("in time", 2.0),
        ("late", 12.0),
        ("in time", 12.5),
        ("late", 14.0),
        ("late", 14.0),
        ("late", 60.0),
    ]
    assert timers == [10.0, 12.0, 13.0, 14.0, 60.0]


async def test_who_is_cancelled_by_others_is_not_late():
    timeouts = Timeouts(10)
    task = asyncio.ensure_future(ended(timeouts, 20))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await ended(timeouts, 20) == ("late", 11.0)


async def test_who_is_late_and_cancelled_by_others_is_cancelled():
    timeouts = Timeouts(10)
    task = asyncio.ensure_future(ended(timeouts, 20))
    asyncio.get_running_loop().call_at(10.0, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_was_cancelled_before_can_be_late():
    """As one that puts something away after it was cancelled."""
    timeouts = Timeouts(10)

    async def stubborn():
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            return await ended(timeouts, 20)

    task = asyncio.ensure_future(stubborn())
    await asyncio.sleep(1)
    task.cancel()

    assert await task == ("late", 11.0)


@pytest.mark.parametrize(("patience", "seconds"), [(5, 5.0), (10, 10.0), (20, 10.0)])
async def test_a_scope_around_it_ends_when_it_should(patience, seconds):
    timeouts, loop = Timeouts(10), asyncio.get_running_loop()
    with anyio.move_on_after(patience) as scope:
        await ended(timeouts, 30)

    assert scope.cancelled_caught is (patience <= 10)
    assert loop.time() == seconds
    assert asyncio.current_task().cancelling() == 0


async def test_an_error_is_passed_on():
    with pytest.raises(OSError, match="broken"), Timeouts(10):
        raise OSError("broken")


async def test_what_goes_wrong_because_one_is_late_is_passed_on():
    async def work():
        with Timeouts(10):
            try:
                await asyncio.sleep(20)
            except asyncio.CancelledError:
                raise OSError("broken") from None

    with pytest.raises(OSError, match="broken"):
        await work()


async def test_nobody_is_ended_once_it_is_closed():
    timeouts = Timeouts(10)
    task = asyncio.ensure_future(ended(timeouts, 20))
    await asyncio.sleep(1)
    timeouts.close()

    assert await task == ("in time", 20.0)


def test_it_is_for_tasks():
    async def outside():
        return Timeouts(10)

    with pytest.raises(RuntimeError), asyncio.run(outside()):
        pass
