"""Lines that are written with one call, and those who wait for them."""

import asyncio
from contextlib import suppress

from ..errors import BatchrunnerError

GROUP_LINES = 256
GROUP_BYTES = 1 << 20


class Group:
    """Made and awaited on an event loop, settled once in the thread that writes."""

    __slots__ = ("_error", "_event", "_loop", "lines", "size", "sync")

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.size = 0  #: bytes
        self.sync = False  #: whether the lines are to be on the medium before anyone is told
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._error: BaseException | None = None

    def takes(self, line: bytes) -> bool:
        """Whether one more line fits; a group of one line may have any size."""
        return len(self.lines) < GROUP_LINES and (
            not self.lines or self.size + len(line) <= GROUP_BYTES
        )

    def add(self, line: bytes) -> None:
        """Put one more line at the end."""
        self.lines.append(line)
        self.size += len(line)

    def settle(self, error: BaseException | None) -> None:
        """Wake all who wait, with one call to their loop."""
        self._error = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        """Until the group is settled. Who is cancelled meanwhile takes no line with him."""
        await self._event.wait()
        if self._error is not None:
            raise obituary(self._error)


def obituary(death: BaseException) -> BatchrunnerError:
    """Why nothing is written any more: a fresh error for each who asks."""
    kind = type(death) if isinstance(death, BatchrunnerError) else BatchrunnerError
    error = kind(str(death) or repr(death))
    error.__cause__ = death
    return error
