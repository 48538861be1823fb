"""The question: does a run take as long as its plan says.

Four scenarios of some minutes: one bound by requests, one by tokens, one by the concurrency, and
one with everything at once: a slow region, a small one, and OpenAI behind them. Each is planned
and run by the commands themselves, each in a process of its own, the runs all at the same time
and in real time. The plan knows what a user would know: limits from three tiny calls to each
region, and for the one that is bound by its answers a trial of the first 200 jobs.

    python -m benchmarks.plan [--json FILE]
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from batchrunner.model import Job
from tests.world import MODEL, job

from .record import save

SEED = 5
WITHIN = 0.10  #: of the real time that the plan may be off
QUICK = "{ median = 0.6, sigma = 0.4, tokens_per_second = 60.0, slow_rate = 0.0 }"


@dataclass(frozen=True)
class Case:
    """One scenario, and the jobs that take it some minutes."""

    name: str
    scenario: str  #: TOML
    jobs: Callable[[Random], list[Job]]
    concurrency: int = 128
    has_trial: bool = False


def region(name: str, latency: str = QUICK, **more: Any) -> str:
    lines = [f"[[regions]]\nname = {name!r}\nkey = 'key-{name}'\nlatency = {latency}"]
    return "\n".join([*lines, *(f"{key} = {value!r}" for key, value in more.items()), ""])


def alike(count: int, max_tokens: int) -> Callable[[Random], list[Job]]:
    return lambda _: [job(i, max_tokens=max_tokens) for i in range(count)]


def mixed(count: int) -> Callable[[Random], list[Job]]:
    """Prompts of 50 to 5,000 characters, and answers of at most 50 to 800 tokens."""

    def make(rng: Random) -> list[Job]:
        return [
            job(
                i,
                max_tokens=min(800, max(50, int(rng.lognormvariate(5, 0.6)))),
                text="word " * min(1000, max(10, int(rng.lognormvariate(4.5, 0.8)))),
            )
            for i in range(count)
        ]

    return make


SLOW = "{ median = 3.0, sigma = 0.4, tokens_per_second = 12.0, slow_rate = 0.0 }"
PLAIN = f"[openai]\nrpm = 120\nlatency = {QUICK}\n"

CASES = [
    Case(
        "requests",
        "".join(region(name, rpm=rpm) for name, rpm in [("a", 120), ("b", 180), ("c", 300)]),
        alike(2000, 40),
    ),
    Case(
        "tokens",
        "".join(
            region(name, tpm=tpm, counting="sliding")
            for name, tpm in [("a", 50_000), ("b", 90_000)]
        ),
        mixed(1400),
    ),
    Case("concurrency", region("a") + region("b"), mixed(1500), concurrency=24, has_trial=True),
    Case(
        "everything",
        region("slow", SLOW, rpm=60) + region("small", rpm=90, tpm=30_000) + PLAIN,
        mixed(1100),
    ),
]


def measure(name: str) -> dict[str, Any]:
    """The plan and the run of one scenario, by the command line."""
    case = next(case for case in CASES if case.name == name)
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder, "scenario.toml")
        scenario.write_text(f"seed = {SEED}\n{case.scenario}")
        jobs = case.jobs(Random(SEED))
        lines = (b'{"model":"%b",%b' % (MODEL.encode(), one.body[1:]) for one in jobs)
        Path(folder, "jobs.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        same = ["--simulate", "scenario.toml", "--concurrency", str(case.concurrency)]
        trial = []
        if case.has_trial:
            batchrunner(folder, "run", *same, "--limit", "200", "--output", "trial.jsonl")
            trial = ["--like", "trial.jsonl"]
        plan = batchrunner(folder, "plan", *same, *trial)
        run = batchrunner(folder, "run", *same)
    planned, took = plan["seconds"]["expected"], run["wall_s"]
    return {
        "name": name,
        "jobs": len(jobs),
        "planned_s": planned,
        "took_s": round(took, 1),
        "off": round(planned / took - 1, 4),
        "planned_openai": plan["fallback"]["jobs"],
        "openai": run["fallback"]["jobs"],
        "held_up_by": plan["bottleneck"]["words"],
    }


def batchrunner(folder: str, command: str, *options: str) -> dict[str, Any]:
    words = [sys.executable, "-m", "batchrunner", command, "jobs.jsonl", *options]
    done = subprocess.run(  # noqa: S603 - our own
        [*words, "--json", "--quiet"], cwd=folder, check=True, capture_output=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with multiprocessing.Pool(len(CASES)) as pool:
        rows = pool.map(measure, [case.name for case in CASES], chunksize=1)
    print(f"{'scenario':12} {'jobs':>6} {'planned':>8} {'took':>8} {'off':>7}  held up by")
    for row in rows:
        print(
            "{name:12} {jobs:6} {planned_s:8.1f} {took_s:8.1f} {off:+7.1%}  {held_up_by}".format(
                **row
            )
        )
    worst = max(abs(row["off"]) for row in rows)
    print("all within 10 %" if worst <= WITHIN else "MISSED")
    if arguments.json:
        save(arguments.json, rows)
    sys.exit(worst > WITHIN)


if __name__ == "__main__":
    main()
