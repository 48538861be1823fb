"""The question: where do the microseconds of a job go.

Each part of a run does its work alone, for the same jobs, in CPU time of this process: *validate*
looks at the whole input, *read* makes jobs of its lines, *lease* waits for a region and settles
afterwards, *send* posts the bytes to nginx and reads the reply, *judge* says what it means,
*record* adds up the statistics, encodes the line and writes it. *whole* is a run of all of it,
less what a run of one job takes; *rest* is what is left of it: the workers, the caller, the waking
of tasks, and whatever parts cost one another. The best of the rounds, since other programs only
add.

    python -m benchmarks.overhead [--jobs N] [--rounds N] [--json FILE]
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import uvloop

from batchrunner.batch import run_async
from batchrunner.config import Settings, read_settings
from batchrunner.fleet import make_router
from batchrunner.inputs.feed import Feed
from batchrunner.inputs.source import Source
from batchrunner.inputs.survey import survey
from batchrunner.ledger import Ledger
from batchrunner.model import Attempt, Job, Reply, Result
from batchrunner.policy.ratelimit import advertised
from batchrunner.policy.verdict import Answered, judge
from batchrunner.pool import RegionPool
from batchrunner.sdk import Template, make_template
from batchrunner.transport import AiohttpTransport

from .contenders.contest import KEY
from .nginx import serving
from .process import CLIENT_CORE, prepare
from .record import installed, save
from .workload import write_jobs

WORKERS = 256
DEADLINE = 300.0  #: seconds
PARTS = ("validate", "read", "lease", "send", "judge", "record")


class Ground:
    """The jobs, their replies, and all that a part needs; its public methods are the parts."""

    def __init__(self, place: Path, settings: Settings, template: Template) -> None:
        self.place = place
        self.settings = settings
        self._template = template
        self._fresh = (place / f"results-{n}.jsonl" for n in count())
        self._jobs: list[Job] = []
        self._replies: list[Reply] = []

    async def prepare(self) -> None:
        """Read all jobs and get a reply for each."""
        self._jobs = [job async for job in self._feed() if isinstance(job, Job)]
        await self.send(keep=True)

    async def validate(self) -> None:  # noqa: D102
        await survey(self.place / "jobs.jsonl")

    async def read(self) -> None:  # noqa: D102
        async for _ in self._feed():
            pass

    async def lease(self) -> None:  # noqa: D102
        pool = RegionPool(make_router(self.settings))
        verdict = judge(self._replies[0])

        async def call(job: Job) -> None:
            lease = await pool.lease(job, frozenset())
            assert lease is not None
            await asyncio.sleep(0)
            pool.settle(lease, verdict)

        await _work(self._jobs, call)

    async def send(self, *, keep: bool = False) -> None:  # noqa: D102
        async with AiohttpTransport() as transport:

            async def call(job: Job) -> None:
                reply = await transport.post(self._template, job.body, DEADLINE)
                assert isinstance(reply, Reply)
                if keep:
                    self._replies.append(reply)

            await _work(self._jobs, call)

    async def judge(self) -> None:  # noqa: D102
        for reply in self._replies:
            judge(reply)
            advertised(reply.headers)

    async def record(self) -> None:  # noqa: D102
        ledger = Ledger.open(next(self._fresh), self.settings)
        verdict = judge(self._replies[0])
        assert isinstance(verdict, Answered)

        async def call(pair: tuple[Job, Reply]) -> None:
            job, reply = pair
            attempts = (Attempt("region-1", "ok", 200, 1.5),)
            await ledger.record(Result(job, reply, attempts, None, verdict.usage))

        async with ledger.journal:
            await _work(zip(self._jobs, self._replies, strict=True), call)

    async def whole(self, name: str) -> None:  # noqa: D102
        await run_async(self.place / name, next(self._fresh), self.settings)

    def _feed(self) -> "_Jobs":
        return _Jobs(self.place / "jobs.jsonl")


class _Jobs:
    """The jobs of a file, as a run reads them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __aiter__(self) -> AsyncIterator[Any]:
        async with Source(self._path) as lines:
            async for job in Feed(lines):
                yield job


async def _work(items: Iterable[Any], call: Callable[[Any], Awaitable[None]]) -> None:
    """As a run does: many workers, one iterator."""
    shared = iter(items)

    async def worker() -> None:
        for item in shared:
            await call(item)

    async with anyio.create_task_group() as group:
        for _ in range(WORKERS):
            group.start_soon(worker)


async def microseconds(work: Coroutine[Any, Any, None], jobs: int) -> float:
    """CPU time of this process for each job."""
    started = time.process_time()
    await work
    return 1e6 * (time.process_time() - started) / jobs


async def measure(place: Path, url: str, jobs: int, rounds: int) -> list[dict[str, Any]]:
    """The best of so many rounds, for each part."""
    write_jobs(place / "jobs.jsonl", jobs)
    write_jobs(place / "one.jsonl", 1)
    environ = {"AZURE_OPENAI_API_KEY_1": KEY, "AZURE_OPENAI_ENDPOINT_1": url}
    settings = read_settings({"concurrency": WORKERS}, environ, {})
    template = await make_template(settings.targets[0], "/chat/completions", "gpt-4o-mini")
    ground = Ground(place, settings, template)
    await ground.prepare()
    best: dict[str, float] = {}
    for _ in range(rounds):
        for part in PARTS:
            took = await microseconds(getattr(ground, part)(), jobs)
            best[part] = min(took, best.get(part, took))
        alone = await microseconds(ground.whole("one.jsonl"), jobs)
        took = await microseconds(ground.whole("jobs.jsonl"), jobs) - alone
        best["whole"] = min(took, best.get("whole", took))
    best["rest"] = best["whole"] - sum(best[part] for part in PARTS)
    return [{"part": part, "cpu_us": round(took, 1)} for part, took in best.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    prepare()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        with serving(place, tls=False) as server:
            os.sched_setaffinity(0, {CLIENT_CORE})
            rows = uvloop.run(measure(place, server.url, arguments.jobs, arguments.rounds))
    for row in rows:
        print(f"{row['part']:10} {row['cpu_us']:7.1f} µs")
    if arguments.json:
        save(arguments.json, rows, installed("openai", "aiohttp", "uvloop", "orjson"))


if __name__ == "__main__":
    main()
