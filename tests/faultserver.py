"""A server on the loopback address that says exactly what a test wants, also what is no HTTP."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

NO_LINGER = struct.pack("ii", 1, 0)
OK = b'{"choices":[{"message":{"content":"yes"}}],"usage":{}}'


@dataclass(frozen=True)
class Heard:
    """One request, as it came over the connection."""

    line: str
    headers: dict[str, str]
    body: bytes
    connection: int  #: the how manyth one, from 1


@dataclass
class Line:
    """One connection, from the server's side."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int

    async def say(self, *pieces):
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def close(self):
        self.writer.close()

    async def reset(self):
        plug = self.writer.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self.writer.transport.abort()

    async def wait(self):
        """Until the client hangs up."""
        while await self.reader.read(65536):
            pass

    async def hear(self):
        """The next request; None where there is none."""
        try:
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            return None
        line, *rest = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (r.split(": ", 1) for r in rest)}
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Heard(line, headers, body, self.number)


Behaviour = Callable[[Line, Heard], Awaitable[None]]


@dataclass
class FaultServer:
    port: int
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0
    scheme: str = "http"
    asked: asyncio.Event = field(default_factory=asyncio.Event)  #: set when a request came
    left: asyncio.Event = field(default_factory=asyncio.Event)  #: set when a client hung up

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"


def reply(body=OK, status="200 OK", *headers):
    """A whole and proper reply."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def says(*pieces, then=Line.wait):
    """A behaviour: say this to every request, then do that."""

    async def behave(line, _):
        await line.say(*pieces)
        await then(line)

    return behave


async def answers(line, _):
    """The behaviour of a server in good health."""
    await line.say(reply())


@asynccontextmanager
async def faulty(
    behave: Behaviour = answers, *, mute=False, tls=None
) -> AsyncIterator[FaultServer]:
    """A server that does with every request what ``behave`` does.

    A ``mute`` one does it with every connection, and does not listen first. ``tls`` is the
    context of one that speaks HTTPS.
    """
    tasks = set()

    async def talk(reader, writer):
        tasks.add(asyncio.current_task())
        server.connections += 1
        line = Line(reader, writer, server.connections)
        with suppress(ConnectionError, asyncio.CancelledError):
            if mute:
                await behave(line, None)
            while not mute and (heard := await line.hear()):
                server.heard.append(heard)
                server.asked.set()
                await behave(line, heard)
        server.left.set()
        writer.transport.abort()

    listener = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
    port = listener.sockets[0].getsockname()[1]
    server = FaultServer(port, scheme="https" if tls else "http")
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        await asyncio.sleep(0)
