"""The clock that the other tests stand on."""

import asyncio

import pytest


async def test_a_day_passes_at_once():
    await asyncio.sleep(24 * 3600)

    assert asyncio.get_running_loop().time() == 24 * 3600


async def test_a_deadlock_is_an_error_and_not_a_hang():
    with pytest.raises(RuntimeError, match="nothing will ever wake one"):
        asyncio.get_running_loop()._jump.select(None)


@pytest.mark.socket
async def test_a_marked_test_meets_the_real_clock():
    assert asyncio.get_running_loop().time() > 1
