"""A run followed from outside, look by look, in words. Pure."""

from dataclasses import dataclass
from typing import Any

from ..status import as_json
from ..summary import Summary
from ..terminal import printable
from . import words
from .findings import status_lines


@dataclass(frozen=True, slots=True)
class Look:
    """An output at one moment."""

    summary: Summary
    writer: str | None  #: the process that writes it; None: the run has ended
    rate: float  #: jobs a second, of late
    remaining_s: float | None

    @property
    def state(self) -> tuple[object, ...]:
        """What makes a look worth telling: two that are equal say the same."""
        progress, stop = self.summary.progress, self.summary.stop
        return progress.done, progress.stats.calls, progress.total, stop, self.writer is None

    @property
    def lines(self) -> list[str]:
        """For a screen."""
        lines = [printable(line) for line in status_lines(self.summary)]
        if self.writer is not None:
            lines.insert(2, self._pace)
        return lines

    @property
    def line(self) -> str:
        """For a log."""
        progress = self.summary.progress
        stop = self.summary.stop
        parts = [f"{progress.done:,}/{progress.total:,} jobs", f"{progress.stats.failed:,} failed"]
        parts += [self._pace] if self.writer is not None else []
        return printable(" | ".join([*parts, "complete" if stop is None else stop.reason]))

    def as_json(self) -> dict[str, Any]:
        """As that of ``status``, and the pace."""
        eta = None if self.remaining_s is None else round(self.remaining_s, 1)
        return as_json(self.summary, self.writer) | {"rate": round(self.rate, 3), "eta_s": eta}

    @property
    def _pace(self) -> str:
        return f"{self.rate:.1f} jobs/s, ETA {words.duration(self.remaining_s)}"
