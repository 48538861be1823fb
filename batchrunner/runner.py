"""Many jobs at once."""

from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import anyio

from .model import Result

Line = TypeVar("Line")


def _nobody() -> None:
    """Where nobody works nobody is hired."""


@dataclass(slots=True)
class Crew:
    """How many work at a time, which may change while they do."""

    size: int
    working: int = field(init=False, default=0)
    _hire: Callable[[], None] = field(init=False, default=_nobody)

    def resize(self, size: int) -> None:
        """Be ``size`` from now on: more begin at once, others leave when their report is through.

        At least one stays.
        """
        self.size = max(1, size)
        self._hire()


async def run(
    lines: AsyncIterable[Line],
    answer: Callable[[Line], Awaitable[Result | None]],
    report: Callable[[Result | None], Awaitable[None]],
    workers: int | Crew,
    ran_out: Callable[[], None] = lambda: None,
) -> None:
    """Answer every line with ``workers`` at a time, and report each result as it comes.

    ``ran_out`` is called when there are no more lines, though the last are still on their way.

    The workers pull from one iterator, so the input is read only as fast as it is answered; a
    worker takes the next line when its report is through, so that at most ``workers`` answers are
    not yet written down. A line without a result was left for a later run.
    """
    crew = Crew(workers) if isinstance(workers, int) else workers

    async def work() -> None:
        try:
            async for line in lines:
                await report(await answer(line))
                if crew.working > crew.size:
                    return
            ran_out()
        finally:
            crew.working -= 1

    try:
        async with anyio.create_task_group() as group:

            def hire() -> None:
                while crew.working < crew.size:
                    crew.working += 1
                    group.start_soon(work)

            crew._hire = hire  # noqa: SLF001 - of this module
            hire()
    finally:
        crew._hire = _nobody  # noqa: SLF001 - likewise
