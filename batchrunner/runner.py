"""Many jobs at once."""

from collections.abc import AsyncIterable, Awaitable, Callable
from typing import TypeVar

import anyio

from .model import Result

Line = TypeVar("Line")


async def run(
    lines: AsyncIterable[Line],
    answer: Callable[[Line], Awaitable[Result | None]],
    report: Callable[[Result | None], Awaitable[None]],
    workers: int,
    ran_out: Callable[[], None] = lambda: None,
) -> None:
    """Answer every line with ``workers`` at a time, and report each result as it comes.

    ``ran_out`` is called when there are no more lines, though the last are still on their way.

    The workers pull from one iterator, so the input is read only as fast as it is answered; a
    worker takes the next line when its report is through, so that at most ``workers`` answers are
    not yet written down. A line without a result was left for a later run.
    """

    async def work() -> None:
        async for line in lines:
            await report(await answer(line))
        ran_out()

    async with anyio.create_task_group() as group:
        for _ in range(workers):
            group.start_soon(work)
