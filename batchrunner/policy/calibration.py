"""What the service charges for a token that we expect.

How a service estimates a prompt at admission is its secret; that it counts otherwise than we do
shows in ``x-ratelimit-remaining-tokens``. As long as nothing has stopped counting, which is the
first minute, its count and ours are of the same requests. If it counts by windows, its count is
``factor * ours``; if by a bucket, that less ``limit / span * age``, which has drained meanwhile.
The better of the two says what the factor is. Requests of one burst arrive in another order than
they left, so only the highest counts of each second are compared: they are of the same requests.

From then on refusals tell: who is refused ``c`` tokens with ``x`` in the window knows that
``factor * (x + c)`` is more than the limit. Each one adds at least a little, and each span that
was used up without one takes a part of that away again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..values import value
from .ratelimit import Limit

ENOUGH = 0.2  #: of the limit that must be used for a comparison to count
FALLEN = 0.7  #: of the highest count; below it a window has begun anew
COMPLETE = 0.9  #: of a second's requests that must be answered before it is compared
STEP, LARGEST_STEP = 1.005, 1.02  #: what a refusal adds at least and at most
EASE = 1.0005  #: what a span that was used up takes away
USED_UP = 0.97  #: the part of a limit that must be taken for its holding to mean anything
UNCLEAR = 0.05  #: how much the factors of one single second may differ, of which both are exact
LOWEST, HIGHEST = 0.5, 2.0  #: a ratio beyond is a misunderstanding


@dataclass(slots=True)
class _Second:
    """The highest counts of the requests that were sent within one second."""

    sent: int = 0
    replies: int = 0
    expected: float = 0.0
    used: float = 0.0
    drained: float = 0.0  #: what a bucket may have lost until then


@value
class Mark:
    """Where our count stood when a request was sent."""

    expected: float  #: tokens expected of all requests so far
    age: float  #: seconds since the first request
    second: _Second  #: in which it was sent
    returned: int  #: how often something had turned out not to count


@dataclass(slots=True)
class Calibration:
    """The ratio of what is charged to what is expected."""

    factor: float = 1.0
    _seconds: dict[int, _Second] = field(init=False, default_factory=dict)
    _returned: int = field(init=False, default=0)
    _most: float = field(init=False, default=0.0)  #: the highest count of all
    _then: float = field(init=False, default=0.0)  #: expected of the requests that were compared
    _now: float = field(init=False, default=0.0)  #: what would be expected of them by now
    _began: float | None = field(init=False, default=None)
    _changed: float = field(init=False, default=0.0)
    _is_used_up: bool = field(init=False, default=False)

    def mark(self, now: float, expected: float, expired: int) -> Mark | None:
        """Where our count stands when a request is sent at ``now``.

        None where something has stopped counting.
        """
        if self._began is None:
            self._began = now
        if expired:
            return None
        age = now - self._began
        if (second := self._seconds.get(whole := int(age))) is None:
            second = self._seconds[whole] = _Second()
        second.sent += 1
        return Mark(expected, age, second, self._returned)

    def compare(
        self, mark: Mark | None, limit: Limit, used: float, *, then: float, expected: float
    ) -> None:
        """The service counts ``used`` of ``limit`` after the request that was sent at ``mark``.

        Of that request alone we expected ``then``, and would expect ``expected`` now: what was
        learned since is no difference between the service and us.
        """
        if mark is None or mark.returned != self._returned:
            return
        self._then += then
        self._now += expected
        second = mark.second
        second.replies += 1
        second.expected = max(second.expected, mark.expected)
        second.used = max(second.used, used)
        second.drained = max(second.drained, mark.age * limit.amount / limit.span)
        self._most = max(self._most, used)
        if self._most < (enough := ENOUGH * limit.amount) or not self._now:
            return
        if (factor := _fit(self._seconds, enough)) is not None:
            self.factor = _within(factor * self._then / self._now)

    def return_(self) -> None:
        """Something that was expected does not count: marks that were made with it are wrong."""
        self._returned += 1
        self._most = 0.0
        self._seconds.clear()

    def correct(self, now: float, limit: Limit, used: float, refused: float) -> None:
        """The service refused ``refused`` more than ``used``, which by our count was within."""
        told = limit.amount / (used + refused)
        self._set(now, self.factor * min(LARGEST_STEP, max(STEP, told / self.factor)))

    def ease(self, now: float, share: float, limit: Limit) -> bool:
        """A request passed while ``share`` of the limit was taken; True where that eases it."""
        self._is_used_up = self._is_used_up or share >= USED_UP
        if not self._is_used_up or now < self._changed + limit.span:
            return False
        self._set(now, self.factor / EASE)
        return True

    def _set(self, now: float, factor: float) -> None:
        self.factor, self._changed, self._is_used_up = _within(factor), now, False


def _fit(seconds: Mapping[int, _Second], enough: float) -> float | None:
    """The factor that fits best; None where too little was used to tell."""
    same: list[_Second] = []
    highest = 0.0
    for _, second in sorted(seconds.items()):
        if second.replies < COMPLETE * second.sent or second.expected < 1:
            continue
        if second.used < FALLEN * highest:
            break
        highest = max(highest, second.used)
        same.append(second)
    if highest < enough:
        return None

    def fit(drains: float) -> tuple[float, float]:
        points = [(s.expected, s.used + drains * s.drained) for s in same]
        factor = sum(e * u for e, u in points) / sum(e * e for e, _ in points)
        return sum((u - factor * e) ** 2 for e, u in points), factor

    window, bucket = fit(0.0), fit(1.0)
    if len(same) == 1 and abs(window[1] - bucket[1]) > UNCLEAR:
        return None
    return min(window, bucket)[1]


def _within(factor: float) -> float:
    return min(HIGHEST, max(LOWEST, factor))
