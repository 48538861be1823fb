"""Lines that are written with one call, and those who wait for them."""

import asyncio
from contextlib import suppress

from ..errors import BatchrunnerError

GROUP_LINES = 256
GROUP_BYTES = 1 << 20


class Group:
    """Made and awaited on an event loop, settled once in the thread that writes."""

    __slots__ = ("_loop", "_waiters", "lines", "size", "sync")

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.size = 0  #: bytes
        self.sync = False  #: whether the lines are to be on the medium before anyone is told
        self._loop = asyncio.get_running_loop()
        self._waiters: list[asyncio.Future[None]] = []

    def add(self, line: bytes) -> bool:
        """Put one more line at the end, where it fits; a group of one may have any size."""
        lines, size = self.lines, self.size + len(line)
        if lines and (size > GROUP_BYTES or len(lines) >= GROUP_LINES):
            return False
        lines.append(line)
        self.size = size
        return True

    def settle(self, error: BaseException | None) -> None:
        """Wake all who wait, with one call to their loop."""
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._wake, error)

    def wait(self) -> asyncio.Future[None]:
        """A future that is done when the group is settled, or raises what kept it from that.

        Who is cancelled meanwhile takes no line with him. To be asked for in the same turn of
        the loop in which something was put into the group: later it may be settled already.
        """
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        return waiter

    def _wake(self, error: BaseException | None) -> None:
        for waiter in self._waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(obituary(error))


def obituary(death: BaseException) -> BatchrunnerError:
    """Why nothing is written any more: a fresh error for each who asks."""
    kind = type(death) if isinstance(death, BatchrunnerError) else BatchrunnerError
    error = kind(str(death) or repr(death))
    error.__cause__ = death
    return error
