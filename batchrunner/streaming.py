"""Results as they come, for programs that have jobs in memory rather than in files."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import anyio
import anyio.to_thread
import orjson

from . import runner
from .config import Settings, require_targets
from .environment import load_settings
from .errors import BatchrunnerError, ConfigError, InputError, NoTargetError, raise_first
from .fleet import open_caller, require_prices
from .inputs.contents import filled
from .inputs.jsonl import BadLine, parse
from .intake import counter, defaults
from .model import Job, Result
from .telemetry.export import telling

LEFT = "no region is left that serves this job"


async def stream(
    lines: Iterable[Mapping[str, Any]], settings: Settings | None = None
) -> AsyncIterator[Result]:
    """Answer every one of ``lines`` and yield the results in the order in which they come.

    A line is what a line of an input file may be: a request body, a Batch line, or a prompt. It
    is taken when a worker is free for it, and nothing is written down. Raises InputError for a
    line that is no job, and NoTargetError for one that no region serves or that the budget of
    ``max_cost`` and ``max_tokens_total`` does not allow. Who leaves the loop
    early wraps the iterator in ``contextlib.aclosing``, so that nothing more is sent.

    ConfigError for settings that only results in files can follow: ``reuse``, ``dedup`` and
    ``deadline``.
    """
    settings = await anyio.to_thread.run_sync(filled, settings or load_settings())
    _check(settings)
    results, done = anyio.create_memory_object_stream[Result]()
    try:
        async with (
            done,
            telling(telemetry=settings.telemetry) as observe,
            open_caller(settings, observe=observe) as caller,
            anyio.create_task_group() as group,
        ):

            async def report(result: Result | None) -> None:
                if result is None:
                    raise NoTargetError(caller.pool.refusal or LEFT)
                await results.send(result)

            async def work() -> None:
                async with results:
                    jobs = _jobs(lines, settings)
                    await runner.run(
                        jobs, caller.call, report, settings.concurrency, caller.pool.hurry
                    )

            group.start_soon(work)
            try:
                async for result in done:
                    yield result
            except GeneratorExit:  # left early: the group would take it for a failure
                group.cancel_scope.cancel()
    except* BatchrunnerError as failures:
        raise_first(failures)


def _check(settings: Settings) -> None:
    """ConfigError for what a stream cannot do, and where nothing could be sent."""
    if settings.reuse or settings.dedup:
        raise ConfigError("a stream writes no results to reuse: leave reuse and dedup to run()")
    if settings.deadline:
        raise ConfigError("a stream ends when it is left: leave the deadline to run()")
    require_targets(settings)
    require_prices(settings, filter(None, [settings.model]))


async def _jobs(lines: Iterable[Mapping[str, Any]], settings: Settings) -> AsyncIterator[Job]:
    """Never waits, so that many workers can share it."""
    given = defaults(settings)
    count = counter(settings)
    for number, line in enumerate(lines):
        job = parse(_encoded(line, number), number, given, count=count)
        if isinstance(job, BadLine):
            raise InputError(f"line {number + 1}: {job.reason}")
        yield job


def _encoded(line: Mapping[str, Any], number: int) -> bytes:
    try:
        return orjson.dumps(line)
    except TypeError as error:
        raise InputError(f"line {number + 1}: {error}") from None
