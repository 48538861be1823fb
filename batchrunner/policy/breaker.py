"""A circuit breaker: stop sending to a region that keeps failing, then try it gently again.

             faults in a row, or half of the last ones
    CLOSED ───────────────────────────────────────────► OPEN
       ▲                                                 │ the rest is over
       │ the canary is answered                          ▼
       └────────────────────────────────────────────── TRIAL ──► OPEN, with a longer rest
                                                          the canary fails

Every change of state begins a generation. News of a request that was sent in an earlier one is
late and changes nothing.
"""

import math
from dataclasses import dataclass, field
from enum import Enum

from .window import EPSILON

IN_A_ROW = 5
LAST = 20  #: how many outcomes are remembered, a bit each
HALF = LAST // 2
REMEMBERED = (1 << LAST) - 1
FIRST_REST = 5.0
LONGEST_REST = 60.0


class State(Enum):
    """Whether requests pass."""

    CLOSED = "closed"  #: all is well; requests pass
    OPEN = "open"  #: too many faults; nothing passes until the rest is over
    TRIAL = "trial"  #: the rest is over; one request passes, and its outcome decides


@dataclass(slots=True)
class Breaker:
    """Opens on frequent faults, rests for a while that doubles, and comes back by one canary."""

    generation: int = 0
    _in_a_row: int = 0
    _outcomes: int = 0  #: a bit for each of the last outcomes, 1 for a fault
    _rest: float = field(default=FIRST_REST)
    _until: float = -math.inf
    is_closed: bool = True  #: whether all is well, at any time until a request fails
    _canary: bool = False

    def state(self, now: float) -> State:
        """The state at ``now``."""
        if self.is_closed:
            return State.CLOSED
        return State.OPEN if self._until - now > EPSILON else State.TRIAL

    def wait(self, now: float) -> float:
        """Seconds until a request may pass; infinite while the canary is on its way."""
        if self.is_closed:
            return 0.0
        if self.state(now) is State.OPEN:
            return self._until - now
        return math.inf if self._canary else 0.0

    def begin(self, now: float) -> None:
        """A request is on its way; in a trial it is the canary."""
        if self.state(now) is State.TRIAL:
            self._canary = True

    def succeed(self, generation: int) -> None:
        """A request of ``generation`` was answered, whatever the answer."""
        if generation != self.generation:
            return
        if not self.is_closed:
            self._begin_generation(is_closed=True)
            self._rest, self._outcomes = FIRST_REST, 0
        self._in_a_row = 0
        self._outcomes = self._outcomes << 1 & REMEMBERED

    def fail(self, now: float, generation: int) -> None:
        """A request of ``generation`` met a fault of the region."""
        if generation != self.generation:
            return
        self._in_a_row += 1
        self._outcomes = (self._outcomes << 1 | 1) & REMEMBERED
        if not self.is_closed:
            self._rest = min(LONGEST_REST, self._rest * 2)
        if not self.is_closed or self._in_a_row >= IN_A_ROW or self._outcomes.bit_count() >= HALF:
            self._until = now + self._rest
            self._begin_generation(is_closed=False)

    def forget(self, generation: int) -> None:
        """A request ended without telling anything of the region."""
        if generation == self.generation:
            self._canary = False

    def doubt(self, now: float) -> None:
        """A region that was out comes back: one request first, as after a rest."""
        self._until = now
        self._begin_generation(is_closed=False)

    def _begin_generation(self, *, is_closed: bool) -> None:
        self.generation += 1
        self.is_closed, self._canary, self._in_a_row = is_closed, False, 0
