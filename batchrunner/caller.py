"""Get one job answered, whatever the regions do."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import anyio

from .answers import Answers, Complaint
from .hedge import Hedge
from .model import CANCELLED, INVALID, Attempt, Failure, Fault, Job, Reply, Result, Usage
from .policy.lease import Lease
from .policy.ratelimit import NOTHING, advertised
from .policy.retry import Retry
from .policy.router import NO_REGIONS
from .policy.verdict import (
    Answered,
    Barred,
    Faulty,
    Hindered,
    Oversized,
    Refused,
    Throttled,
    Verdict,
    judge,
)
from .pool import RegionPool
from .values import value

Send = Callable[[str, Job], Awaitable[Reply | Fault]]

HINDRANCE_PAUSE = 1.0  #: seconds until our own machine may have room again


@value
class _Ended:
    """One attempt that has ended."""

    attempt: Attempt
    verdict: Verdict
    reply: Reply | None
    complaint: Complaint | None = None  #: what is wrong with an answer

    @property
    def is_last_word(self) -> bool:
        return isinstance(self.verdict, Answered | Refused)


@dataclass(slots=True)
class _Journey:
    """What one job has been through."""

    job: Job
    since: float  #: by the clock that stands while the run is paused
    asks: Job  #: the job, and behind it what was wrong with the last answer
    idle: float  #: since when nothing new was sent for it, by the clock of the loop
    attempts: list[Attempt] = field(default_factory=list)
    reply: Reply | None = None
    failed: frozenset[str] = NO_REGIONS  #: that met a fault in this round
    too_small: frozenset[str] = NO_REGIONS  #: whose limit the job exceeds
    faults: int = 0
    rounds: int = 0
    reasks: int = 0  #: times that an answer was asked for again

    @property
    def avoid(self) -> frozenset[str]:
        return self.failed | self.too_small

    def end(self, failure: Failure | None = None, usage: Usage | None = None) -> Result:
        return Result(self.job, self.reply, tuple(self.attempts), failure, usage)


@dataclass(slots=True)
class Caller:
    """Sends a job to one region after another until one answers.

    Being throttled costs a job neither an attempt nor a place: it goes back to the pool, which
    knows where it may go next and when. A fault costs an attempt, and the job goes elsewhere;
    when every region has failed it, it rests before the next round. While all regions are down
    at once, that is an outage and not the job's affair: then a fault costs it nothing. An answer
    that breaks the schema is told so and asked for again, which is a request like any other.
    """

    pool: RegionPool
    send: Send
    retry: Retry
    rng: Random
    closed: anyio.Event = field(default_factory=anyio.Event)  #: set when the pool closes
    hedge: Hedge | None = None  #: None sends nothing twice
    answers: Answers | None = None  #: None takes every answer
    max_reasks: int = 0  #: times that an answer which breaks the schema is asked for again
    left: Callable[[Sequence[Attempt]], None] = lambda _: None  #: told the attempts of such jobs

    async def call(self, job: Job) -> Result | None:
        """The last word on ``job``; None where it is left for a later run."""
        journey = _Journey(job, since=self.pool.elapsed, asks=job, idle=self.pool.now)
        result = None
        try:
            result = await self._travel(journey)
        finally:
            if result is None:  # also where it is cancelled: what was sent counts
                self.left(journey.attempts)
        return result

    async def _travel(self, journey: _Journey) -> Result | None:
        while True:
            lease = await self.pool.lease(journey.asks, journey.avoid, journey.since)
            if lease is None:
                result = self._no_region(journey)
                if result is not None or self._is_left(journey):
                    return result
                await self._next_round(journey)
                continue
            patience = None if self.hedge is None else self.hedge.patience
            if patience is None:
                ended = [await self._attempt(journey, lease)]
            else:
                ended = await self._attempts(journey, lease, patience)
            for one in ended:
                if (result := self._decide(journey, one)) is not None:
                    return result
            if any(isinstance(one.verdict, Hindered) for one in ended):
                await self._rest(HINDRANCE_PAUSE)

    def close(self) -> None:
        """Start nothing more; requests in flight are still waited for."""
        self.pool.close()
        self.closed.set()

    def _no_region(self, journey: _Journey) -> Result | None:
        """The end of a job that no region takes because it is larger than every limit."""
        if self.pool.is_closed:
            journey.failed = NO_REGIONS
            return None
        targets = self.pool.targets(journey.job.model)
        fitting = {region.name for region in targets if region.fits(journey.asks)}
        if not targets or not fitting <= journey.too_small:
            return None
        message = "the job is larger than the limit of every region: shorten it or its max_tokens"
        return journey.end(Failure("too_large", message, retryable=False))

    def _is_left(self, journey: _Journey) -> bool:
        """Whether a job without a region is left for a later run.

        It is not, where a region that failed may be asked once more, or all that is missing is
        one that a person may let in again.
        """
        if self.pool.refusal:
            return True
        if journey.failed:
            return False
        return self.pool.is_closed or not self.pool.may_return(journey.asks, journey.avoid)

    async def _next_round(self, journey: _Journey) -> None:
        """Rest, and begin again with all regions."""
        await self._rest(self.retry.pause(journey.rounds, self.rng.random()))
        journey.failed = NO_REGIONS
        journey.rounds += 1

    async def _attempts(self, journey: _Journey, lease: Lease, patience: float) -> list[_Ended]:
        """Send once; and once more elsewhere, where the answer is later than nearly all others.

        The first last word ends both: it comes first here, and stands last among the attempts.
        """
        ended: list[_Ended] = []
        sent, before = {lease.region.name}, len(journey.attempts)
        async with anyio.create_task_group() as group:

            async def attempt(lease: Lease) -> None:
                ended.append(await self._attempt(journey, lease))
                if ended[-1].is_last_word or len(ended) == len(sent):
                    group.cancel_scope.cancel()

            async def again() -> None:
                await anyio.sleep(patience)
                other = self.pool.lease_nowait(journey.asks, journey.avoid | sent)
                if other is not None:
                    sent.add(other.region.name)
                    await attempt(other)

            group.start_soon(attempt, lease)
            group.start_soon(again)
        ended.sort(key=lambda one: (not one.is_last_word, one.complaint is not None))
        if not ended[0].is_last_word:
            return ended
        late = [one.attempt for one in ended[1:] if one.is_last_word]  # by less than a moment
        journey.attempts[before:] = [
            attempt.overtaken() if attempt.outcome == CANCELLED or attempt in late else attempt
            for attempt in journey.attempts[before:]
            if attempt is not ended[0].attempt
        ] + [ended[0].attempt]
        return ended[:1]

    async def _attempt(self, journey: _Journey, lease: Lease) -> _Ended:
        """Send once, note how it ended, and give the lease back whatever happens."""
        region = lease.region.name
        wait, journey.idle = lease.sent - journey.idle, lease.sent
        verdict: Verdict | None = None
        limits = NOTHING
        reply: Reply | None = None
        try:
            answer = await self.send(region, journey.asks)
            verdict = judge(answer, journey.job.path)
            if isinstance(answer, Reply):
                reply, limits = answer, advertised(answer.headers)
        finally:
            self.pool.settle(lease, verdict, limits)
            if verdict is None:
                seconds = self.pool.now - lease.sent
                journey.attempts.append(Attempt(region, CANCELLED, None, seconds, wait=wait))
        journey.idle = self.pool.now
        seconds = journey.idle - lease.sent
        status = None if reply is None else reply.status
        outcome, usage, complaint = verdict.outcome, None, None
        if self.answers is not None and reply is not None and isinstance(verdict, Answered):
            complaint = self.answers.complaint(reply.body)
            if complaint is not None:
                outcome, usage = INVALID, verdict.usage
        cause = str(verdict.cause) if isinstance(verdict, Throttled) else None
        attempt = Attempt(region, outcome, status, seconds, cause, usage, wait)
        journey.attempts.append(attempt)
        if self.hedge is not None and isinstance(verdict, Answered):
            self.hedge.learn(attempt.seconds)
        return _Ended(attempt, verdict, reply, complaint)

    def _decide(self, journey: _Journey, ended: _Ended) -> Result | None:
        """What a verdict means for the job; None sends it to the next region."""
        journey.reply = ended.reply
        match ended.verdict:
            case Answered(usage):
                return self._answered(journey, usage, ended.complaint)
            case Refused(code, message):
                return journey.end(Failure(code, message, retryable=False))
            case Oversized():
                journey.too_small |= {ended.attempt.region}
            case Faulty(outcome, message):
                journey.failed |= {ended.attempt.region}
                journey.faults += not self.pool.is_down(journey.job.model)
                if self.retry.gives_up(journey.faults):
                    return journey.end(Failure(outcome, message, retryable=True))
            case Throttled() | Barred() | Hindered():
                pass
        return None

    def _answered(
        self, journey: _Journey, usage: Usage, complaint: Complaint | None
    ) -> Result | None:
        """The end; or None, to say what is wrong with the answer where that may help."""
        if complaint is None:
            return journey.end(usage=usage)
        if complaint.is_final or journey.reasks >= self.max_reasks:
            return journey.end(complaint.failure)
        journey.reasks += 1
        journey.asks = complaint.again(journey.job)
        return None

    async def _rest(self, seconds: float) -> None:
        """Wait, but not beyond the closing of the pool."""
        with anyio.move_on_after(seconds):
            await self.closed.wait()
