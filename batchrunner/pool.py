"""Where callers wait for a region: the asynchronous face of the router.

Theory of operation. Those who wait stand in lanes: one for each model and set of avoided regions,
so that a job that only one region may take holds up nobody else; who can only be served when a
person lets a region in again steps aside, into a lane for such. In a lane the lowest ordinal is
first, so a job that was throttled comes before new ones. ``_assign`` is the one place that hands
out leases: it runs whenever something changes (a caller joins, a request ends, the alarm rings)
and sets one alarm for the soonest opening. Where the first of a lane does not fit, the smallest
of those close behind may go ahead, so that no allowance is stranded; but only so often, so that
nobody starves.
"""

import asyncio
import math
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from .lanes import Lane, Waiter, first_ordinal, grant, ordinal
from .model import Job
from .policy.budget import Budget
from .policy.helm import Helm
from .policy.lease import Lease
from .policy.ratelimit import NOTHING, Advertised
from .policy.region import Region, RegionStatus
from .policy.router import Router
from .policy.verdict import Verdict
from .policy.window import EPSILON

LOOKAHEAD = 16  #: how far behind the first a smaller job is looked for
PATIENCE = 64  #: how often the first of a lane lets another go ahead

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class RegionPool:
    """First come, first served, at the pace of the regions' quotas."""

    _router: Router
    helm: Helm = field(default_factory=lambda: Helm(1))  #: what a person made of the run
    _lanes: dict[Lane, list[Waiter]] = field(init=False, default_factory=dict)
    _loop: asyncio.AbstractEventLoop | None = field(init=False, default=None)
    _alarm: asyncio.TimerHandle | None = field(init=False, default=None)
    _closed: bool = field(init=False, default=False)
    refusal: str = field(init=False, default="")  #: why the budget will not allow a job, if so

    def __repr__(self) -> str:
        in_flight = ", ".join(f"{r.name} {r.in_flight}" for r in self._router.regions)
        return f"<RegionPool {self.waiting} waiting | {in_flight}>"

    @property
    def waiting(self) -> int:
        """How many callers wait for a region."""
        return sum(map(len, self._lanes.values()))

    @property
    def in_flight(self) -> int:
        """How many leases are out."""
        return self._router.in_flight

    @property
    def regions(self) -> Sequence[Region]:
        """Every region, in the order of the settings."""
        return self._router.regions

    @property
    def is_unmanned(self) -> bool:
        """Whether no region is left, but that a person may let one in again."""
        rest = [region for region in self._router.regions if not region.barred]
        return bool(rest) and all(region.by_hand for region in rest)

    @property
    def now(self) -> float:
        """The time of the loop that the pool belongs to, which is the first one that asks.

        On Python 3.11 it takes a system call to find out which loop runs.
        """
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop.time()

    @property
    def elapsed(self) -> float:
        """Seconds by a clock that stands while the run is paused."""
        return self.helm.elapsed(self.now)

    @property
    def is_closed(self) -> bool:
        """Whether no more leases are given."""
        return self._closed

    @property
    def is_alive(self) -> bool:
        """Whether there is a region that serves anything at all."""
        return any(not region.barred for region in self._router.regions)

    @property
    def fallback_usd(self) -> float:
        """What the fallback may have cost so far; zero where no bound is set."""
        return self._router.governor.committed

    @property
    def budget(self) -> Budget | None:
        """What all regions together have spent; None where nothing bounds it."""
        return self._router.budget

    @property
    def held_back(self) -> str:
        """Which bound keeps the fallback from taking more; empty while none does."""
        return self._router.governor.held_back

    def is_down(self, model: str) -> bool:
        """Whether every region that serves ``model`` is resting after faults."""
        now = self.now
        targets = self._router.targets(model)
        return all(region.is_resting(now) for region in targets if not region.by_hand)

    def may_return(self, job: Job, avoid: frozenset[str]) -> bool:
        """Whether a region that a person took out could take ``job``, and the budget allows it."""
        return not self.refusal and self._router.may_return(job, avoid)

    async def lease(
        self, job: Job, avoid: frozenset[str], since: float | None = None
    ) -> Lease | None:
        """Wait for a region that takes ``job``; None where none will, or the pool is closed.

        ``since`` is when the job began to wait, by the clock of ``elapsed``, where that was
        before now.
        """
        if self._closed:
            return None
        now = self.now
        since = self.helm.elapsed(now) if since is None else since
        lane = (job.model, avoid, False)
        if lane not in self._lanes:
            picked = self.helm.pick(self._router, now, job, avoid, since)
            if isinstance(picked, Lease):
                return picked
            if picked is None:
                self._note_refusal()
                return None
        waiter = Waiter(job, lane, since, asyncio.get_running_loop().create_future())
        self._join(waiter)
        self._assign()
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            self._withdraw(waiter)
            raise

    def lease_nowait(self, job: Job, avoid: frozenset[str]) -> Lease | None:
        """A region that takes ``job`` now and that nobody waits for; None where there is none.

        The fallback is not such a region: who can wait does not need it.
        """
        if self._closed or self._lanes:
            return None
        avoid |= {region.name for region in self._router.regions if region.is_fallback}
        now = self.now
        picked = self.helm.pick(self._router, now, job, avoid, self.helm.elapsed(now))
        return picked if isinstance(picked, Lease) else None

    def settle(self, lease: Lease, verdict: Verdict | None, limits: Advertised = NOTHING) -> None:
        """Report how a leased request ended, which may let others go ahead."""
        self._router.settle(self.now, lease, verdict, limits)
        self._assign()

    def targets(self, model: str) -> list[Region]:
        """The regions that can answer jobs of ``model``, now or later."""
        return self._router.targets(model)

    def sharing(self, region: Region) -> list[str]:
        """The names of the regions that share the quota of ``region``, its own among them."""
        return self._router.sharing(region)

    def pause(self) -> bool:
        """Give no leases until ``resume``; False where that is so already."""
        return self.steer(lambda _, now: self.helm.pause(now))

    def resume(self) -> bool:
        """Go on; False where it was not paused."""
        return self.steer(lambda _, now: self.helm.resume(now))

    def steer(self, change: Callable[[Router, float], T]) -> T:
        """Let ``change`` do to the router what a person wants, and those who wait feel it."""
        changed = change(self._router, self.now)
        self._assign()
        return changed

    def hurry(self) -> None:
        """No more jobs will come: those that wait need not leave room for later ones."""
        self._router.hurry()
        self._assign()

    def close(self) -> None:
        """Give no more leases: those who wait are sent away, those in flight go on."""
        self._closed = True
        for lane in self._lanes.values():
            for waiter in lane:
                grant(waiter, None)
        self._lanes.clear()
        self._assign()

    def statistics(self) -> tuple[RegionStatus, ...]:
        """Every region at this moment."""
        return self._router.statistics(self.now)

    def _assign(self) -> None:
        """Hand regions to those who wait, and set an alarm for the rest."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if not self._lanes:
            return
        now, soonest = self.now, math.inf
        for lane, waiters in sorted(self._lanes.items(), key=first_ordinal):
            soonest = min(soonest, self._assign_lane(now, lane, waiters))
            if not waiters:
                del self._lanes[lane]
        if soonest < math.inf:
            at = now + max(soonest, EPSILON)
            self._alarm = asyncio.get_running_loop().call_at(at, self._ring)

    def _ring(self) -> None:
        """The alarm. Nobody awaits it, so what goes wrong is raised to those who wait."""
        try:
            self._assign()
        except Exception as error:  # noqa: BLE001 - it is raised where it is awaited
            for waiter in [waiter for lane in self._lanes.values() for waiter in lane]:
                if not waiter.granted.done():
                    waiter.granted.set_exception(error)
            self._lanes.clear()

    def _join(self, waiter: Waiter) -> None:
        insort(self._lanes.setdefault(waiter.lane, []), waiter, key=ordinal)

    def _assign_lane(self, now: float, lane: Lane, waiters: list[Waiter]) -> float:
        """Grant what can be granted in one lane; returns when to look again."""
        _, avoid, is_aside = lane
        while waiters:
            first = waiters[0]
            if first.granted.done():
                waiters.pop(0)
                continue
            picked = self.helm.pick(self._router, now, first.job, avoid, first.since)
            if picked is None:
                self._note_refusal()
            if picked is None or isinstance(picked, Lease):
                grant(waiters.pop(0), picked)
            elif self.helm.is_stranded and not is_aside:
                first.lane = (first.job.model, avoid, True)
                self._join(waiters.pop(0))
            elif not self._overtake(now, avoid, waiters):
                return picked
        return math.inf

    def _overtake(self, now: float, avoid: frozenset[str], waiters: list[Waiter]) -> bool:
        """Let the smallest job close behind the first go ahead, if a region takes it now."""
        first = waiters[0]
        if first.overtaken >= PATIENCE or len(waiters) == 1:
            return False
        index = self._router.estimate.smallest([one.job for one in waiters[:LOOKAHEAD]])
        if index == 0:
            return False
        other = waiters[index]
        if other.granted.done():
            waiters.pop(index)
            return True
        picked = self.helm.pick(self._router, now, other.job, avoid, other.since)
        if not isinstance(picked, Lease):
            return False
        first.overtaken += 1
        grant(waiters.pop(index), picked)
        return True

    def _note_refusal(self) -> None:
        self.refusal = self.refusal or self._router.refusal

    def _withdraw(self, waiter: Waiter) -> None:
        """Take back what a cancelled caller waited for, or was granted too late to be used."""
        waiters = self._lanes.get(waiter.lane, [])
        if waiter in waiters:
            waiters.remove(waiter)
            if not waiters:
                del self._lanes[waiter.lane]
        elif not waiter.granted.cancelled() and (lease := waiter.granted.result()) is not None:
            self.settle(lease, None)
