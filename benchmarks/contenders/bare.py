"""Connections and nothing else: what a request on its way needs whoever sends it.

As many as there are places, each with one request, all waited for; no HTTP beyond its bytes.
"""

import asyncio
import os
import ssl
from typing import Any
from urllib.parse import urlsplit

import uvloop

from .contest import Contest, read_contest

REQUEST = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}"


class _Connection(asyncio.Protocol):
    """Asks when it is told to, and waits for the answer."""

    def __init__(self) -> None:
        self._answered = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport  # of uvloop, which has its own classes

    def data_received(self, _data: bytes) -> None:
        if not self._answered.done():
            self._answered.set_result(None)

    async def ask(self) -> None:
        self._transport.write(REQUEST)
        await self._answered


async def answer(contest: Contest) -> None:
    ca_file = os.environ.get("SSL_CERT_FILE")
    tls = ssl.create_default_context(cafile=ca_file) if ca_file else None
    server, loop = urlsplit(contest.url), asyncio.get_running_loop()
    connections = [
        (await loop.create_connection(_Connection, server.hostname, server.port, ssl=tls))[1]
        for _ in range(contest.concurrency)
    ]
    await asyncio.gather(*(connection.ask() for connection in connections))


if __name__ == "__main__":
    uvloop.run(answer(read_contest()))
