"""What a run has cost so far and may cost in the end, without holding it up.

The price list takes a tenth of a second to load, which would be felt by every request in flight:
a thread loads it, and until it is there nothing is known.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..model import Usage
from ..prices import price
from ..summary import Progress

EVERY = 2.0  #: seconds for which a cost is good enough
ENOUGH = 20  #: jobs, before which nothing can be said of the others


@dataclass(slots=True)
class Money:
    """The cost of a run, looked up now and then."""

    _loading: threading.Thread | None = field(init=False, default=None)
    _costs: Mapping[str, float | None] | None = field(init=False, default=None)
    _at: float = field(init=False, default=float("-inf"))

    def look(self, progress: Progress) -> Mapping[str, float | None] | None:
        """The cost by region, at most two seconds old; None while the prices are loaded."""
        if self._loading is None:
            self._loading = threading.Thread(target=_load, name="prices", daemon=True)
            self._loading.start()
        if not self._loading.is_alive() and progress.wall_s - self._at >= EVERY:
            self._costs, self._at = progress.cost_usd, progress.wall_s
        return self._costs


def _load() -> None:
    price("gpt-4o-mini", Usage("gpt-4o-mini", 1, 1, 0))


def at_the_end(so_far: float, progress: Progress) -> float | None:
    """What ``so_far`` grows to, if the other jobs are like those done; None before there are some.

    Jobs of which the answer is reused are among both.
    """
    if progress.done < min(ENOUGH, progress.total) or not progress.done:
        return None
    return so_far * progress.total / progress.done
