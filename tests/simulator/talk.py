"""A client that calls the simulator in process, with nothing between them."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import orjson

from batchrunner.simulator import Simulator, validate

CHAT = "chat/completions"
DATED = "/{}/openai/deployments/{}/" + CHAT


@dataclass(frozen=True)
class Heard:
    status: int
    headers: dict[str, str]
    body: bytes
    pieces: int = 1

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def code(self) -> Any:
        return self.json["error"]["code"]

    @property
    def message(self) -> str:
        return self.json["error"]["message"]

    @property
    def text(self) -> str:
        return self.json["choices"][0]["message"]["content"]


def simulator(region=None, *, openai=None, seed=1, **more) -> Simulator:
    """One region ``eastus`` with the given keys, and OpenAI where it is wanted."""
    table = {"seed": seed, **more}
    if region is not None:
        table["regions"] = [{"name": "eastus", "key": "k1", **region}]
    if openai is not None:
        table["openai"] = {"key": "sk-1", **openai}
    return Simulator(validate(table))


def quick(**keys) -> dict:
    """A region whose answers take no time."""
    return {"latency": {"median": 0, "tokens_per_second": 1e9, "slow_rate": 0}, **keys}


def chat(prompt="Hello there", **more) -> dict:
    return {"messages": [{"role": "user", "content": prompt}], **more}


@dataclass
class Sent:
    """What an application has sent so far."""

    start: dict | None = None
    pieces: list[bytes] = field(default_factory=list)

    async def __call__(self, message):
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.pieces.append(message.get("body", b""))

    def heard(self) -> Heard:
        headers = {name.decode(): value.decode() for name, value in self.start["headers"]}
        assert len(headers) == len(self.start["headers"]), "a header was sent twice"
        return Heard(self.start["status"], headers, b"".join(self.pieces), len(self.pieces))


async def raw(  # noqa: PLR0913  # a request has so many parts
    app, path, body, headers, *, method="POST", query="", sent=None
) -> Heard:
    sent = Sent() if sent is None else sent
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    messages = [
        {"type": "http.request", "body": body[:10], "more_body": True},
        {"type": "http.request", "body": body[10:], "more_body": False},
    ]

    async def receive():
        return messages.pop(0) if messages else await _never()

    await app(scope, receive, sent)
    return sent.heard()


async def _never():
    await asyncio.Event().wait()


async def azure(
    app, body=None, *, region="eastus", deployment="gpt-4o-mini", key="k1", **options
) -> Heard:
    """One call by the dated path."""
    headers = {"api-key": key} | options.pop("headers", {})
    path = options.pop("path", DATED.format(region, deployment))
    query = options.pop("query", "api-version=2024-10-21")
    return await raw(app, path, encoded(body), headers, query=query, **options)


async def v1(app, body=None, *, region="eastus", key="k1", end=CHAT, **options) -> Heard:
    """One call by the v1 path."""
    headers = {"authorization": f"Bearer {key}"}
    body = {"model": "gpt-4o-mini", **chat()} if body is None else body
    path = f"/{region}/openai/v1/{end}"
    return await raw(app, path, encoded(body), headers, **options)


async def plain(app, body=None, *, key="sk-1", end=CHAT, **options) -> Heard:
    """One call to plain OpenAI."""
    headers = {"authorization": f"Bearer {key}"}
    body = {"model": "gpt-4o-mini", **chat()} if body is None else body
    path = f"/api.openai.com/v1/{end}"
    return await raw(app, path, encoded(body), headers, **options)


def encoded(body) -> bytes:
    return body if isinstance(body, bytes) else orjson.dumps(chat() if body is None else body)
