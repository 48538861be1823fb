"""The question: what does deciding where a job goes cost, and how does it grow with the regions.

One job after another is picked a region for and settled as answered, on a clock that is told:
*open*, where all regions have room, and *saturated*, where every quota is used up, so that most
picks only say how long to wait, and each job is picked for again when a request ends.

    python -m benchmarks.policy [--json FILE]
"""

import argparse
import time
from pathlib import Path
from statistics import median
from typing import Any

from batchrunner.model import Usage
from batchrunner.policy.adaptive import Adaptive
from batchrunner.policy.quota import Quota
from batchrunner.policy.ratelimit import Limit
from batchrunner.policy.region import Region
from batchrunner.policy.router import Lease, Router
from batchrunner.policy.verdict import Answered
from tests.world import job

from .record import save

REGIONS = (1, 4, 16, 64)
JOBS = 4000
ROUNDS = 5
PER_REGION = 20.0  #: requests in ten seconds, where quotas are used up
ANSWER_S = 1.5
VERDICT = Answered(Usage("gpt-4o-mini", 30, 20))


def router(count: int, limit: float) -> Router:
    regions = []
    for n in range(count):
        quota = Quota(Limit(limit, 10.0), Limit(300 * limit, 60.0))
        adaptive = Adaptive(1000)
        adaptive.trust()
        regions.append(Region(name=f"r{n}", quota=quota, adaptive=adaptive))
    return Router(regions)


def microseconds(count: int, *, is_saturated: bool) -> float:
    """CPU time of the policy for one job."""
    made = router(count, PER_REGION if is_saturated else 1e6)
    jobs = [job(n) for n in range(JOBS)]
    flying: list[tuple[float, Lease]] = []
    now, at = 0.0, 0
    started = time.process_time()
    while at < JOBS:
        picked = made.pick(now, jobs[at])
        if isinstance(picked, Lease):
            flying.append((now + ANSWER_S, picked))
            at += 1
            now += 1e-4
        elif flying and (not isinstance(picked, float) or flying[0][0] <= now + picked):
            now, lease = flying.pop(0)
            made.settle(now, lease, VERDICT)
        else:
            now += picked or 0.0
    for until, lease in flying:
        made.settle(until, lease, VERDICT)
    return 1e6 * (time.process_time() - started) / JOBS


def measure(count: int, *, is_saturated: bool) -> float:
    rounds = [microseconds(count, is_saturated=is_saturated) for _ in range(ROUNDS)]
    return round(median(rounds), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    print(f"{'regions':>7} {'open':>8} {'saturated':>10}  µs a job")
    for count in REGIONS:
        row = {
            "regions": count,
            "open_us": measure(count, is_saturated=False),
            "saturated_us": measure(count, is_saturated=True),
        }
        rows.append(row)
        print("{:7} {:8.1f} {:10.1f}".format(*row.values()), flush=True)
    if arguments.json:
        save(arguments.json, rows)


if __name__ == "__main__":
    main()
