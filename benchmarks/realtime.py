"""The question: does a run over real HTTP, in real time, end as the virtual clock says.

The same jobs and the same scenarios as in ``quota.py``, shortened to some minutes, once on the
virtual clock and once by the runner itself against the simulator on loopback sockets, files and
all. All real runs go on at the same time, each in a process of its own.

    python -m benchmarks.realtime [--minutes N] [--json FILE]
"""

import argparse
import json
import multiprocessing
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import anyio

from batchrunner.batch import run_async
from batchrunner.config import read_settings
from batchrunner.model import Job
from batchrunner.simulator import validate
from batchrunner.simulator.server import serve
from tests import virtual
from tests.world import World

from . import quota
from .bound import lower_bound
from .record import save

#: scenarios, and the minutes that the whole of each takes at its bound
WHOLE_MINUTES = {
    "unequal-headers": 20,
    "retry-after-10s": 20,
    "bare-429": 20,
    "token-bound": 28,
    "with-openai": 20,
}
SEED = 1
POINTS = 0.03  #: that the two ratios may differ


def shortened(case: quota.Case, minutes: float) -> list[Job]:
    """As many of its jobs as the whole case answers in so many minutes, at its bound."""
    jobs = case.jobs(Random(SEED))
    return jobs[: round(len(jobs) * minutes / WHOLE_MINUTES[case.name])]


def run(cell: tuple[str, float, str]) -> dict[str, Any]:
    """One scenario, by the virtual clock or in real time."""
    name, minutes, clock = cell
    case = next(case for case in quota.CASES if case.name == name)
    written = quota.scenario(case, "sliding", SEED)
    jobs = shortened(case, minutes)
    if clock == "virtual":
        world = World(
            written,
            quota.CONCURRENCY,
            case.options,
            case.environ,
            delay=quota.jitter(Random(SEED)),
        )
        seconds, wasted = virtual.run(world.run(jobs)), world.stats.wasted_calls
        answers = [result.attempts[-1].seconds for result in world.results]
    else:
        seconds, wasted, answers = anyio.run(real, case, written, jobs)
    charges = [quota.charge(job) for job in jobs]
    bound = lower_bound(validate(written), charges, answers, quota.CONCURRENCY)
    return {
        "name": name,
        "clock": clock,
        "jobs": len(jobs),
        "makespan_s": round(seconds, 1),
        "bound_s": round(bound, 1),
        "ratio": round(seconds / bound, 4),
        "wasted_per_1000": round(1000 * wasted / len(jobs), 2),
    }


async def real(
    case: quota.Case, written: dict[str, Any], jobs: list[Job]
) -> tuple[float, int, list[float]]:
    """The run as a user starts it; returns its seconds, wasted calls and the answers' seconds."""
    with tempfile.TemporaryDirectory() as folder:
        input_ = written_to(Path(folder, "jobs.jsonl"), jobs)
        async with serve(validate(written)) as simulation:
            environ = simulation.environ() | case.environ
            options = {"concurrency": quota.CONCURRENCY, **case.options}
            summary = await run_async(input_, None, read_settings(options, environ, {}))
        results = input_.with_name("jobs.results.jsonl").read_text().splitlines()
    answers = [json.loads(line)["attempts"][-1]["s"] for line in results]
    return summary.progress.wall_s, summary.progress.stats.wasted_calls, answers


def written_to(path: Path, jobs: list[Job]) -> Path:
    lines = (b'{"model":"%b",%b' % (job.model.encode(), job.body[1:]) for job in jobs)
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=4.5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cells = [
        (name, arguments.minutes, clock) for name in WHOLE_MINUTES for clock in ("real", "virtual")
    ]
    with multiprocessing.Pool(len(WHOLE_MINUTES)) as pool:
        rows = pool.map(run, cells, chunksize=1)
    print(f"{'scenario':18} {'clock':8} {'makespan':>9} {'bound':>7} {'ratio':>6} {'wasted':>7}")
    for row in rows:
        print(
            "{name:18} {clock:8} {makespan_s:9.1f} {bound_s:7.1f} {ratio:6.3f}"
            " {wasted_per_1000:7.2f}".format(**row)
        )
    pairs = zip(rows[::2], rows[1::2], strict=True)
    apart = {r["name"]: round(abs(r["ratio"] - v["ratio"]), 4) for r, v in pairs}
    print("points apart:", apart, "all within" if max(apart.values()) <= POINTS else "MISSED")
    if arguments.json:
        save(arguments.json, rows)


if __name__ == "__main__":
    main()
