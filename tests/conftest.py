"""Coroutine tests run on a virtual clock: waiting costs nothing, and deadlocks are errors."""

import asyncio

import pytest

from tests.virtual import VirtualLoop


def pytest_asyncio_loop_factories(item):
    """Only tests marked ``socket`` meet the real clock."""
    real = item.get_closest_marker("socket")
    return {"real": asyncio.SelectorEventLoop} if real else {"virtual": VirtualLoop}


@pytest.fixture
def anyio_backend():
    return "asyncio"
