"""A model of the regions, to rehearse a run against: limits, latencies, and nothing that breaks.

Where the plan knows a limit that the settings do not, replies name it in their headers, as the
services do, and what exceeds it is throttled. A call is charged as the services charge it: its
prompt, and the most that its answer may use.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson

from ..model import CHAT, EMBEDDINGS, Job, Reply
from ..policy.ratelimit import Limit
from ..targets import Target
from .lengths import Lengths
from .limits import Known
from .sample import Ask

#: what makes the body of a success an answer, by its path
_HOLDS: dict[str, dict[str, Any]] = {
    CHAT: {"choices": [{"message": {}}]},
    EMBEDDINGS: {"data": [{"embedding": "AA=="}]},
}
_RESPONSE: dict[str, Any] = {"output": [], "status": "completed"}

_THROTTLED = b'{"error":{"code":"RateLimitReached","message":"exceeded the %b rate limit"}}'

NEVER = 86_400.0  #: seconds, which the services name where a call is larger than its limit
ROUNDING = 1e-6


@dataclass(slots=True)
class Meter:
    """Counts what was taken in the last ``limit.span`` seconds."""

    limit: Limit
    used: float = 0.0
    _taken: deque[tuple[float, float]] = field(default_factory=deque)

    def wait(self, now: float, amount: float) -> float:
        """Seconds until ``amount`` fits; zero: now."""
        if amount > self.limit.amount:
            return NEVER
        while self._taken and self._taken[0][0] <= now - self.limit.span:
            self.used -= self._taken.popleft()[1]
        missing = self.used + amount - self.limit.amount
        if missing <= ROUNDING:
            return 0.0
        for at, one in self._taken:
            missing -= one
            if missing <= ROUNDING:
                return at + self.limit.span - now
        return self.limit.span

    def take(self, now: float, amount: float) -> None:
        """Count ``amount`` from ``now`` on."""
        self._taken.append((now, amount))
        self.used += amount


@dataclass(slots=True)
class Taken:
    """What one region did in a rehearsal."""

    calls: int = 0
    jobs: int = 0
    throttled: int = 0
    prompt: float = 0.0
    completion: float = 0.0
    charged: float = 0.0
    busy: float = 0.0  #: seconds of its answers, one after the other
    models: dict[str, list[float]] = field(default_factory=dict)  #: jobs, prompt, completion


@dataclass(slots=True)
class Service:
    """All regions of a plan; ``send`` is what a caller sends with."""

    targets: Mapping[str, Target]
    known: Mapping[str, Known]
    asks: Sequence[Ask]  #: by ordinal: what is true of each job, and the run finds out
    lengths: Lengths
    rng: Random
    taken: dict[str, Taken] = field(init=False)
    done: list[float] = field(init=False, default_factory=list)  #: when each answer came
    sent: float = field(init=False, default=0.0)  #: when the last job was let through
    _meters: dict[str, tuple[Meter | None, Meter | None]] = field(init=False)

    def __post_init__(self) -> None:
        self.taken = {name: Taken() for name in self.targets}
        groups: dict[str, tuple[Meter | None, Meter | None]] = {}
        self._meters = {}
        for name, target in self.targets.items():
            known = self.known[name]
            made = (_meter(known.requests), _meter(known.tokens))
            group = target.quota_group or f"\0{name}"
            self._meters[name] = groups.setdefault(group, made)

    async def send(self, region: str, job: Job) -> Reply:
        """The reply of ``region`` to ``job``, when it would come."""
        now = asyncio.get_running_loop().time()
        known, taken = self.known[region], self.taken[region]
        ask = self.asks[job.ordinal]
        taken.calls += 1
        if known.problem:
            return Reply(401, {}, b'{"error":{"message":"as the probe was told"}}')
        prompt, answer = ask.prompt * self.lengths.prompts, self.lengths.length(self.rng, ask)
        seconds = known.latency.seconds(self.rng, ask.model, prompt, answer)
        charge = prompt + (self.lengths.typical if ask.cap is None else ask.cap)
        wait, axis = self._enter(region, now, charge)
        headers = _headers(known, self._meters[region])
        if wait > 0:
            taken.throttled += 1
            headers["retry-after-ms"] = str(max(1, round(wait * 1000)))
            return Reply(429, headers, _THROTTLED % axis)
        self.sent = now
        await asyncio.sleep(seconds)
        self._count(taken, ask.model, prompt, answer)
        taken.charged += charge
        taken.busy += seconds
        self.done.append(now + seconds)
        return Reply(200, headers, _body(job, prompt, answer))

    def _enter(self, region: str, now: float, charge: float) -> tuple[float, bytes]:
        """Count a call; or say how long it should wait, and for which limit."""
        requests, tokens = self._meters[region]
        waits = [
            (meter.wait(now, amount), axis)
            for meter, amount, axis in ((requests, 1.0, b"call"), (tokens, charge, b"token"))
            if meter is not None
        ]
        wait, axis = max(waits, default=(0.0, b""))
        if wait > 0:
            return wait, axis
        if requests is not None:
            requests.take(now, 1.0)
        if tokens is not None:
            tokens.take(now, charge)
        return 0.0, b""

    @staticmethod
    def _count(taken: Taken, name: str, prompt: float, answer: int) -> None:
        taken.jobs += 1
        taken.prompt += prompt
        taken.completion += answer
        model = taken.models.setdefault(name, [0.0, 0.0, 0.0])
        for place, value in enumerate((1.0, prompt, answer)):
            model[place] += value


def _meter(limit: Limit | None) -> Meter | None:
    return None if limit is None else Meter(limit)


def _headers(known: Known, meters: tuple[Meter | None, Meter | None]) -> dict[str, str]:
    """What a reply says of the limits."""
    found: dict[str, str] = {}
    for axis, meter in zip(("requests", "tokens"), meters, strict=True):
        if meter is None:
            continue
        found[f"x-ratelimit-limit-{axis}"] = f"{meter.limit.amount:.6g}"
        left = max(0.0, meter.limit.amount - meter.used)
        found[f"x-ratelimit-remaining-{axis}"] = f"{left:.0f}"
        if known.is_named:
            found[f"x-ratelimit-renewalperiod-{axis}"] = f"{meter.limit.span:g}"
    return found


def _body(job: Job, prompt: float, answer: int) -> bytes:
    usage = {"prompt_tokens": round(prompt), "completion_tokens": answer}
    return orjson.dumps(_HOLDS.get(job.path, _RESPONSE) | {"model": job.model, "usage": usage})
