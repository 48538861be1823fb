"""One completion with failover, for programs that ask now and then.

The regions are those of the environment and ``.env``, in their order; one that is throttled,
failing or out is passed over, and plain OpenAI is asked when every Azure region is. Unlike a run,
a call does not wait for a quota: when nobody answers it raises what the last region said, as the
SDK's own error class.

All calls of a process, synchronous or not, share one event loop in a thread of its own, and with
it the clients, their connections, and what is known of every region.
"""

import asyncio
import math
import os
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import anyio
import openai
import orjson
from anyio.from_thread import BlockingPortal

from .config import require_targets
from .environment import load_settings
from .faults import fault_of
from .fleet import make_router, usable
from .model import Fault, FaultKind, Job, Reply
from .policy.choices import choices
from .policy.lease import Lease
from .policy.ratelimit import advertised
from .policy.router import Router
from .policy.verdict import Faulty, Refused, Verdict, judge
from .sdk import entra_token, make_client, make_http_client
from .targets import Target

Messages = Iterable[Any]  #: dictionaries such as {"role": "user", "content": "…"}
_starting = threading.Lock()  #: two threads must not start two loops


def call_completion(messages: Messages, *, model: str, **arguments: Any) -> str:
    """The text of a chat completion for ``messages``.

    ``arguments`` are those of the SDK's ``chat.completions.create``, ``stream`` excepted. Raises
    ConfigError where no region is configured, else the SDK's error classes: ``BadRequestError``
    and its like at once, others when no region answered.
    """
    return _portal().call(partial(_complete, messages, model, arguments))


async def call_completion_async(messages: Messages, *, model: str, **arguments: Any) -> str:
    """``call_completion`` for coroutines."""
    call = _portal().start_task_soon(partial(_complete, messages, model, arguments))
    return await asyncio.wrap_future(call)


@dataclass(slots=True)
class _Failover:
    """The regions of this process, and a client for each."""

    router: Router
    clients: Mapping[str, openai.AsyncOpenAI]
    targets: Mapping[str, Target]

    async def complete(self, messages: Messages, model: str, arguments: Mapping[str, Any]) -> str:
        """Ask one region after another, each at most once."""
        job = Job(0, "", "", "/chat/completions", model, b"", 0)
        tried: set[str] = set()
        failure: openai.APIError | None = None
        while (lease := self._lease(job, frozenset(tried))) is not None:
            tried.add(lease.region.name)
            try:
                return await self._ask(lease, messages, arguments)
            except openai.APIError as error:
                if isinstance(judge(_outcome(error)), Refused):
                    raise
                failure = error
        raise failure or openai.OpenAIError(f"no region serves {model}")

    def _lease(self, job: Job, tried: frozenset[str]) -> Lease | None:
        """The next region to ask; where all are closed, one is asked nevertheless."""
        now = asyncio.get_running_loop().time()
        picked = self.router.pick(now, job, tried, waited=math.inf)
        if isinstance(picked, Lease):
            return picked
        return None if tried else self.router.force(now, job)

    async def _ask(self, lease: Lease, messages: Messages, arguments: Mapping[str, Any]) -> str:
        name, model = lease.region.name, lease.job.model
        verdict: Verdict | None = None
        headers: Mapping[str, str] = {}
        try:
            raw = await self.clients[name].chat.completions.with_raw_response.create(
                messages=messages,
                model=self.targets[name].model_for(model),
                **arguments,
            )
            response = raw.http_response
            headers = response.headers
            verdict = judge(Reply(response.status_code, headers, response.content))
            if isinstance(verdict, Faulty):  # nothing else comes of a success that is no answer
                raise openai.APIResponseValidationError(response, None, message=verdict.message)
            lease.region.readmit(model)
            return _text(response.content)
        except openai.APIError as error:
            verdict = judge(_outcome(error))
            headers = getattr(getattr(error, "response", None), "headers", {})
            raise
        finally:
            now = asyncio.get_running_loop().time()
            self.router.settle(now, lease, verdict, advertised(headers))


def _text(body: bytes) -> str:
    """The text of the first choice; empty where the model gave none."""
    return next(choices(orjson.loads(body))).text


def _outcome(error: openai.APIError) -> Reply | Fault:
    """What an error of the SDK came from."""
    match error:
        case openai.APIStatusError() | openai.APIResponseValidationError():
            response = error.response
            return Reply(response.status_code, response.headers, response.content)
        case openai.APITimeoutError():
            return Fault(FaultKind.TIMEOUT, str(error))
        case _:
            fault = fault_of(error)
            is_known = fault.kind in {FaultKind.LOCAL, FaultKind.TLS}
            return fault if is_known else Fault(FaultKind.CONNECT, str(error))


def _open() -> _Failover:
    settings = load_settings()
    require_targets(settings)
    settings = settings.model_copy(update={"strategy": "ordered"})
    targets = {target.name: target for target in usable(settings)}
    tokens = {name: entra_token() for name, t in targets.items() if t.auth == "entra"}
    http_client = make_http_client(proxy=settings.proxy_url, ca_file=settings.ca_file)
    clients = {
        name: make_client(t, http_client, tokens.get(name), settings.timeout)
        for name, t in targets.items()
    }
    router = make_router(settings, is_paced=False)
    for region in router.regions:
        region.adaptive.trust()  # how many calls there are at once is the program's affair
    return _Failover(router, clients, targets)


async def _complete(messages: Messages, model: str, arguments: Mapping[str, Any]) -> str:
    if arguments.get("stream"):
        raise TypeError("stream=True gives no message text: leave it out")
    return await _failover().complete(list(messages), model, arguments)


@lru_cache(maxsize=1)
def _failover() -> _Failover:
    """The regions of this process; runs in the loop of the portal only."""
    return _open()


def _portal() -> BlockingPortal:
    """The event loop that all calls share; it lives as long as the process."""
    with _starting:
        return _started()


@lru_cache(maxsize=1)
def _started() -> BlockingPortal:
    started: Future[BlockingPortal] = Future()

    async def serve() -> None:
        async with BlockingPortal() as portal:
            started.set_result(portal)
            await anyio.sleep_forever()

    threading.Thread(target=anyio.run, args=(serve,), name="batchrunner", daemon=True).start()
    return started.result()


def _forget() -> None:
    """A forked child has no thread of its parent: it begins anew."""
    _started.cache_clear()
    _failover.cache_clear()
    _starting.release()


os.register_at_fork(
    before=_starting.acquire, after_in_parent=_starting.release, after_in_child=_forget
)
