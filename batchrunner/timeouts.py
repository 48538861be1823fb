"""A limit to how long many may wait, with one timer for all of them."""

import asyncio
from types import TracebackType


class Timeouts:
    """Ends what takes longer than so many seconds, for as many tasks as enter it.

    As ``asyncio.timeout`` does: who is late is cancelled and raises TimeoutError, unless somebody
    else has cancelled him too. That has a timer of its own for everybody, which costs as much as
    a third of a request. Here all have the same time, so the first to begin is the first to be
    late, and one timer for him will do. A task cannot enter twice.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._inside: dict[asyncio.Task[object], tuple[float, int]] = {}  #: end, cancellations
        self._late: dict[asyncio.Task[object], int] = {}  #: cancellations before ours
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        task = _current_task()
        end = self._loop.time() + self._seconds
        self._inside[task] = end, task.cancelling()
        if self._timer is None:
            self._timer = self._loop.call_at(end, self._sweep)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        task = _current_task()
        if self._inside.pop(task, None) is None:
            before = self._late.pop(task)
            if task.uncancel() <= before and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def close(self) -> None:
        """End nobody any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _sweep(self) -> None:
        """Cancel those who are late, and wait for the next one."""
        self._timer = None
        now = self._loop.time()
        while self._inside:
            task, (end, before) = next(iter(self._inside.items()))
            if end > now:
                self._timer = self._loop.call_at(end, self._sweep)
                break
            del self._inside[task]
            self._late[task] = before
            task.cancel()


def _current_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a timeout is for tasks")
    return task
