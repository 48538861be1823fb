"""A run on the virtual clock: the real policy, pool, caller and wire, and the simulator."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random

from batchrunner import runner
from batchrunner.caller import Caller
from batchrunner.config import read_settings
from batchrunner.fleet import make_router
from batchrunner.hedge import Hedge
from batchrunner.model import Fault, FaultKind, Job, Reply
from batchrunner.policy.helm import Helm
from batchrunner.policy.retry import Retry
from batchrunner.pool import RegionPool
from batchrunner.sdk import make_template
from batchrunner.simulator import Simulator, validate
from batchrunner.simulator.server import Simulation
from batchrunner.stats import Stats
from batchrunner.wire import Wire, _Prepared

URL = "http://127.0.0.1"
PATH, MODEL = "/chat/completions", "gpt-4o-mini"


def job(ordinal=0, *, model=MODEL, max_tokens=20, text="Say something."):
    body = b'{"messages":[{"role":"user","content":"%d: %b"}],"max_tokens":%d}'
    body %= (ordinal, text.encode(), max_tokens)
    return Job(ordinal, f"{ordinal:016x}", f"job-{ordinal}", PATH, model, body, max_tokens)


async def feed(jobs):
    """Jobs for workers; it never waits, so that many can share it."""
    for one in jobs:
        yield one


@lru_cache
def template(target, model):
    """What the SDK makes of a request; it asks a thread, which a virtual clock cannot wait for."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, make_template(target, PATH, model)).result()


class AsgiTransport:
    """Carries requests to the simulator without sockets; each way takes ``delay()`` seconds."""

    def __init__(self, app, delay):
        self._app, self._delay = app, delay

    async def post(self, template, body, deadline):
        try:
            async with asyncio.timeout(deadline):
                return await self._post(template, body)
        except TimeoutError:
            return Fault(FaultKind.TIMEOUT, "")
        except ConnectionResetError as error:
            return Fault(FaultKind.RESET, str(error))

    async def _post(self, template, body):
        await asyncio.sleep(self._delay())
        path, _, query = template.url.removeprefix(URL).partition("?")
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in template.headers.items()],
        }
        request = iter([{"type": "http.request", "body": body, "more_body": False}])
        sent = []

        async def receive():
            message = next(request, None)
            return message if message is not None else await asyncio.Event().wait()

        async def send(message):
            sent.append(message)

        await self._app(scope, receive, send)
        await asyncio.sleep(self._delay())
        headers = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        return Reply(sent[0]["status"], headers, b"".join(m["body"] for m in sent[1:]))


@dataclass(repr=False)
class World:
    """A run over a scenario, and what came of it."""

    scenario: dict
    concurrency: int = 64
    options: dict = field(default_factory=dict)
    environ: dict = field(default_factory=dict)
    models: tuple = (MODEL,)
    delay: Callable[[], float] = lambda: 0.01
    results: list = field(default_factory=list)
    left: int = 0
    before: Stats | None = None  #: what earlier runs did

    def __post_init__(self):
        self.simulator = Simulator(validate(self.scenario))
        environ = Simulation(URL, self.simulator).environ() | self.environ
        self.settings = read_settings(
            {"concurrency": self.concurrency, **self.options}, environ, {}
        )
        self.targets = {target.name: target for target in self.settings.targets}
        wire = Wire(self.targets, AsgiTransport(self.simulator, self.delay), self.settings.timeout)
        for name, target in self.targets.items():
            for model in self.models:
                wire._prepared[name, PATH, model] = _Prepared(template(target, model))
        self.router = make_router(self.settings, self.before)
        self.pool = RegionPool(self.router, Helm(self.concurrency))
        self.caller = Caller(
            self.pool,
            wire.send,
            Retry(self.settings.max_attempts),
            Random(self.scenario["seed"]),
            hedge=Hedge() if self.settings.hedge else None,
        )

    async def run(self, jobs):
        async def report(result):
            if result is None:
                self.left += 1
            else:
                self.results.append(result)

        await runner.run(feed(jobs), self.caller.call, report, self.concurrency, self.pool.hurry)
        return asyncio.get_running_loop().time()

    @property
    def stats(self):
        stats = Stats()
        for result in self.results:
            stats.add(result)
        return stats
