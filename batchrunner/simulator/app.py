"""The simulator as an ASGI application.

All targets live in one application and are told apart by the first part of the path:
``/eastus/openai/deployments/…`` is the Azure region ``eastus``, and
``/api.openai.com/v1/chat/completions`` is plain OpenAI. ``GET /statistics`` tells what all have
seen.

Time is the event loop's, and starts at the first call. A connection that is to be reset raises
``ConnectionResetError``, before the answer or in the middle of its body; ``server.py`` turns that
into a real reset.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from functools import partial
from typing import Any

import orjson

from .azure import Azure
from .clock import EPOCH, Clock
from .dialect import Call, Dialect, Header
from .faults import AnyFault, limit_factor
from .limits import Quota
from .meters import Meter, meter
from .plain import PlainOpenAI
from .routes import Routes, api_version
from .scenario import OPENAI, Scenario, Target
from .service import Answer, Service

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_JSON: list[Header] = [(b"content-type", b"application/json")]
_NO_TARGET = b'{"error":{"code":"404","message":"The scenario has no such region."}}'
_PIECES = 8


class Simulator:
    """An ASGI application that answers as all targets of a scenario do.

    ``epoch`` is the time of day of the first call; what is answered depends on nothing else but
    the scenario, the calls, and when they arrive.
    """

    def __init__(self, scenario: Scenario, *, epoch: float = EPOCH) -> None:
        self.scenario = scenario
        self._clock = Clock(epoch)
        self._date = (-1, b"")
        self._routes = Routes(scenario)
        self._services: dict[str, Service] = {}
        self._limits: dict[str, list[AnyFault]] = {}
        quotas: dict[str, tuple[Quota, list[AnyFault]]] = {}
        for region in scenario.regions:
            group = f"group {region.quota_group}" if region.quota_group else region.name
            self._open(region.name, region, Azure(region), quotas.setdefault(group, _new(region)))
        if scenario.openai:
            plain = scenario.openai
            self._open(OPENAI, plain, PlainOpenAI(plain), _new(plain))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        path: bytes = scope.get("raw_path") or scope["path"].encode()
        route = self._routes.find(path)
        if route is None:
            await self._elsewhere(scope, path, send)
            return
        call = Call(
            method=scope["method"],
            headers=dict(scope["headers"]),
            body=await _body(receive),
            route=route,
            api_version=api_version(scope["query_string"]),
            gone=partial(_gone, receive),
        )
        factor = limit_factor(self._limits[route.target], self._clock.now())
        answer = await self._services[route.target].answer(call, factor)
        await self._send(answer, send)

    def statistics(self) -> dict[str, dict[str, Any]]:
        """What every target has seen, by name; plain OpenAI is ``openai``."""
        return {
            "openai" if name == OPENAI else name: service.tally.snapshot()
            for name, service in self._services.items()
        }

    def _open(
        self, name: str, target: Target, dialect: Dialect, shared: tuple[Quota, list[AnyFault]]
    ) -> None:
        quota, faults = shared
        faults += target.faults
        self._limits[name] = faults
        seed = f"{self.scenario.seed} {name}"
        self._services[name] = Service(target, dialect, quota, self._clock, seed)

    async def _elsewhere(self, scope: Message, path: bytes, send: Send) -> None:
        if path == b"/statistics" and scope["method"] == "GET":
            await self._send(Answer(200, _JSON, orjson.dumps(self.statistics())), send)
        else:
            await self._send(Answer(404, _JSON, _NO_TARGET), send)

    async def _send(self, answer: Answer, send: Send) -> None:
        headers = [
            *answer.headers,
            (b"content-length", b"%d" % len(answer.body)),
            (b"date", self._now()),
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if answer.cut:
            half = answer.body[: len(answer.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
            raise ConnectionResetError("the connection was reset in the middle of the answer")
        if answer.trickle:
            await _trickle(answer, send)
        else:
            await send({"type": "http.response.body", "body": answer.body})

    def _now(self) -> bytes:
        """The date header, which changes once a second."""
        second = int(self._clock.today)
        if second != self._date[0]:
            self._date = second, formatdate(second, usegmt=True).encode()
        return self._date[1]


async def _trickle(answer: Answer, send: Send) -> None:
    size = max(1, -(-len(answer.body) // _PIECES))
    for start in range(0, len(answer.body), size):
        await asyncio.sleep(answer.trickle / _PIECES)
        piece = answer.body[start : start + size]
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _new(target: Target) -> tuple[Quota, list[AnyFault]]:
    """A quota that nothing was taken from, and the faults of all who share it."""
    requests = _meter(target, target.requests_allowed, target.request_window)
    tokens = _meter(target, target.tokens_allowed, target.token_window)
    return Quota(requests, tokens, target.count_throttled, target.refund), []


def _meter(target: Target, limit: float | None, window: float) -> Meter | None:
    return None if limit is None else meter(target.counting, limit, window, target.phase)
