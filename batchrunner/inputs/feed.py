"""The second pass: jobs for many workers, read as they are pulled."""

from collections.abc import AsyncIterator, Callable, Iterator
from math import inf
from typing import Self

from anyio import CancelScope, Lock

from ..model import Job
from .defaults import NO_DEFAULTS, Defaults
from .jsonl import BadLine, fingerprint, parse
from .tokens import Count


def nothing_is_done(_ordinal: int, _fingerprint: str | None) -> bool:
    """Every line is to run."""
    return False


class Feed:
    """One async iterator of jobs, shared by all workers.

    ``batches`` are lists of lines: a ``Source``, or anything like it. While lines are at hand a
    worker gets its job without waiting; when they run out one worker fetches more and the others
    wait for it. Only the lines of one batch are held at a time, and a line becomes a job when it
    is pulled.

    ``skip`` is asked with the ordinal and the fingerprint of each line whether its job is done
    already; those lines are not parsed. ``limit`` is how many lines, done or not, are looked at;
    blank ones do not count. ``count`` counts the tokens of a prompt. A line that is no job comes
    out as a ``BadLine``, in its place.
    """

    def __init__(
        self,
        batches: AsyncIterator[list[bytes]],
        defaults: Defaults = NO_DEFAULTS,
        *,
        skip: Callable[[int, str], bool] = nothing_is_done,
        limit: int | None = None,
        count: Count | None = None,
    ) -> None:
        self._batches = batches
        self._defaults = defaults
        self._skip = skip
        self._left = inf if limit is None else limit
        self._count = count
        self._lines: Iterator[bytes] = iter(())
        self._ordinal = -1
        self._ended = False
        self._turn = Lock()
        self._reading: CancelScope | None = None

    def stop(self) -> None:
        """End the iteration, at once and for every worker."""
        self._ended = True
        self._lines = iter(())
        if self._reading is not None:
            self._reading.cancel()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Job | BadLine:
        while True:
            job = self._pull()
            if job is not None:
                return job
            if self._ended:
                raise StopAsyncIteration
            await self._refill(self._lines)

    def _pull(self) -> Job | BadLine | None:
        """The next job of the lines at hand."""
        while self._left:
            line = next(self._lines, None)
            if line is None:
                return None
            self._ordinal += 1
            if not line or line.isspace():
                continue
            self._left -= 1
            mark = fingerprint(line)
            if not self._skip(self._ordinal, mark):
                return parse(line, self._ordinal, self._defaults, mark, self._count)
        self.stop()
        return None

    async def _refill(self, spent: Iterator[bytes]) -> None:
        """Fetch lines, unless another worker has replaced the ``spent`` ones meanwhile."""
        async with self._turn:
            if self._ended or self._lines is not spent:
                return
            try:
                with CancelScope() as self._reading:
                    self._lines = iter(await anext(self._batches))
            except StopAsyncIteration:
                self._ended = True
            except Exception:
                self._ended = True
                raise
