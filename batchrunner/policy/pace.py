"""How fast a quota's room is used: first in parts, then evenly.

A first burst goes out in parts, each when no refusal of the last one has come, so that a surprise
costs only one part. Once the limit was reached, bursts gain nothing: a brisk, even pace reaches
it as well, wastes less when something goes wrong, and what was missed while a region was closed
can be caught up with. The last jobs of a run leave room for nobody, and go in parts again.
"""

import math
from dataclasses import dataclass, field

from .discovery import USED
from .ratelimit import Limit
from .window import UNLIMITED, Window

PARTS, SMALLEST_PART = 4, 4.0  #: of a first burst
BRISK = 10.0  #: times the pace of the limit that is kept to once the limit was reached
CAREFUL = 3.0  #: the same, where the limit was only found
REFUSAL = 0.2  #: seconds that a refusal takes, to begin with
SHORTEST_REFUSAL, LONGEST_REFUSAL = 0.05, 5.0


@dataclass(slots=True)
class Pace:
    """A second, shorter limit below that of a quota."""

    refusal: float = REFUSAL  #: seconds after which a request was probably not refused
    is_even: bool = field(init=False, default=False)  #: whether the limit was reached
    _is_hurried: bool = field(init=False, default=False)
    _window: Window = field(init=False, default_factory=lambda: Window(UNLIMITED))
    #: what the window was last set by
    _followed: tuple[Limit, float, bool, bool, float] | None = field(init=False, default=None)

    @property
    def limit(self) -> Limit:
        """How many requests in how many seconds."""
        return self._window.limit

    def wait(self, now: float) -> float:
        """Seconds from ``now`` until another request may be sent."""
        return self._window.wait(now, 1.0)

    def take(self, now: float) -> None:
        """Send a request at ``now``."""
        self._window.take(now, 1.0)

    def refused(self, seconds: float) -> None:
        """A refusal took so long."""
        recent = max(SHORTEST_REFUSAL, self.refusal * 0.9, 1.5 * seconds)
        self.refusal = min(LONGEST_REFUSAL, recent)

    def hurry(self) -> None:
        """No later jobs need room: send bursts in parts again, at once."""
        self._is_hurried, self._followed = True, None
        self._window.resize(0.0, UNLIMITED)

    def adapt(
        self, now: float, limit: Limit, use: float, size: float = 1.0, *, is_named: bool
    ) -> None:
        """Follow the limit of the quota, of which a share of ``use`` is taken.

        A request takes ``size`` units of it.
        """
        if limit.amount < math.inf:
            self.is_even = use >= USED or (self.is_even and use > 0)
        follow = (limit, size, is_named, self.is_even, self.refusal)
        if follow != self._followed:
            self._followed = follow
            self._window.resize(now, self._shorter(limit, size, is_named=is_named))

    def _shorter(self, limit: Limit, size: float, *, is_named: bool) -> Limit:
        amount = limit.amount / size
        if math.isinf(amount):
            return UNLIMITED
        brisk = Limit(1.0, limit.span / amount / (BRISK if is_named else CAREFUL))
        if self.is_even and not self._is_hurried:
            return brisk
        part = Limit(max(SMALLEST_PART, amount / PARTS), self.refusal)
        return max(part, brisk, key=lambda limit: limit.pace)
