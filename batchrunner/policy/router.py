"""Which region answers next, and what every outcome changes.

Theory of operation. The regions stand in tiers: Azure by priority, plain OpenAI last. A job goes
to the first tier that has a region open for it, and there to the least loaded one (``balanced``)
or the first one named (``ordered``). A tier of Azure that is merely busy passes its jobs on to
the next priority, but never to the fallback, which is for regions that are exhausted: closed by
their quota, resting, or out.

``pick`` takes slot, request and tokens together as a lease; ``settle`` ends the lease exactly
once and tells quota, breaker and concurrency what came of it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

from ..model import FaultKind, Job
from .budget import Budget, Need
from .estimate import Estimate
from .governor import Governor
from .lease import Lease
from .ratelimit import NOTHING, Advertised
from .region import Region, RegionStatus
from .tier import Outlook, Tier
from .verdict import (
    Answered,
    Barred,
    Cause,
    Faulty,
    Hindered,
    Oversized,
    Refused,
    Throttled,
    Verdict,
    may_be_billed,
)

Strategy = Literal["balanced", "ordered"]
NO_REGIONS: frozenset[str] = frozenset()


@dataclass(slots=True)
class Router:
    """Chooses regions and keeps their accounts."""

    regions: Sequence[Region]
    strategy: Strategy = "balanced"
    fallback_after: float = 0.0
    is_paced: bool = True  #: whether bursts are sent in parts
    estimate: Estimate = field(default_factory=Estimate)
    governor: Governor = field(default_factory=Governor)
    budget: Budget | None = None  #: None: nothing bounds all regions together
    refusal: str = ""  #: why the last pick found no region, where the budget is why
    in_flight: int = field(init=False, default=0)  #: requests, in all regions together
    _tiers: list[Tier] = field(init=False)
    _places: dict[int, list[tuple[Tier, Region]]] = field(init=False)  #: of a quota's regions

    def __post_init__(self) -> None:
        ranked = sorted(self.regions, key=_rank)
        is_ordered = self.strategy == "ordered"
        self._tiers = [
            Tier(tuple(tier), is_ordered, self.is_paced) for _, tier in groupby(ranked, key=_rank)
        ]
        self._places = {}
        for tier in self._tiers:
            for region in tier.regions:
                self._places.setdefault(id(region.quota), []).append((tier, region))

    def targets(self, model: str) -> list[Region]:
        """The regions that can answer jobs of ``model``, now or later."""
        return [region for region in self.regions if region.serves(model)]

    def pick(  # noqa: C901 - a way out for each thing that can hold a job up
        self, now: float, job: Job, avoid: frozenset[str] = NO_REGIONS, waited: float = 0.0
    ) -> Lease | float | None:
        """Lease a region for ``job``, or say how many seconds to wait for one.

        Infinity means that a request in flight has to end first. None means that no region is
        left for this job, those in ``avoid`` not counted, or that the budget will never allow it:
        then ``refusal`` says so.
        """
        self.refusal = ""
        tokens = self.estimate.tokens(job)
        soonest, busy, found, held, cost = math.inf, False, False, False, 0.0
        for tier in self._tiers:
            look = tier.look(now, job, tokens, avoid)
            if isinstance(look, Outlook) and not look.found:
                continue
            if tier.is_fallback:
                if found and (busy or waited < self.fallback_after):
                    return soonest if busy else min(soonest, self.fallback_after - waited)
                cost = self._cost(job)
                if not self.governor.allows(cost):
                    self.governor.refused, held = cost, True
                    continue
            found = True
            if not isinstance(look, Outlook):
                region, need = tier.best(now, look), None
                if self.budget is not None:
                    need = self._need(self.budget, region, job)
                    if not self.budget.allows(need):
                        return self._pick_cheaper(self.budget, now, job, avoid, waited)
                    self.budget.begin(need)
                tier.take(region)
                lease = self._lease(now, region, job, tokens, cost)
                lease.need = need
                return lease
            soonest, busy = min(soonest, look.soonest), busy or look.busy
            if look.paced:
                return soonest
        return soonest if found or (held and self._may_be_let_go(job, cost)) else None

    def may_return(self, job: Job, avoid: frozenset[str] = NO_REGIONS) -> bool:
        """Whether a region could take ``job`` if the person that took it out let it in again."""
        return any(region.may_return(job) and region.name not in avoid for region in self.regions)

    def sharing(self, region: Region) -> list[str]:
        """The regions of one quota."""
        return [other.name for other in self.regions if other.quota is region.quota]

    def wake(self, region: Region) -> None:
        """Something is heard of the quota of ``region``, which may have room again."""
        for tier, sharing in self._places[id(region.quota)]:
            tier.wake(sharing)

    def force(self, now: float, job: Job) -> Lease:
        """Lease the region that is likeliest to answer, though all are closed or out."""

        def unlikeliness(region: Region) -> tuple[bool, float]:
            wait = max(region.wait_for_any(now), region.quota.wait_for_tokens(now, 0.0))
            return not region.serves(job.model), wait

        region = min(self.regions, key=unlikeliness)
        cost = self._cost(job) if region.is_fallback else 0.0
        return self._lease(now, region, job, 0.0, cost)

    def settle(  # noqa: C901 - one arm for each verdict
        self, now: float, lease: Lease, verdict: Verdict | None, limits: Advertised = NOTHING
    ) -> None:
        """End a lease, and learn from its outcome and from the limits that came with it.

        A request that was cancelled has no verdict: it tells nothing about the region.
        """
        region = lease.region
        in_flight, region.in_flight = region.in_flight, region.in_flight - 1
        self.in_flight -= 1
        if region.is_fallback or lease.need is not None:
            self._account(lease, verdict)
        if limits is not NOTHING:
            expected = self.estimate.tokens(lease.job)
            region.quota.advertise(now, limits, lease.mark, lease.tokens, expected)
        if region.quota.known:
            region.adaptive.trust()
        match verdict:
            case Answered(usage):
                self.governor.answers += 1
                self.estimate.learn(lease.job, usage)
                region.adaptive.answered(in_flight, now - lease.sent, usage.completion)
                self._passed(now, lease)
            case Refused():
                self._passed(now, lease)
            case Throttled():
                self._throttled(now, lease, verdict)
            case Oversized():
                region.quota.give_back(lease.sent, lease.tokens, lease.quota_generation)
                region.breaker.succeed(lease.breaker_generation)
            case Faulty(outcome):
                self._failed(now, lease, outcome)
            case Barred(reason, model_only):
                self._bar(lease, reason, model_only=model_only)
            case Hindered():
                region.quota.give_back(lease.sent, lease.tokens, lease.quota_generation)
                region.breaker.forget(lease.breaker_generation)
            case None:
                region.quota.forget(lease.sent, lease.quota_generation)
                region.breaker.forget(lease.breaker_generation)
        self.wake(region)

    def hurry(self) -> None:
        """The last jobs are on their way: bursts may be sent again."""
        for region in self.regions:
            region.quota.hurry()
        for tier in self._tiers:
            for region in tier.regions:
                tier.wake(region)

    def statistics(self, now: float) -> tuple[RegionStatus, ...]:
        """Every region at ``now``, in the order they were configured."""
        return tuple(region.status(now) for region in self.regions)

    def _may_be_let_go(self, job: Job, cost: float) -> bool:
        """Whether the governor may yet allow a job that no region of Azure can ever take.

        What is in flight was counted at its most: less may have been used when it ends.
        """
        return (self.in_flight > 0 and self.governor.may_allow(cost)) and not any(
            region.serves(job.model) and region.fits(job)
            for region in self.regions
            if not region.is_fallback
        )

    def _cost(self, job: Job) -> float:
        return self.governor.cost(job.model, self.estimate.usage(job))

    def _need(self, budget: Budget, region: Region, job: Job) -> Need:
        return budget.need(region.name, job.model, self.estimate.usage(job))

    def _pick_cheaper(
        self, budget: Budget, now: float, job: Job, avoid: frozenset[str], waited: float
    ) -> Lease | float | None:
        """Look again, among the regions that are cheap enough for what is left of the budget."""
        able = [region for region in self.regions if self._may_ever_take(region, job)]
        needs = {region.name: self._need(budget, region, job) for region in able}
        dear = {name for name, need in needs.items() if not budget.allows(need)}
        if (picked := self.pick(now, job, avoid | dear, waited)) is not None:
            return picked
        if not any(map(budget.may_allow, needs.values())):
            self.refusal = budget.refusal(job.model, min(needs.values()))
            return None
        left = needs.keys() - avoid
        return math.inf if any(budget.may_allow(needs[name]) for name in left) else None

    def _may_ever_take(self, region: Region, job: Job) -> bool:
        """Whether ``region`` takes ``job`` now, or may when what is in flight has ended."""
        if not region.takes(job, NO_REGIONS):
            return False
        cost = self._cost(job) if region.is_fallback else 0.0
        return (
            not region.is_fallback
            or self.governor.allows(cost)
            or (self.in_flight > 0 and self.governor.may_allow(cost))
        )

    def _lease(self, now: float, region: Region, job: Job, tokens: float, cost: float) -> Lease:
        if region.is_fallback:
            self.governor.begin(cost)
        region.in_flight += 1
        self.in_flight += 1
        if region.in_flight > region.peak:  # noqa: PLR1730 - max() takes four times as long
            region.peak = region.in_flight
        mark = region.quota.take(now, tokens)
        region.breaker.begin(now)
        quota, breaker = region.quota.generation, region.breaker.generation
        return Lease(region, job, tokens, now, mark, quota, breaker, cost)

    def _account(self, lease: Lease, verdict: Verdict | None) -> None:
        """Keep the account of what the fallback takes, and of what all regions cost."""
        region, model = lease.region, lease.job.model
        if lease.need is not None and self.budget is not None:
            self.budget.settle(region.name, model, lease.need, verdict)
        if not region.is_fallback:
            return
        if isinstance(verdict, Answered):
            self.governor.answer(model, verdict.usage, lease.cost)
        else:
            self.governor.end(lease.cost, may_be_billed=may_be_billed(verdict))

    def _passed(self, now: float, lease: Lease) -> None:
        lease.region.quota.pass_(now, lease.sent, lease.quota_generation)
        lease.region.breaker.succeed(lease.breaker_generation)

    def _throttled(self, now: float, lease: Lease, verdict: Throttled) -> None:
        region, quota = lease.region, lease.region.quota
        region.breaker.succeed(lease.breaker_generation)
        if verdict.cause is Cause.CAPACITY:  # the quota was not asked
            quota.give_back(lease.sent, lease.tokens, lease.quota_generation)
        else:
            quota.refuse(lease.sent, lease.tokens)
        if quota.throttle(now, lease.sent, lease.tokens, lease.quota_generation, verdict):
            region.adaptive.cut()

    def _failed(self, now: float, lease: Lease, outcome: str) -> None:
        quota = lease.region.quota
        if outcome == FaultKind.CONNECT:
            quota.give_back(lease.sent, lease.tokens, lease.quota_generation)
        else:
            quota.forget(lease.sent, lease.quota_generation)
        if outcome == "http_409":
            lease.region.breaker.forget(lease.breaker_generation)
        else:
            lease.region.breaker.fail(now, lease.breaker_generation)

    def _bar(self, lease: Lease, reason: str, *, model_only: bool) -> None:
        region, model = lease.region, lease.job.model
        region.quota.forget(lease.sent, lease.quota_generation)
        region.breaker.forget(lease.breaker_generation)
        if model_only:
            region.missing.setdefault(model, f"{model}: {reason}")
        else:
            region.barred = region.barred or reason


def _rank(region: Region) -> tuple[bool, int]:
    return region.is_fallback, region.priority
