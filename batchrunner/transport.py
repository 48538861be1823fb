"""The bytes of a request and of its reply, over kept connections.

aiohttp opens, verifies and closes the connections, and parses what comes over them. Its session
and its pool are left out: for every job they would look for cookies, redirects and traces, make
the same header again and set a timer, which is two thirds of what a request costs. No redirect is
followed and no proxy of the environment is used.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Protocol, Self
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from .endpoints import credentials, is_loopback, origin, shown
from .faults import fault_of, release
from .idle import Idle
from .model import Fault, Reply
from .sdk import Template
from .timeouts import Timeouts
from .tls import make_context

LARGEST_BODY = 64 << 20  #: bytes of a decoded reply; no answer is larger
_PIECE = 64 << 10  #: bytes; of what it got at once, TLS does not tell how much still waits
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  #: not in a header (RFC 9110, 5.5)


class Transport(Protocol):
    """Carries the bytes of one request and brings those of its reply."""

    async def post(self, template: Template, body: bytes, deadline: float) -> Reply | Fault:
        """Send ``body``; a Fault where no whole reply came within ``deadline`` seconds."""
        ...


@dataclass(frozen=True, slots=True)
class _Route:
    """Where the requests of a template go, and how they begin."""

    request: aiohttp.ClientRequest  #: what a connector wants to know; it is never sent
    head: bytes = field(repr=False)  #: up to the length of the body; with the key
    idle: Idle  #: connections that go there


class AiohttpTransport:
    """Loopback or internet, by aiohttp; the leases limit how many connections there are."""

    def __init__(self, *, proxy: str | None = None, ca_file: str | None = None) -> None:
        # The URL stands in what aiohttp raises, so the password must not stand in the URL.
        self._proxy = None if proxy is None else URL(shown(proxy))
        user = None if proxy is None else credentials(proxy)
        said = None if user is None else aiohttp.encode_basic_auth(*user, encoding="utf-8")
        self._proxy_headers = {} if said is None else {"Proxy-Authorization": said}
        self._tls = make_context(ca_file)
        self._connector: aiohttp.TCPConnector | None = None
        self._routes: WeakKeyDictionary[Template, _Route] = WeakKeyDictionary()
        self._idle: defaultdict[object, Idle] = defaultdict(Idle)
        self._timeouts: dict[float, Timeouts] = {}

    async def __aenter__(self) -> Self:
        self._connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, ssl=self._tls)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for timeouts in self._timeouts.values():
            timeouts.close()
        for idle in self._idle.values():
            idle.release()
        if self._connector is not None:
            await self._connector.close()

    async def post(self, template: Template, body: bytes, deadline: float) -> Reply | Fault:
        """Send ``body`` with the template's URL and headers."""
        if self._connector is None:
            raise RuntimeError("the transport is used before it is entered")
        if (timeouts := self._timeouts.get(deadline)) is None:
            timeouts = self._timeouts[deadline] = Timeouts(deadline)
        try:
            with timeouts:
                route = self._routes.get(template) or self._make_route(template)
                if (connection := route.idle.take()) is None:
                    limits = aiohttp.ClientTimeout(total=deadline)  # of TLS through a proxy
                    connection = await self._connector.connect(route.request, [], limits)
                return await _exchange(connection, route, body)
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            release(error)
            return fault_of(error)

    def _make_route(self, template: Template) -> _Route:
        """The route of a template; ValueError where its URL or a header can be none."""
        # The proxy is not asked for this machine: here a key may travel unencrypted.
        is_direct = self._proxy is None or is_loopback(origin(template.url)[1])
        request = aiohttp.ClientRequest(
            "POST",
            URL(template.url),
            headers=template.headers,
            proxy=None if is_direct else self._proxy,
            proxy_headers=None if is_direct else self._proxy_headers,
        )
        idle = self._idle[request.connection_key]
        route = self._routes[template] = _Route(request, _head(request), idle)
        return route


def _head(request: aiohttp.ClientRequest) -> bytes:
    """The request line and all headers but the length of the body, which comes last (RFC 9112)."""
    request.headers.popall("Content-Length", None)
    lines = [f"{request.method} {request.url.raw_path_qs} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    if any(map(_CONTROL.search, lines)):
        raise ValueError("a control character in a header")
    return "\r\n".join([*lines, "Content-Length: "]).encode()


async def _exchange(connection: Connection, route: _Route, body: bytes) -> Reply:
    """Ask and hear once, and keep the connection, or close it if it cannot be used again."""
    protocol, out = connection.protocol, connection.transport
    if protocol is None or out is None or out.is_closing():
        connection.close()
        raise aiohttp.ClientConnectionResetError("closed as soon as it was open")
    try:
        protocol.set_response_params(read_until_eof=True)
        out.write(b"%b%d\r\n\r\n%b" % (route.head, len(body), body[:_PIECE]))
        for start in range(_PIECE, len(body), _PIECE):
            out.write(body[start : start + _PIECE])
        message, payload = await protocol.read()
        while 100 <= message.code < 200 and message.code != HTTPStatus.SWITCHING_PROTOCOLS:
            message, payload = await protocol.read()
        content = await _read(payload)
    except BaseException:
        _hang_up(connection)
        raise
    is_half_sent = out.get_write_buffer_size() > 0  # the server may not read the rest
    if is_half_sent or protocol.should_close:
        _hang_up(connection)
    else:
        route.idle.keep(connection)
    return Reply(message.code, message.headers, content)


def _hang_up(connection: Connection) -> None:
    """At once: the rest of a body would wait here for a server that does not read."""
    if connection.protocol is not None:
        connection.protocol.abort()
    connection.close()


async def _read(payload: aiohttp.StreamReader) -> bytes:
    """The whole body; ValueError where it is too large."""
    chunks, size = [], 0
    while not payload.at_eof():
        chunks.append(await payload.readany())
        size += len(chunks[-1])
        if size > LARGEST_BODY:
            raise ValueError(f"a reply of more than {LARGEST_BODY >> 20} MiB")
    return b"".join(chunks)
