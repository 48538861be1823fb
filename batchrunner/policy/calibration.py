"""What the service charges for a token that we expect.

How a service estimates a prompt at admission is its secret; that it counts otherwise than we do
shows in ``x-ratelimit-remaining-tokens``. As long as nothing has stopped counting, which is the
first minute, its count and ours are of the same requests, and their ratio, where the count is
highest, is what our expectation is multiplied with from then on.
"""

from dataclasses import dataclass, field

ENOUGH = 0.2  #: of the limit that must be used for the ratio to count
MARGIN = 1.01  #: of safety, since a comparison is never exact; also the step after a refusal
LOWEST, HIGHEST = 0.5, 2.0  #: a ratio beyond is a misunderstanding


@dataclass(frozen=True, slots=True)
class Mark:
    """Where our count stood when a request was sent."""

    expected: float = 0.0  #: tokens expected of all requests so far
    expired: int = 0  #: how often something had stopped counting
    returned: int = 0  #: how often something had turned out not to count


@dataclass(slots=True)
class Calibration:
    """The ratio of what is charged to what was expected."""

    factor: float = 1.0
    _used: float = field(init=False, default=0.0)
    _expected: float = field(init=False, default=0.0)
    _returned: int = field(init=False, default=0)

    def compare(self, mark: Mark, used: float, limit: float) -> None:
        """The service counts ``used`` of ``limit`` after the request that was sent at ``mark``."""
        if mark.expired or mark.returned != self._returned:
            return
        # Requests of one burst arrive in another order than they left: only the highest of both
        # counts are of the same requests.
        self._used = max(self._used, used)
        self._expected = max(self._expected, mark.expected)
        if self._used >= ENOUGH * limit and self._expected:
            self.factor = min(HIGHEST, max(LOWEST, MARGIN * self._used / self._expected))

    def return_(self) -> None:
        """Something that was expected does not count: marks that were made with it are wrong."""
        self._returned += 1
        self._expected = 0.0

    @property
    def returned(self) -> int:
        """How often that happened."""
        return self._returned

    def correct(self) -> None:
        """The service refused what by our count was within the limit."""
        self.factor = min(HIGHEST, self.factor * MARGIN)
