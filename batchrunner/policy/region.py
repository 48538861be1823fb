"""What is known of one region: what it may be sent, and how it is doing."""

import math
from dataclasses import dataclass, field

from ..model import Job
from .adaptive import Adaptive
from .breaker import Breaker, State
from .quota import Quota

BY_HAND = "taken out by hand"


@dataclass(frozen=True, slots=True)
class RegionStatus:
    """One region at one moment."""

    name: str
    state: str  #: ``open``, ``throttled``, ``resting`` or ``out``
    reason: str  #: why it is out; empty otherwise
    opens_in: float  #: seconds until a throttled or resting region opens; zero otherwise
    in_flight: int
    limit: int
    peak_in_flight: int
    throttled_s: float
    by_hand: bool = False  #: a person took it out, and may let it in again
    use: float = 0.0  #: share of its most used limit that is taken, from 0 to 1
    rpm: float | None = None  #: requests per minute that it is known to take
    tpm: float | None = None  #: tokens per minute

    @property
    def in_words(self) -> str:
        """The state, and why it is out."""
        return f"{self.state}: {self.reason}" if self.reason else self.state


@dataclass(slots=True, kw_only=True)
class Region:
    """One target, its quota (perhaps shared), its breaker and its concurrency."""

    name: str
    quota: Quota
    adaptive: Adaptive
    priority: int = 0
    is_fallback: bool = False
    breaker: Breaker = field(default_factory=Breaker)
    in_flight: int = 0
    peak: int = 0
    barred: str = ""  #: why it serves nothing for the rest of the run
    missing: dict[str, str] = field(default_factory=dict)  #: model -> why it is not served
    by_hand: bool = False  #: a person took it out
    is_capped: bool = False  #: its concurrency is its own, and does not follow that of the run

    def serves(self, model: str) -> bool:
        """Whether the region can answer jobs of ``model`` in this run."""
        return not self.barred and model not in self.missing

    def fits(self, job: Job) -> bool:
        """Whether the most that the answer may use, which counts in full, is within the limit."""
        return job.answer_tokens is None or job.answer_tokens <= self.quota.largest

    def takes(self, job: Job, avoid: frozenset[str]) -> bool:
        """Whether it can take ``job`` by itself at some time, and is not to be avoided."""
        return (
            not self.by_hand
            and self.serves(job.model)
            and self.fits(job)
            and (self.name not in avoid)
        )

    def may_return(self, job: Job) -> bool:
        """Whether it could take ``job`` if a person let it in again."""
        return self.by_hand and self.serves(job.model) and self.fits(job)

    def readmit(self, model: str) -> None:
        """The region answered a job of ``model`` after all."""
        self.barred = ""
        self.missing.pop(model, None)

    def is_resting(self, now: float) -> bool:
        """Whether too many faults closed it, or it is being tried again."""
        return self.breaker.state(now) is not State.CLOSED

    @property
    def is_busy(self) -> bool:
        """Whether as many requests are in flight as should be."""
        return self.in_flight >= self.adaptive.limit

    def wait_for_any(self, now: float) -> float:
        """Seconds until quota and health allow a request of no tokens; infinite: not by time."""
        wait = self.quota.wait_for_any(now)
        return wait if self.breaker.is_closed else max(self.breaker.wait(now), wait)

    def load(self, now: float) -> float:
        """How much of what it can take is taken, from 0 to 1: slots, requests or tokens."""
        slots = self.in_flight / self.adaptive.limit
        return slots if self.quota.is_free else max(slots, self.quota.use(now))

    def status(self, now: float) -> RegionStatus:
        """What can be said of the region at ``now``."""
        state, until = "open", now
        if self.barred or self.by_hand:
            state = "out"
        elif self.breaker.state(now) is not State.CLOSED:
            state, until = "resting", now + self.breaker.wait(now)
        elif (closed := self.quota.closed_until(now)) is not None:
            state, until = "throttled", closed
        opens_in = until - now if math.isfinite(until) else 0.0
        return RegionStatus(
            name=self.name,
            state=state,
            reason=self.barred or BY_HAND * self.by_hand or "; ".join(self.missing.values()),
            opens_in=opens_in,
            in_flight=self.in_flight,
            limit=self.adaptive.limit,
            peak_in_flight=self.peak,
            throttled_s=self.quota.throttled - (opens_in if state == "throttled" else 0.0),
            by_hand=self.by_hand,
            use=min(1.0, self.quota.use(now)),  # a limit that shrinks may be more than taken
            rpm=self.quota.requests_per_minute,
            tpm=self.quota.tokens_per_minute,
        )
