"""How many requests a region should have in flight.

The number starts small and grows by one for each answer, which doubles it every round trip, for
as long as it is really used; the first throttling ends that. From then on it is cut once for each
burst and grows by about one a round trip. A region whose limits are known needs no such caution:
its windows pace it, and the number is only a cap.

A region whose answers take several times as long as they usually do is overloaded, by us or by
others: then the number is cut too, once a round trip. What is compared is the time for each token
of an answer, so that a stretch of long answers is not taken for a collapse. Slow answers alone are
none either: where a region, or this machine, is at its limit, each answer takes longer the more
are in flight, and as many come as before. So the time from one answer to the next, which is the
time of one divided by the number in flight (Little's law), must be several times its best as well.
"""

import math
from dataclasses import dataclass, field

START = 3  #: also what a wrong key may cost before it is known
CONFIGURED = 48  #: the same, where the settings say how much may be sent
CUT = 0.7
USED = 0.8  #: of the limit that must be in flight for growth to mean anything
COLLAPSE = math.log(3.0)  #: times as long as usual, as a logarithm
SHORTEST = 1e-9  #: seconds for a token; on a coarse clock an answer may take none at all
BLINK = math.log(SHORTEST)
ENOUGH = 20  #: answers before one can say what is usual
RECENT, USUAL = 0.1, 0.002  #: weight of an answer in the two averages
BEGINNING = 36  #: tokens that take as long as the first one, on the public models


@dataclass(slots=True)
class Adaptive:
    """A limit between one and ``cap`` requests, which is ``start`` to begin with."""

    cap: int
    start: int = START
    limit: int = field(init=False)  #: how many requests may be in flight
    _limit: float = field(init=False)
    _cautious: bool = field(init=False, default=False)
    _answers: int = field(init=False, default=0)
    _since_cut: int = field(init=False, default=0)
    #: mean logarithms of the seconds for a token, and of those from one token to the next
    _recent: float = field(init=False, default=0.0)
    _usual: float = field(init=False, default=0.0)
    _interval: float = field(init=False, default=0.0)
    _best: float = field(init=False, default=0.0)  #: interval, forgotten slowly

    def __post_init__(self) -> None:
        self._set(min(self.start, self.cap))

    def trust(self) -> None:
        """The region's limits are known and will pace it: use the whole cap."""
        if not self._cautious and self.limit < self.cap:
            self._set(self.cap)

    def bound(self, cap: int) -> None:
        """Another cap; what is in flight above it stays there."""
        self.cap = cap
        if self.limit > cap:
            self._set(cap)

    def answered(self, in_flight: int, seconds: float, tokens: int) -> None:
        """An answer of ``tokens`` took ``seconds``.

        While it was on its way there were ``in_flight`` requests, itself included.
        """
        self._since_cut += 1
        if self._has_collapsed(seconds / (BEGINNING + tokens), in_flight):
            self._recent = self._usual
            self.cut()
        elif self._limit != self.cap and in_flight >= USED * self.limit:
            step = 1.0 / self._limit if self._cautious else 1.0
            self._set(min(self._limit + step, self.cap))

    def cut(self) -> None:
        """A burst of throttling began."""
        self._cautious = True
        self._since_cut = 0
        self._set(max(1.0, self._limit * CUT))

    def _set(self, limit: float) -> None:
        self._limit, self.limit = float(limit), int(limit)

    def _has_collapsed(self, seconds: float, in_flight: int) -> bool:
        took = math.log(seconds) if seconds > SHORTEST else BLINK
        self._answers += 1
        recent, usual = RECENT, USUAL
        if (share := 1 / self._answers) > USUAL:
            recent, usual = max(RECENT, share), share
        self._usual += usual * (took - self._usual)
        self._recent += recent * (took - self._recent)
        self._interval += recent * (took - math.log(in_flight) - self._interval)
        if self._interval < self._best:
            self._best = self._interval
        else:
            self._best += usual * (self._interval - self._best)
        if self._recent - self._usual <= COLLAPSE or self._interval - self._best <= COLLAPSE:
            return False
        return self._answers >= ENOUGH and self._since_cut >= self._limit
