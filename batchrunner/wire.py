"""One request to one region.

The SDK prepares a request once for each region, path and model; jobs then send their own bytes
with its URL and headers through a transport, which costs a thirtieth of the SDK's own machinery.
Nothing is retried here, and a deadline covers the whole attempt. A reply that repeats the key
comes without it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio

from .model import Fault, FaultKind, Job, Reply
from .sdk import Template, TokenProvider, make_template
from .targets import Target
from .transport import Transport

SHORTEST_KEY = 16  #: characters
MASK = "(key)"
TOKEN_LIFE = 30.0  #: seconds a prepared request with a token is used


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
