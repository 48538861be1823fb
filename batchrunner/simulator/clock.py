"""When things happen in a scenario."""

import asyncio

#: The time of day of the first call where nobody says another: 2026-01-01, midnight.
EPOCH = 1_767_225_600.0


class Clock:
    """The event loop's time, counted from the first time it is asked for."""

    def __init__(self, epoch: float = EPOCH) -> None:
        self._epoch = epoch
        self._start: float | None = None

    def now(self) -> float:
        """Seconds since the first call."""
        time = asyncio.get_running_loop().time()
        if self._start is None:
            self._start = time
        return time - self._start

    def wall(self, moment: float) -> float:
        """The time of day at a moment; before the first call the clock has not started."""
        return self._epoch + moment

    @property
    def today(self) -> float:
        """The time of day now, without starting the clock."""
        return self.wall(0.0 if self._start is None else self.now())
