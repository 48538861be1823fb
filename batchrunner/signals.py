"""Signals, from the first moment of a run to its last.

Until something was sent, SIGINT and SIGTERM end the run at once, and whatever it had opened is
put away. While jobs run, ``act`` decides. SIGHUP never ends a run: the terminal is gone, the work
is not.
"""

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskStatus

from .errors import Interrupted

KNOWN = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Passes every signal but SIGHUP to ``act``."""

    def __init__(self) -> None:
        self.act: Callable[[int], None] = self._leave
        self._scope = anyio.CancelScope()
        self._number = 0

    def ignore(self) -> None:
        """From now on no signal ends anything: the last files are being written."""
        self.act = lambda _: None

    def _leave(self, number: int) -> None:
        self._number = number
        self._scope.cancel()

    async def _listen(self, *, task_status: TaskStatus[None]) -> None:
        with anyio.open_signal_receiver(*KNOWN) as signals:
            task_status.started()
            async for number in signals:
                if number != signal.SIGHUP:
                    self.act(number)


@asynccontextmanager
async def listening(*, enabled: bool) -> AsyncIterator[Signals]:
    """Listen for signals; raises Interrupted where one came before anybody else took care."""
    signals = Signals()
    if not enabled:
        yield signals
        return
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        await group.start(signals._listen)  # noqa: SLF001 - its own module
        with signals._scope:  # noqa: SLF001 - likewise
            try:
                yield signals
            except Exception as error:  # noqa: BLE001 - raised below, without the group around it
                failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if signals._scope.cancelled_caught:  # noqa: SLF001 - likewise
        raise Interrupted(signals._number)  # noqa: SLF001 - likewise
