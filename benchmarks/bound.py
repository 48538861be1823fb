"""The shortest time in which a scenario's quotas admit a set of jobs, whoever sends them.

A greedy client that never waits for an answer takes whatever the service's own meters have, at
every step; requests and tokens are summed over all targets as if any job fitted anywhere. No
scheduler can be faster, and a real one also has to fit whole jobs and to travel.
"""

from batchrunner.simulator.limits import Meter, meter
from batchrunner.simulator.scenario import Scenario, Target

MODEL = "gpt-4o-mini"
STEP = 0.05  #: seconds between two looks at the meters


def lower_bound(scenario: Scenario, jobs: int, tokens: float, latency: float) -> float:
    """Seconds until ``jobs`` with ``tokens`` in total are admitted, and the last is answered."""
    shares = _shares(scenario)
    requests = [_Greedy(target, target.requests_allowed, target.request_window) for target in shares]
    token = [_Greedy(target, target.tokens_allowed, target.token_window) for target in shares]
    now, left, tokens_left = 0.0, float(jobs), tokens
    while True:
        left -= sum(greedy.take(now) for greedy in requests)
        tokens_left -= sum(greedy.take(now) for greedy in token)
        if left <= 0 and tokens_left <= 0:
            return now + latency
        now += STEP


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
        self._meter: Meter | None = None
        self._full = limit or 0.0
        self._down = [f for f in target.faults if f.kind == "outage"]
        self._limits = [f for f in target.faults if f.kind == "limits"]
        if limit is not None:
            self._meter = meter(target.counting, limit, window, target.phase)

    def take(self, now: float) -> float:
        if any(fault.since <= now < fault.until for fault in self._down):
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
