"""A run that has to end by a certain moment: when it sends nothing more, and when it is cut off.

Nothing more is sent when what is in flight would need all the time that is left, by the latency of
answers so far. What is not answered at the end is cancelled; it may be billed, and is counted as
``ambiguous``.
"""

from collections import Counter
from dataclasses import dataclass

import anyio

from .histogram import Histogram
from .stats import Stats
from .summary import Stop
from .supervisor import Supervisor

LOOK_EVERY = 0.25  #: seconds
LATE = 0.95  #: of the answers come sooner
UNKNOWN = 10.0  #: seconds, before the first answer
SHORTEST = 0.05  #: seconds: the stop has to come before the end, whatever answers take
LARGEST_SHARE = 0.5  #: of the whole time, for the last answers
LAST_FILES = 0.75  #: seconds that statistics and checkpoint are given


def lead(stats: Stats, span: float) -> float:
    """How long before the end nothing more should be sent, of a run that has ``span`` seconds."""
    bins: Counter[int] = Counter()
    for usage in stats.regions.values():
        bins.update(usage.latency.bins)
    late = Histogram(bins).quantile(LATE)
    return min(UNKNOWN if late is None else max(late, SHORTEST), LARGEST_SHARE * span)


@dataclass(frozen=True, slots=True)
class Curfew:
    """The end of a run, as a moment on the clock of the loop."""

    supervisor: Supervisor
    at: float
    said: str  #: as the settings name it

    async def watch(self) -> None:
        """Stop the run in time."""
        end = self.at - LAST_FILES
        self.supervisor.end_by(end)
        span = end - anyio.current_time()
        while (left := end - anyio.current_time()) > 0:
            if left <= (before := lead(self.supervisor.ledger.stats, span)):
                break
            await anyio.sleep(min(LOOK_EVERY, max(0.01, left - before)))
        self.supervisor.stop(Stop(7, self._reason()))

    def _reason(self) -> str:
        """What happened, also if something else held the run up, and what to do."""
        reason, remedy = f"the deadline ({self.said}) has come", ""
        if disk := self.supervisor.disk_trouble:
            reason, remedy = f"{reason}, waiting for the disk: {disk}", "make room, and "
        elif self.supervisor.caller.pool.helm.is_paused:
            reason += ", paused"
        return f"{reason}: {remedy}run the command again later to go on"
