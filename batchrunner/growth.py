"""How fast a run goes, told from looks at it from outside. Pure."""

from collections import deque
from dataclasses import dataclass, field

SPAN = 30.0  #: seconds that the rate is taken over


@dataclass(slots=True)
class Growth:
    """Jobs a second over the last looks; before there are two, what is ``known`` from before."""

    known: float = 0.0
    _looks: deque[tuple[float, int]] = field(init=False, default_factory=deque)

    def look(self, now: float, done: int) -> float:
        """The rate at ``now``, with so many jobs done; fewer than before begin anew."""
        if self._looks and done < self._looks[-1][1]:
            self._looks.clear()
        self._looks.append((now, done))
        while len(self._looks) > 2 and self._looks[1][0] <= now - SPAN:
            self._looks.popleft()
        at, before = self._looks[0]
        return (done - before) / (now - at) if now > at else self.known


def remaining(left: int, rate: float) -> float | None:
    """Seconds to go; None while there is no rate."""
    if left <= 0:
        return 0.0
    return left / rate if rate > 0 else None
