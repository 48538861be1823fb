"""``--metrics-port``: who is on this machine can see how the run is, and nothing else."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from ..errors import UsageError
from ..summary import Progress

HOST = "127.0.0.1"
BACKLOG = 16
Show = Callable[[Callable[[], Progress]], None]


@asynccontextmanager
async def serving(port: int | None, started: float) -> AsyncIterator[Show]:
    """Serve ``/metrics`` in the running event loop; yields what tells it how to see the run.

    Without a port nothing happens. UsageError where the port cannot be had. Leaving hangs up on
    everybody at once.
    """
    if port is None:
        yield lambda _: None
        return
    with _listening(port) as listener:
        from .metrics import RunCollector  # the libraries take a tenth of a second
        from .scraping import Scraping

        collector = RunCollector(started)
        scraping = Scraping(collector)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(scraping.protocol, sock=listener)
        try:
            yield collector.show
        finally:
            server.close()
            with anyio.CancelScope(shield=True):
                await scraping.hang_up()


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        why = "another program uses it" if error.errno == errno.EADDRINUSE else error.strerror
        raise UsageError(
            f"--metrics-port {port}: {why}: choose another port, or leave the option out"
        ) from None
    return listener
