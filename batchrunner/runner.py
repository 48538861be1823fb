"""Many jobs at once."""

from collections.abc import AsyncIterable, Awaitable, Callable

import anyio

from .model import Job, Result


async def run(
    jobs: AsyncIterable[Job],
    call: Callable[[Job], Awaitable[Result | None]],
    report: Callable[[Job, Result | None], Awaitable[None]],
    workers: int,
) -> None:
    """Answer every job with ``workers`` at a time, and report each result as it comes.

    The workers pull from one iterator, so the input is read only as fast as it is answered; a
    worker takes the next job when its report is through, so that at most ``workers`` answers are
    not yet written down. A job without a result was left for a later run.
    """

    async def work() -> None:
        async for job in jobs:
            await report(job, await call(job))

    async with anyio.create_task_group() as group:
        for _ in range(workers):
            group.start_soon(work)
