"""What a person may change while a run goes on.

Nothing here takes back what was sent: a bound that is lowered holds for what comes next, and what
counted before counts on.
"""

import math
from dataclasses import dataclass, field

from ..model import Job
from .lease import Lease
from .ratelimit import MINUTE, Limit, requests_per_minute
from .region import Region
from .router import Router


@dataclass(slots=True)
class Helm:
    """The run as a person wants it; at first as it was started."""

    concurrency: int  #: of the whole run
    is_paused: bool = field(init=False, default=False)
    is_stranded: bool = False  #: whether the last pick waits for a region that a person took out
    _since: float = field(init=False, default=0.0)  #: when the pause began
    _paused: float = field(init=False, default=0.0)  #: seconds of all pauses that are over
    _most: float = field(init=False, default=math.inf)  #: in flight; the workers alone are a bound

    def elapsed(self, now: float) -> float:
        """Seconds by a clock that stands while the run is paused."""
        return (self._since if self.is_paused else now) - self._paused

    def pick(
        self, router: Router, now: float, job: Job, avoid: frozenset[str], since: float
    ) -> Lease | float | None:
        """What ``router`` picks for a job that waits since ``since``, within what is wanted.

        A job that only regions could take which a person took out waits until one is let in.
        """
        self.is_stranded = False
        if self.is_paused or router.in_flight >= self._most:
            return math.inf
        picked = router.pick(now, job, avoid, self.elapsed(now) - since)
        if picked is None and not (avoid or router.refusal) and router.may_return(job):
            self.is_stranded = True
            return math.inf
        return picked

    def pause(self, now: float) -> bool:
        """Lease nothing more; False where nothing was leased anyway."""
        if self.is_paused:
            return False
        self.is_paused, self._since = True, now
        return True

    def resume(self, now: float) -> bool:
        """Go on; False where it was not paused."""
        if not self.is_paused:
            return False
        self.is_paused = False
        self._paused += now - self._since
        return True

    def limit(self, router: Router, concurrency: int) -> None:
        """At most so many requests in flight, in all regions together.

        A region without a bound of its own may use all of it.
        """
        self.concurrency = self._most = concurrency
        for region in router.regions:
            if not region.is_capped and region.adaptive.cap < concurrency:
                _bound(region, concurrency)
                router.wake(region)


def limit_region(  # noqa: PLR0913 - a limit each
    router: Router,
    now: float,
    region: Region,
    *,
    rpm: float | None = None,
    tpm: float | None = None,
    concurrency: int | None = None,
) -> None:
    """Replace the limits that ``region`` was configured with; those left out stay.

    Regions of one quota group share what is set for a minute.
    """
    requests = None if rpm is None else requests_per_minute(rpm)
    tokens = None if tpm is None else Limit(tpm, MINUTE)
    if requests is not None or tokens is not None:
        region.quota.configure(now, requests=requests, tokens=tokens)
    if concurrency is not None:
        region.is_capped = True
        _bound(region, concurrency)
    router.wake(region)


def take_out(region: Region) -> None:
    """Send nothing more to ``region``; what is in flight ends by itself."""
    region.by_hand = True


def let_in(router: Router, now: float, region: Region) -> bool:
    """Use ``region`` again; False where nothing kept it out.

    One that refused a key or a model gets one request first: it may refuse it again.
    """
    was_barred = bool(region.barred or region.missing)
    if not (region.by_hand or was_barred):
        return False
    region.by_hand = False
    if was_barred:
        region.barred = ""
        region.missing.clear()
        region.breaker.doubt(now)
    router.wake(region)
    return True


def _bound(region: Region, concurrency: int) -> None:
    region.adaptive.bound(concurrency)
    if region.quota.known:
        region.adaptive.trust()
