"""Of jobs that ask the same, one goes first, and the others wait beside the workers.

Theory of operation. A worker that waited for the answer to another job would do nothing else, and
in a sorted table nearly all workers would soon wait for a few. So a twin of a job under way takes
no worker: it is set aside where it is pulled, and comes back when the first has ended, whatever
its end. Then it is a line like any other: whoever pulls it finds the last word on the first in
the output. Where there is none, as the first was left or may end otherwise next time, it is sent
on its own, without waiting for anybody again.

The first never waits for its twins, so nobody waits in a circle. A twin shares the body of the
first and takes some 300 bytes; at most ``most`` are aside, then who pulls another one waits.
"""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Self

import anyio

from .inputs.jsonl import BadLine
from .model import Job

MOST = 50_000  #: twins that may be aside at any time


@dataclass(slots=True)
class _First:
    job: Job
    twins: list[Job] = field(default_factory=list)


@dataclass(slots=True)
class Twins:
    """The jobs of ``lines``, without those whose request is under way; shared by all workers."""

    lines: AsyncIterator[Job | BadLine]
    most: int = MOST
    aside: int = field(init=False, default=0)
    _under_way: dict[str, _First] = field(init=False, default_factory=dict)
    _back: deque[Job] = field(init=False, default_factory=deque)
    _changed: anyio.Event = field(init=False, default_factory=anyio.Event)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Job | BadLine:
        while True:
            if self._back:
                return self._back.popleft()
            try:
                line = await anext(self.lines)
            except StopAsyncIteration:
                if not self.aside and not self._back:
                    raise
                if not self._back:
                    await self._changed.wait()
                continue
            if isinstance(line, BadLine) or not await self._set_aside(line):
                return line

    def ended(self, job: Job) -> None:
        """The last word on a job is in the output, or it was left: its twins come back."""
        first = self._under_way.get(job.request)
        if first is None or first.job.ordinal != job.ordinal:
            return
        del self._under_way[job.request]
        self._back += first.twins
        self.aside -= len(first.twins)
        if first.twins:
            self._changed.set()
            self._changed = anyio.Event()

    async def _set_aside(self, job: Job) -> bool:
        """Whether a job waits for the one that asks the same; False where it is the first."""
        while (first := self._under_way.get(job.request)) is not None:
            if self.aside < self.most:
                self.aside += 1
                shared = first.job
                first.twins.append(replace(job, body=shared.body, request=shared.request))
                return True
            await self._changed.wait()
        self._under_way[job.request] = _First(job)
        return False
