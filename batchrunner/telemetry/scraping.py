"""HTTP for whoever scrapes: one path, on a server that no client can make slow the run.

The text is made at most once a second. Who calls this machine by another name gets nothing, so
that no web page can read it. A client that says nothing, or does not read, costs one of a few
connections.
"""

import asyncio
import logging

import uvicorn
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

NAMES = ["127.0.0.1", "localhost"]
FORMAT = "text/plain; version=0.0.4; charset=utf-8"  #: what every Prometheus reads
FRESH = 1.0  #: seconds that a text is given out again
MOST_CLIENTS = 32  #: more are hung up on

_SILENT = logging.getLogger("batchrunner.metrics")  # what clients do wrong is not ours to report
_SILENT.disabled = True


class _Clients(ServerState):
    """Who is connected, and how many may be."""

    most = MOST_CLIENTS


class _Protocol(H11Protocol):
    """HTTP for a few clients at once."""

    server_state: _Clients

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.logger = _SILENT
        super().connection_made(transport)
        if len(self.connections) > self.server_state.most:
            transport.abort()


class Scraping:
    """Answers with the text of all metrics."""

    def __init__(self, collector: Collector) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(collector)
        self._text, self._made = b"", float("-inf")
        self._state = _Clients()
        self._config = uvicorn.Config(
            Starlette(
                routes=[Route("/metrics", self._answer)],
                middleware=[
                    Middleware(TrustedHostMiddleware, allowed_hosts=NAMES, www_redirect=False)
                ],
            ),
            http=_Protocol,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
        self._config.load()

    def protocol(self) -> asyncio.Protocol:
        """What talks on one connection."""
        return _Protocol(config=self._config, server_state=self._state, app_state={})

    async def hang_up(self) -> None:
        """End every connection at once, and see every request end.

        Who was let in a moment ago, and is no connection yet, is hung up on then.
        """
        self._state.most = 0
        for connection in list(self._state.connections):
            if (transport := getattr(connection, "transport", None)) is not None:
                transport.abort()
        await asyncio.sleep(0)
        tasks = set(self._state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _answer(self, _: Request) -> Response:
        now = asyncio.get_running_loop().time()
        if now >= self._made + FRESH:
            self._text, self._made = generate_latest(self._registry), now
        return Response(self._text, headers={"content-type": FORMAT})
