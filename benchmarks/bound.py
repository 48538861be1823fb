"""The shortest time in which a scenario's quotas admit a set of calls, whoever sends them.

A greedy client that never waits for an answer takes whatever the service's own meters have, at
every step; requests and tokens are summed over all targets as if any job fitted anywhere. It
knows when a region is down or short of capacity, and keeps to the wait that the service then
names. No scheduler can be faster, and a real one also has to find all that out and to travel.

Two things that no scheduler can help are counted as the service counts them: a call that the
scenario fails takes from the quota like any other, and a limit of tokens passes no more calls
than whole ones fit into it.
"""

import heapq
import math
from collections.abc import Sequence

from batchrunner.simulator.meters import Meter, meter
from batchrunner.simulator.scenario import Scenario, Target

MODEL = "gpt-4o-mini"
STEP = 0.05  #: seconds between two looks at the meters
CAPACITY_WAIT = 20.0  #: what the service names when it is short of capacity


def lower_bound(
    scenario: Scenario, charges: Sequence[float], answers: Sequence[float], concurrency: int
) -> float:
    """Seconds until calls with so many tokens each are admitted, and the last is answered.

    ``answers`` are the seconds that the service took for each of them, in their order. What is
    admitted last takes at least the shortest of these, and ``concurrency`` calls at once take as
    long as each next one needs that starts where the last has ended.
    """
    return max(admission(scenario, charges) + min(answers), _in_slots(answers, concurrency))


def admission(scenario: Scenario, charges: Sequence[float]) -> float:
    """Seconds until the last of the calls is admitted."""
    targets = _shares(scenario)
    smallest = min(charges)
    requests = [_Greedy(t, t.requests_allowed, t.request_window) for t in targets]
    tokens = [_Greedy(t, t.tokens_allowed, t.token_window) for t in targets]
    whole = [_Greedy(t, _whole(t.tokens_allowed, smallest), t.token_window) for t in targets]
    now, left, whole_left, tokens_left = 0.0, len(charges), len(charges), sum(charges)
    while max(left, whole_left, tokens_left) > 0:
        left -= sum(greedy.take(now) for greedy in requests)
        whole_left -= sum(greedy.take(now) for greedy in whole)
        tokens_left -= sum(greedy.take(now) for greedy in tokens)
        now += STEP
    return now - STEP


def _whole(tokens: float | None, smallest: float) -> float | None:
    """How many calls a limit of tokens can pass at once."""
    return None if tokens is None else math.floor(tokens / smallest)


def _in_slots(answers: Sequence[float], concurrency: int) -> float:
    """When the last answer ends, each one starting in the slot that is free first."""
    slots = [0.0] * min(concurrency, len(answers))
    for seconds in answers:
        heapq.heapreplace(slots, slots[0] + seconds)
    return max(slots)


def _shares(scenario: Scenario) -> list[Target]:
    """One target for each quota that can be used at all."""
    found: dict[str, Target] = {}
    for region in scenario.regions:
        if region.given_key == region.key and region.model_of(MODEL):
            found.setdefault(region.quota_group or region.name, region)
    if scenario.openai:
        found["openai"] = scenario.openai
    return list(found.values())


class _Greedy:
    """Takes all that one meter has, whenever its target answers at all."""

    def __init__(self, target: Target, limit: float | None, window: float) -> None:
        self._full = limit or 0.0
        self._meter: Meter | None = None
        if limit is not None:
            self._meter = meter(target.counting, limit, window, target.phase)
        waits = {"outage": 0.0, "capacity": CAPACITY_WAIT}
        self._closed = [
            (fault.since, max(fault.until, fault.since + waits[fault.kind]))
            for fault in target.faults
            if fault.kind in waits
        ]
        self._limits = [fault for fault in target.faults if fault.kind == "limits"]

    def take(self, now: float) -> float:
        """What a client that asks for everything gets at ``now``."""
        if any(since <= now < until for since, until in self._closed):
            return 0.0
        if self._meter is None:
            return float("inf")
        self._meter.limit = self._full
        for fault in self._limits:
            if fault.since <= now < fault.until:
                self._meter.limit *= fault.factor
        room = self._meter.limit - self._meter.used(now)
        if room <= 0:
            return 0.0
        self._meter.take(now, room)  # type: ignore[arg-type] # parts of units are fine here
        return room
