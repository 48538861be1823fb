"""The command line in this process, which is quicker, and servers in a thread beside it."""

import asyncio
from contextlib import ExitStack

import pytest
from anyio.from_thread import start_blocking_portal

from tests.faultserver import faulty
from tests.security.commands import Ended


@pytest.fixture
def command(front_door):
    """Run the command line in an empty folder."""

    return lambda *arguments: Ended(*front_door(*arguments))


@pytest.fixture
def serve():
    """Start fault servers, which last as long as the test does."""
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())
        portal.call(quiet)
        yield lambda *args, **options: stack.enter_context(
            portal.wrap_async_context_manager(faulty(*args, **options))
        )


async def quiet():
    """A server's complaint of a client that hangs up is no failure of a test."""
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
