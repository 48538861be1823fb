"""The question: how close to the limit of the quotas does a run finish, and what does it waste.

The real runner (pool, caller, wire) works against the simulator on a virtual clock, through a
network that takes 10 to 25 ms each way. Each scenario runs with the service counting by fixed
windows, by sliding windows and by buckets. The bound is what the service's own meters admit to a
client that knows everything (``bound.py``). Beside it runs the waterfall that people write first:
the first region that answers, the next one on 429, and the job is lost when all say 429.

    python -m benchmarks.quota [--only NAME] [--seeds N] [--json FILE]
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from batchrunner.model import Job
from batchrunner.simulator import validate
from tests import virtual
from tests.world import World, job

from .bound import lower_bound
from .record import save

HEAD = (
    f"{'scenario':26} {'counting':8} {'makespan':>8} {'bound':>8} {'ratio':>7} {'wasted':>8}"
    " lost failed fallback  worst  missed"
)
COUNTINGS = ("fixed", "sliding", "bucket")
LATENCY = {"median": 0.6, "sigma": 0.4, "tokens_per_second": 60.0, "slow_rate": 0.0}
CONCURRENCY = 256
TARGETS = {  # class: (makespan over bound, wasted calls over jobs)
    "known": (1.03, 0.005),
    "retry-after": (1.08, 0.03),
    "bare": (1.15, 0.05),
    "trouble": (1.06, 0.02),
}


@dataclass(frozen=True)
class Case:
    """One scenario, without the way of counting."""

    name: str
    kind: str
    regions: list[dict[str, Any]]
    jobs: Callable[[Random], list[Job]]
    environ: dict[str, str] = field(default_factory=dict)
    openai: dict[str, Any] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    too_large: int = 0
    why: dict[str, str] = field(default_factory=dict)  #: counting -> why a target is missed


def same(count: int, max_tokens: int = 40) -> Callable[[Random], list[Job]]:
    return lambda _: [job(i, max_tokens=max_tokens) for i in range(count)]


def lognormal(count: int) -> Callable[[Random], list[Job]]:
    """Prompts of 50 to 5,000 characters, and answers of at most 16 to 1,000 tokens."""

    def make(rng: Random) -> list[Job]:
        return [
            job(
                i,
                max_tokens=min(1000, max(16, int(rng.lognormvariate(5, 0.8)))),
                text="word " * min(1000, max(10, int(rng.lognormvariate(4.5, 0.8)))),
            )
            for i in range(count)
        ]

    return make


def regions(count: int, **settings: Any) -> list[dict[str, Any]]:
    return [{"name": f"r{n}", **settings} for n in range(1, count + 1)]


def configured(count: int, **limits: float) -> dict[str, str]:
    return {
        f"AZURE_OPENAI_{axis.upper()}_{n}": str(limit)
        for n in range(1, count + 1)
        for axis, limit in limits.items()
    }


#: what a client that is safe for every way of counting cannot win from one of them
SLIDING = (
    "the bound fills each window of the service's own, or drains its bucket; who never sends more "
    "than the limit in any minute "
)

TEN = {"request_window": 10.0, "request_limit": 20}
SILENT = {"headers": "none"}
BARE = {"headers": "none", "retry_after": "none", "body": "empty"}


def _fault(kind: str, **settings: Any) -> dict[str, Any]:
    return {"kind": kind, **settings}


CASES = [
    Case("equal-configured", "known", regions(3, **TEN), same(7200), configured(3, rpm=120)),
    Case(
        "unequal-headers",
        "known",
        [{"name": f"r{n}", "rpm": 60 * n} for n in (1, 3, 10)],
        same(16_800),
    ),
    Case("retry-after-only", "retry-after", regions(3, rpm=120, **SILENT), same(7200)),
    Case("retry-after-10s", "retry-after", regions(3, **TEN, **SILENT), same(7200)),
    Case("bare-429", "bare", regions(3, rpm=120, **BARE), same(7200)),
    Case("bare-429-10s", "bare", regions(3, **TEN, **BARE), same(7200)),
    Case("token-bound", "known", regions(3, tpm=60_000), lognormal(14_000)),
    Case(
        "token-bound-configured",
        "known",
        regions(3, tpm=60_000, rpm=360),
        lognormal(14_000),
        configured(3, tpm=60_000, rpm=360),
    ),
    Case("slices-1s", "known", regions(3, request_window=1.0, request_limit=3), same(7200)),
    Case("slices-10s", "known", regions(3, **TEN), same(7200)),
    Case(
        "dead-key-and-deployment",
        "known",
        [
            {"name": "r1", "env_key": "wrong"},
            {"name": "r2", "deployments": ["other"]},
            {"name": "r3", "rpm": 180},
            {"name": "r4", "rpm": 180},
        ],
        same(7200),
    ),
    Case(
        "outage",
        "trouble",
        [
            {
                "name": "r1",
                "rpm": 120,
                "faults": [_fault("outage", **{"from": 300, "until": 900})],
            },
            *regions(3, rpm=120)[1:],
        ],
        same(7200),
    ),
    Case(
        "random-faults",
        "trouble",
        regions(
            3,
            rpm=120,
            faults=[_fault("error", status=500, rate=0.03), _fault("reset", rate=0.02)],
        ),
        same(7200),
        why=dict.fromkeys(
            COUNTINGS,
            "a request whose connection was reset may have been counted, and we count it; the "
            "simulator does not, so two percent are lost, and the last few jobs a window more",
        ),
    ),
    Case(
        "lying-retry-after-short",
        "trouble",
        regions(3, rpm=120, headers="none", retry_after=0.2),
        same(7200),
    ),
    Case(
        "lying-retry-after-long",
        "trouble",
        regions(3, rpm=120, headers="none", retry_after=600.0),
        same(7200),
    ),
    Case(
        "halved",
        "trouble",
        regions(3, rpm=120, faults=[_fault("limits", factor=0.5, **{"from": 600, "until": 1200})]),
        same(7200),
    ),
    Case(
        "shared-group",
        "known",
        [
            {"name": "r1", "rpm": 120, "quota_group": "g"},
            {"name": "r2", "rpm": 120, "quota_group": "g"},
            {"name": "r3", "rpm": 120},
        ],
        same(4800),
    ),
    Case(
        "capacity-everywhere",
        "trouble",
        regions(
            3,
            rpm=120,
            faults=[
                _fault("capacity", **{"from": 100 * k, "until": 100 * k + 8}) for k in range(1, 12)
            ],
        ),
        same(7200),
        why=dict.fromkeys(
            COUNTINGS,
            SLIDING + "keeps sixty seconds from its last burst, and every region says wait twenty "
            "seconds at the moment when that burst is due; capacity-in-turn is the usual case",
        ),
    ),
    Case(
        "capacity-in-turn",
        "trouble",
        [
            {
                "name": f"r{n + 1}",
                "rpm": 120,
                "faults": [
                    _fault("capacity", **{"from": 97 * k + 31 * n, "until": 97 * k + 31 * n + 8})
                    for k in range(1, 12)
                ],
            }
            for n in range(3)
        ],
        same(7200),
    ),
    Case(
        "latency-collapse",
        "trouble",
        [
            {
                "name": "r1",
                "rpm": 120,
                "faults": [_fault("slow", factor=10.0, **{"from": 300, "until": 600})],
            },
            *regions(3, rpm=120)[1:],
        ],
        same(7200),
    ),
    Case(
        "one-too-large",
        "known",
        regions(3, tpm=30_000),
        lambda _: [job(0, max_tokens=50_000), *(job(i, max_tokens=400) for i in range(1, 8000))],
        too_large=1,
        why={"bucket": SLIDING + "has seven jobs left over for a thirty-seventh window"},
    ),
    Case("small-batch", "known", regions(3, rpm=600), same(1500), configured(3, rpm=600)),
    Case("twenty-regions", "known", regions(20, rpm=60), same(24_000)),
    Case(
        "with-openai",
        "known",
        regions(3, rpm=120),
        same(9600),
        openai={"rpm": 120},
        why={
            "bucket": "OpenAI names its limit by the minute, and is sent a sixth of it in ten "
            "seconds as long as nothing shows that it counts whole minutes; a bucket never shows "
            "that, so its first minute's burst is never used"
        },
    ),
    Case(
        "without-openai",
        "known",
        regions(3, rpm=120),
        same(7200),
        openai={"rpm": 120},
        options={"no_fallback": True},
    ),
]


def scenario(case: Case, counting: str, seed: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "seed": seed,
        "regions": [
            {"key": f"key-{r['name']}", "counting": counting, "latency": LATENCY, **r}
            for r in case.regions
        ],
    }
    if case.openai is not None:
        found["openai"] = {"counting": counting, "latency": LATENCY, **case.openai}
    return found


def run(which: tuple[str, str, int]) -> dict[str, Any]:
    """One scenario, one way of counting, one seed."""
    name, counting, seed = which
    case = next(case for case in CASES if case.name == name)
    jobs = case.jobs(Random(seed))
    written = scenario(case, counting, seed)
    world = World(
        written,
        concurrency=CONCURRENCY,
        options=case.options,
        environ=case.environ,
        delay=jitter(Random(seed)),
    )
    makespan = virtual.run(world.run(jobs))
    stats = world.stats
    usable = written if not case.options.get("no_fallback") else {**written, "openai": None}
    charges = [charge(result.job) for result in world.results if result.failure is None]
    answers = [r.attempts[-1].seconds for r in world.results if r.failure is None]
    failed_calls = _injected(world)
    bound = lower_bound(
        validate({k: v for k, v in usable.items() if v is not None}),
        charges + charges[: failed_calls["charged"]],
        answers,
        CONCURRENCY,
    )
    wasted = stats.wasted_calls - sum(failed_calls.values())
    row: dict[str, Any] = {
        "name": name,
        "kind": case.kind,
        "counting": counting,
        "seed": seed,
        "jobs": len(jobs),
        "makespan_s": round(makespan, 1),
        "bound_s": round(bound, 1),
        "ratio": round(makespan / bound, 4),
        "wasted_per_1000": round(1000 * wasted / len(jobs), 2),
        "lost": len(jobs) - len(world.results),
        "failed": stats.failed - case.too_large,
        "fallback_share": round(stats.region("openai").ok / max(1, stats.ok), 3),
    }
    return row


def of_seeds(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The row of the median makespan of all seeds, with the worst of them beside it."""
    ranked = sorted(rows, key=lambda row: row["ratio"])
    row = {
        **ranked[len(ranked) // 2],
        "ratio_worst": ranked[-1]["ratio"],
        "wasted_per_1000": median(row["wasted_per_1000"] for row in rows),
        "wasted_worst": max(row["wasted_per_1000"] for row in rows),
        "lost": sum(row["lost"] for row in rows),
        "failed": sum(row["failed"] for row in rows),
    }
    if missed(row):
        row["missed"] = missed(row)
        case = next(case for case in CASES if case.name == row["name"])
        row["why"] = case.why.get(row["counting"], "not explained yet")
    return row


def jitter(rng: Random) -> Callable[[], float]:
    return lambda: rng.uniform(0.01, 0.025)


def charge(one: Job) -> float:
    """Tokens as the simulator charges them at admission: characters of the prompt by four."""
    prompt = json.loads(one.body)["messages"][0]["content"]
    return max(1, len(prompt) // 4) + (one.answer_tokens or 0)


def _injected(world: World) -> dict[str, int]:
    """Calls that the scenario failed at random: whoever calls loses these."""
    seen = list(world.simulator.statistics().values())
    return {
        "free": sum(one["faults"].get("reset", 0) for one in seen),
        "charged": sum(one["errors"].get("500", 0) for one in seen),
    }


def waterfall(cell: tuple[str, str, int]) -> dict[str, Any]:
    """The seed's way: each job asks one region after another, once."""
    name, counting, seed = cell
    case = next(case for case in CASES if case.name == name)
    jobs = case.jobs(Random(seed))
    world = World(scenario(case, counting, seed), environ=case.environ, delay=jitter(Random(seed)))
    calls = lost = 0

    async def main() -> None:
        queue = iter(jobs)

        async def work() -> None:
            nonlocal calls, lost
            for one in queue:
                for target in world.settings.targets:
                    calls += 1
                    reply = await world.caller.send(target.name, one)
                    if getattr(reply, "status", 0) == 200:
                        break
                else:
                    lost += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENCY):
                group.create_task(work())

    virtual.run(main())
    return {"lost": lost, "wasted_per_1000": round(1000 * (calls - len(jobs) + lost) / len(jobs))}


def cells(only: str | None, seeds: int) -> Iterator[tuple[str, str, int]]:
    for case in CASES:
        if only is None or only in case.name:
            for counting in COUNTINGS:
                for seed in range(1, seeds + 1):
                    yield case.name, counting, seed


def missed(row: dict[str, Any]) -> list[str]:
    """Which targets of its class a cell does not reach."""
    most_ratio, most_wasted = TARGETS[row["kind"]]
    found = {
        "ratio": row["ratio"] > most_ratio,
        "waste": row["wasted_per_1000"] > 1000 * most_wasted,
        "lost": row["lost"] or row["failed"],
    }
    return [word for word, is_missed in found.items() if is_missed]


def line(row: dict[str, Any]) -> str:
    return (
        f"{row['name']:26} {row['counting']:8} {row['makespan_s']:8.1f} {row['bound_s']:8.1f}"
        f" {row['ratio']:7.3f} {row['wasted_per_1000']:8.2f} {row['lost']:5} {row['failed']:6}"
        f" {row['fallback_share']:8.3f} {row['ratio_worst']:6.3f}  "
        + ", ".join(row.get("missed", []))
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="scenarios whose name has this in it")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--waterfall", action="store_true", help="run the contrast instead")
    arguments = parser.parse_args()
    todo = list(cells(arguments.only, arguments.seeds))
    rows = []
    with multiprocessing.Pool() as pool:
        if arguments.waterfall:
            for cell, row in zip(todo, pool.imap(waterfall, todo), strict=True):
                print(*cell, row)
            return
        print(HEAD)
        for _, same_cell in groupby(
            pool.imap(run, todo), key=lambda row: row["name"] + row["counting"]
        ):
            rows.append(of_seeds(list(same_cell)))
            print(line(rows[-1]), flush=True)
    if arguments.json:
        save(arguments.json, rows)
    misses = [row for row in rows if "why" in row]
    for row in misses:
        print(f"{row['name']}, {row['counting']}: {row['why']}")
    sys.exit(bool(misses))


if __name__ == "__main__":
    main()
