"""Lets jobs through while the disk has room for their results."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio

LOOK_EVERY = 1.0  #: seconds between two looks at the disk


@dataclass(slots=True)
class Gate:
    """Shut while ``crowded`` has a reason; ``give_up`` is called when that lasts too long.

    What is paid for must find room, so it is asked before the first job, and once a second.
    """

    crowded: Callable[[], Awaitable[str | None]]
    give_up: Callable[[str], None]
    patience: float  #: seconds
    reason: str | None = None  #: why nothing more should be paid for
    _opened: anyio.Event = field(default_factory=anyio.Event)

    async def watch(self) -> None:
        """Look at the disk, again and again."""
        clock = asyncio.get_running_loop().time
        shut = 0.0
        while True:
            was_open, self.reason = self.reason is None, await self.crowded()
            if self.reason is None:
                self.open()
            elif was_open:
                self._opened, shut = anyio.Event(), clock()
            if self.reason is not None and clock() - shut >= self.patience:
                self.give_up(self.reason)
                self.open()
                return
            await anyio.sleep(LOOK_EVERY)

    @property
    def is_shut(self) -> bool:
        """Whether nobody may pass now."""
        return not self._opened.is_set()

    async def until_open(self) -> None:
        """Wait until there is room, or until nobody looks any more."""
        await self._opened.wait()

    def open(self) -> None:
        """Hold nobody up for now."""
        self._opened.set()
