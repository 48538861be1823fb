"""The question: what does deciding where a job goes cost, and how does it grow with the regions.

One job after another is picked a region for, and its reply of a kilobyte is judged, read for
limits and settled, on a clock that is told. *Free*: nobody names a limit. *Bounded*: the same, and
there is a budget. *Headers*: every reply names limits that are never reached. *Open*: limits are
configured and never reached. *Saturated*: every quota is used up, so that most picks only say how
long to wait, and each job is picked for again when a request ends.

    python -m benchmarks.policy [--json FILE]
"""

import argparse
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import orjson
from multidict import CIMultiDict, CIMultiDictProxy

from batchrunner.model import Reply
from batchrunner.policy.account import Account
from batchrunner.policy.adaptive import Adaptive
from batchrunner.policy.budget import Budget
from batchrunner.policy.lease import Lease
from batchrunner.policy.quota import Quota
from batchrunner.policy.ratelimit import Limit, advertised
from batchrunner.policy.region import Region
from batchrunner.policy.router import Router
from batchrunner.policy.verdict import judge
from batchrunner.prices import PriceList
from tests.world import job

from .record import save

REGIONS = (1, 5, 64)
JOBS = 4000
ROUNDS = 5
ANSWER_S = 1.5
BODY = orjson.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "word " * 120},
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 30,
            "completion_tokens": 20,
            "total_tokens": 50,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        },
    }
)
PLAIN = {"content-type": "application/json", "x-request-id": "1", "date": "today"}
LIMITS = {"x-ratelimit-limit-requests": "6000000", "x-ratelimit-limit-tokens": "1000000000"}


@dataclass(frozen=True)
class Case:
    """What is known of each region's quota."""

    name: str
    configured: float | None = None  #: requests in ten seconds
    headers: Mapping[str, str] | None = None
    is_bounded: bool = False  #: whether the cost of all regions has a bound


CASES = (
    Case("free"),
    Case("bounded", is_bounded=True),
    Case("headers", headers=LIMITS),
    Case("open", configured=1e6),
    Case("saturated", configured=20.0),
)


def router(count: int, configured: float | None, *, is_bounded: bool = False) -> Router:
    regions = []
    for n in range(count):
        quota = Quota()
        if configured is not None:
            quota = Quota(Limit(configured, 10.0), Limit(300 * configured, 60.0))
        adaptive = Adaptive(JOBS)
        adaptive.trust()
        regions.append(Region(name=f"r{n}", quota=quota, adaptive=adaptive))
    prices = PriceList({region.name: "azure" for region in regions})
    budget = Budget(price=prices.answer, money=Account(1e9))
    return Router(regions, budget=budget if is_bounded else None)


def replies(said: Mapping[str, str] | None) -> list[Reply]:
    """What comes back, in turn; what remains of a limit is another number every time."""
    made = []
    for left in range(999_900_000, 1_000_000_000, 1000):
        remaining = {"x-ratelimit-remaining-tokens": str(left)} if said else {}
        headers = CIMultiDict({**PLAIN, **(said or {}), **remaining})
        made.append(Reply(200, CIMultiDictProxy(headers), BODY))
    return made


def microseconds(count: int, case: Case) -> float:
    """CPU time of the policy for one job."""
    made = router(count, case.configured, is_bounded=case.is_bounded)
    jobs = [job(n) for n in range(JOBS)]
    answers = replies(case.headers)
    flying: deque[tuple[float, Lease]] = deque()
    now, at = 0.0, 0

    def settle(until: float, lease: Lease) -> None:
        reply = answers[lease.job.ordinal % len(answers)]
        made.settle(until, lease, judge(reply), advertised(reply.headers))

    started = time.process_time()
    while at < JOBS:
        picked = made.pick(now, jobs[at])
        if isinstance(picked, Lease):
            flying.append((now + ANSWER_S, picked))
            at += 1
            now += 1e-4
        elif flying and (not isinstance(picked, float) or flying[0][0] <= now + picked):
            now, lease = flying.popleft()
            settle(now, lease)
        else:
            now += picked or 0.0
    for until, lease in flying:
        settle(until, lease)
    return 1e6 * (time.process_time() - started) / JOBS


def measure(count: int, case: Case) -> float:
    return round(median(microseconds(count, case) for _ in range(ROUNDS)), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    print("regions", *(f"{case.name:>10}" for case in CASES), " µs a job")
    for count in REGIONS:
        row: dict[str, Any] = {"regions": count}
        row |= {f"{case.name}_us": measure(count, case) for case in CASES}
        rows.append(row)
        print(f"{count:7}", *(f"{us:10}" for us in list(row.values())[1:]), flush=True)
    if arguments.json:
        save(arguments.json, rows)


if __name__ == "__main__":
    main()
