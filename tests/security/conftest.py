"""The command line in this process, which is quicker, and servers in a thread beside it."""

import asyncio
from contextlib import ExitStack

import pytest
from anyio.from_thread import start_blocking_portal

from batchrunner.cli import main
from tests.faultserver import faulty
from tests.security.commands import Ended


@pytest.fixture
def command(clean, capfd):  # noqa: ARG001 - it is where it is
    """Run the command line in an empty folder."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        return Ended(ended.value.code, *capfd.readouterr())

    return run


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
