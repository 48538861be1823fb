"""One request to one region: the only module that speaks HTTP.

The SDK prepares a request once for each region, path and model; jobs then send their own bytes
with its URL and headers through aiohttp, which costs a twentieth of the SDK's own machinery.
Nothing is retried here, no redirect is followed, no proxy of the environment is used, and a
deadline covers the whole attempt. A reply that repeats the key comes without it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import TracebackType
from typing import Any, Protocol, Self

import aiohttp
import anyio

from .endpoints import credentials, is_loopback, origin, shown
from .faults import fault_of, release
from .model import Fault, FaultKind, Job, Reply
from .sdk import Template, TokenProvider, make_template
from .targets import Target
from .tls import make_context

LARGEST_BODY = 64 << 20  #: bytes of a decoded reply; no answer is larger
SHORTEST_KEY = 16  #: characters
MASK = "(key)"
TOKEN_LIFE = 30.0  #: seconds a prepared request with a token is used


class Transport(Protocol):
    """Carries the bytes of one request and brings those of its reply."""

    async def post(self, template: Template, body: bytes, deadline: float) -> Reply | Fault:
        """Send ``body``; a Fault where no whole reply came within ``deadline`` seconds."""
        ...


@dataclass(slots=True)
class _Prepared:
    """A template that every worker shares, and the lock that lets only one of them build it."""

    template: Template | None = None
    built: float = 0.0
    lock: anyio.Lock = field(default_factory=lambda: anyio.Lock(fast_acquire=True))


@dataclass(slots=True)
class Wire:
    """Sends jobs to regions."""

    targets: Mapping[str, Target]
    transport: Transport
    deadline: float
    tokens: Mapping[str, TokenProvider] = field(default_factory=dict)
    _prepared: dict[tuple[str, str, str], _Prepared] = field(default_factory=dict, repr=False)

    async def send(self, region: str, job: Job) -> Reply | Fault:
        """Post ``job`` to ``region`` once; twice where its token turns out to be stale."""
        template = self._kept(region, job) or await self._made(region, job)
        if isinstance(template, Fault):
            return template
        body = template.opening + job.body[1:]
        outcome = await self.transport.post(template, body, self.deadline)
        if region in self.tokens and isinstance(outcome, Reply) and outcome.status == 401:
            template = await self._made(region, job, stale=template)
            if isinstance(template, Fault):
                return template
            outcome = await self.transport.post(template, body, self.deadline)
        return _without(template.secret, outcome)

    async def prepare(self, region: str, job: Job) -> Fault | None:
        """Prepare what ``send`` needs for such jobs, so that their time is the region's alone.

        A Fault where that cannot be.
        """
        outcome = self._kept(region, job) or await self._made(region, job)
        return outcome if isinstance(outcome, Fault) else None

    def _kept(self, region: str, job: Job, stale: Template | None = None) -> Template | None:
        """What the SDK prepared, unless it is ``stale`` or its token has served long enough."""
        prepared = self._prepared.get((region, job.path, job.model))
        if prepared is None or prepared.template is stale:
            return None
        if region in self.tokens:
            now = asyncio.get_running_loop().time()
            return prepared.template if now < prepared.built + TOKEN_LIFE else None
        return prepared.template

    async def _made(
        self, region: str, job: Job, stale: Template | None = None
    ) -> Template | Fault:
        """What the SDK prepares now, for all who wait for it."""
        try:
            return await self._make(region, job, stale)
        except TimeoutError:
            return Fault(FaultKind.TIMEOUT, "no token in time")
        except Exception as error:  # noqa: BLE001 - whatever a token provider raises is a fault
            cause = type(error.__cause__ or error).__name__
            return Fault(FaultKind.CONNECT, f"no request could be prepared: {cause}")

    async def _make(self, region: str, job: Job, stale: Template | None) -> Template:
        key = (region, job.path, job.model)
        prepared = self._prepared.setdefault(key, _Prepared())
        async with asyncio.timeout(self.deadline), prepared.lock:
            if (template := self._kept(region, job, stale)) is None:
                target, token = self.targets[region], self.tokens.get(region)
                now = asyncio.get_running_loop().time()
                template = await make_template(target, job.path, job.model, token)
                prepared.template, prepared.built = template, now
            return template


class _Connector(aiohttp.TCPConnector):
    """Closes a kept connection on which something came that nobody had asked for.

    aiohttp would take it for the reply to the next request: another job's answer.
    """

    async def _get(self, *args: Any, **kwargs: Any) -> aiohttp.connector.Connection | None:
        while (connection := await super()._get(*args, **kwargs)) is not None:
            if connection.protocol is not None and not connection.protocol.should_close:
                return connection
            connection.close()
        return None


class AiohttpTransport:
    """Loopback or internet, by aiohttp; the leases limit how many connections there are."""

    def __init__(self, *, proxy: str | None = None, ca_file: str | None = None) -> None:
        # The URL stands in what aiohttp raises, so the password must not stand in the URL.
        self._proxy = None if proxy is None else shown(proxy)
        user = None if proxy is None else credentials(proxy)
        said = None if user is None else aiohttp.encode_basic_auth(*user, encoding="utf-8")
        self._proxy_headers = {} if said is None else {"Proxy-Authorization": said}
        self._tls = make_context(ca_file)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=0, ttl_dns_cache=60, ssl=self._tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, template: Template, body: bytes, deadline: float) -> Reply | Fault:
        """Send ``body`` with the template's URL and headers.

        The proxy is not asked for this machine: here a key may travel unencrypted.
        """
        if self._session is None:
            raise RuntimeError("the transport is used before it is entered")
        is_direct = self._proxy is None or is_loopback(origin(template.url)[1])
        try:
            response = await self._session.post(
                template.url,
                data=aiohttp.BytesPayload(body),
                headers=template.headers,
                timeout=_within(deadline),
                allow_redirects=False,
                proxy=None if is_direct else self._proxy,
                proxy_headers=None if is_direct else self._proxy_headers,
            )
            try:
                content = await _read(response.content)
            finally:
                if not response.closed:  # the end of a body closes it, unless it is no HTTP
                    response.close()
            return Reply(response.status, response.headers, content)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            release(error)
            return fault_of(error)


@lru_cache
def _within(deadline: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=deadline)


async def _read(content: aiohttp.StreamReader) -> bytes:
    """The whole body, whose end gives the connection back; ValueError where it is too large."""
    chunks, size = [], 0
    while not content.at_eof():
        chunks.append(await content.readany())
        size += len(chunks[-1])
        if size > LARGEST_BODY:
            raise ValueError(f"a reply of more than {LARGEST_BODY >> 20} MiB")
    return b"".join(chunks)


def _without(secret: str, outcome: Reply | Fault) -> Reply | Fault:
    """``outcome`` with a mark in place of the key, where somebody sends it back.

    A key is long; what is shorter than any key may stand in an answer by chance.
    """
    if len(secret) < SHORTEST_KEY:
        return outcome
    if isinstance(outcome, Fault):
        return Fault(outcome.kind, outcome.detail.replace(secret, MASK))
    key, body, headers = secret.encode(), outcome.body, outcome.headers
    if key in body:
        body = body.replace(key, MASK.encode())
    if secret in "\n".join(headers.values()):
        headers = {k.lower(): v.replace(secret, MASK) for k, v in headers.items()}
    return Reply(outcome.status, headers, body)
