"""How many requests a region should have in flight.

The number starts small and grows by one for each answer, which doubles it every round trip, for
as long as it is really used; the first throttling ends that. From then on it is cut once for each
burst and grows by about one a round trip. A region whose limits are known needs no such caution:
its windows pace it, and the number is only a cap.
"""

from dataclasses import dataclass, field

START = 3  #: also what a wrong key may cost before it is known
CONFIGURED = 32  #: the same, where the settings say how much may be sent
CUT = 0.7
USED = 0.8  #: of the limit that must be in flight for growth to mean anything


@dataclass(slots=True)
class Adaptive:
    """A limit between one and ``cap`` requests, which is ``start`` to begin with."""

    cap: int
    start: int = START
    _limit: float = field(init=False)
    _cautious: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._limit = float(min(self.start, self.cap))

    @property
    def limit(self) -> int:
        """How many requests may be in flight."""
        return int(self._limit)

    def trust(self) -> None:
        """The region's limits are known and will pace it: use the whole cap."""
        if not self._cautious:
            self._limit = float(self.cap)

    def grow(self, in_flight: int) -> None:
        """A request was answered while ``in_flight`` were on their way, itself included."""
        if in_flight >= USED * self.limit:
            step = 1.0 / self._limit if self._cautious else 1.0
            self._limit = min(self._limit + step, self.cap)

    def cut(self) -> None:
        """A burst of throttling began."""
        self._cautious = True
        self._limit = max(1.0, self._limit * CUT)
