"""A server that lets every request wait, in a process of its own: many answers on their way."""

import asyncio
import multiprocessing
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from .nginx import free_port, make_certificate
from .workload import ANSWER

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_REPLY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(ANSWER),
    ANSWER.encode(),
)
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class SlowServer:
    """Where to send jobs, whom to believe, and how many it had at once."""

    url: str
    ca_file: Path | None
    _most: "Synchronized[int]"

    @property
    def most_at_once(self) -> int:
        """The most requests that waited at one time."""
        return self._most.value


@contextmanager
def serving(place: Path, seconds: float, *, tls: bool) -> Iterator[SlowServer]:
    """Answer every request after so many ``seconds``."""
    ca_file = make_certificate(place) if tls else None
    certificate = place / "server.pem" if tls else None
    port = free_port()
    fresh = multiprocessing.get_context("spawn")
    most, is_ready = fresh.Value("i", 0), fresh.Event()
    process = fresh.Process(target=_run, args=(port, seconds, certificate, most, is_ready))
    process.start()
    try:
        if not is_ready.wait(_PATIENCE_S):
            raise RuntimeError("the slow server did not start")
        yield SlowServer(f"http{'s' if tls else ''}://127.0.0.1:{port}", ca_file, most)
    finally:
        process.terminate()
        process.join()


class _Connection(asyncio.Protocol):
    """One request at a time, as HTTP/1.1 clients send them."""

    waiting = 0  #: of all connections

    def __init__(self, seconds: float, most: Any) -> None:
        self._seconds = seconds
        self._most = most
        self._received = b""

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport  # of uvloop, which has its own classes

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if blank and length and len(body) >= int(length[1]):
            self._received = b""
            _Connection.waiting += 1
            self._most.value = max(self._most.value, _Connection.waiting)
            asyncio.get_running_loop().call_later(self._seconds, self._reply)

    def _reply(self) -> None:
        _Connection.waiting -= 1
        self._transport.write(_REPLY)


def _run(port: int, seconds: float, certificate: Path | None, most: Any, is_ready: Any) -> None:
    async def serve() -> None:
        tls = None
        if certificate:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate)
        server = await asyncio.get_running_loop().create_server(
            lambda: _Connection(seconds, most), "127.0.0.1", port, ssl=tls, backlog=4096
        )
        is_ready.set()
        await server.serve_forever()

    uvloop.run(serve())
