"""The question: how much memory does a run need, for jobs, and for answers on their way.

The command itself, against a server on this machine that lets every request wait; the peak is
the VmHWM of its process. *base* is a thousand jobs, 16 at a time. *flight* has 2,000 slow answers
on their way at once, and may cost 60 MB more than the base; by TLS that much more than *bare*
connections cost, of the same event loop and with nothing else, which is more than that already.
*count* is the same as *flight* with many more jobs, and may cost no more than with few. A row
whose server never saw as many at once as it should counts as missed.

    python -m benchmarks.memory [--full] [--only flight|count] [--json FILE]

``--full`` adds ten million jobs, which needs 25 GB on the disk.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from . import slow
from .process import measure, prepare
from .record import installed, save
from .workload import write_jobs

MOST_FOR_FLIGHT = 60.0  #: MB over the base, for 2,000 slow answers
MOST_FOR_COUNT = 17.0  #: MB that a million jobs may take over ten thousand: 16 bytes each
MOST_IN_ALL = 300.0  #: MB for ten million jobs and 2,000 in flight
ENOUGH = 0.95  #: of the places must have been taken at once


@dataclass(frozen=True, slots=True)
class Case:
    """So many jobs and places, and a server that waits so many seconds."""

    part: str
    jobs: int
    concurrency: int
    seconds: float
    tls: bool = False

    @property
    def command(self) -> list[str]:
        """Whose memory it is."""
        contender = "bare" if self.part == "bare" else "batchrunner"
        return ["-m", f"benchmarks.contenders.{contender}", "jobs.jsonl", "results.jsonl"]


CASES = (
    Case("base", 1_000, 16, 0.02),
    Case("base", 1_000, 16, 0.02, tls=True),
    Case("flight", 12_000, 2_000, 2.0),
    Case("flight", 12_000, 2_000, 2.0, tls=True),
    Case("bare", 16, 16, 2.0),
    Case("bare", 16, 16, 2.0, tls=True),
    Case("bare", 2_000, 2_000, 2.0),
    Case("bare", 2_000, 2_000, 2.0, tls=True),
    Case("count", 10_000, 2_000, 1.0),
    Case("count", 1_000_000, 2_000, 1.0),
)
FULL = Case("count", 10_000_000, 2_000, 0.5)


def run(case: Case, place: Path) -> dict[str, Any]:
    """What the command needs for it."""
    write_jobs(place / "jobs.jsonl", case.jobs)
    with slow.serving(place, case.seconds, tls=case.tls) as server:
        cost = measure(
            [*case.command, server.url, "--concurrency", str(case.concurrency)],
            place,
            {"SSL_CERT_FILE": str(server.ca_file)} if server.ca_file else None,
        )
        return {
            "part": case.part,
            "tls": case.tls,
            "jobs": case.jobs,
            "concurrency": case.concurrency,
            "at_once": server.most_at_once,
            "seconds": round(cost.seconds, 1),
            "peak_mb": round(cost.peak_mb, 1),
        }


def judge(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each row with what it took over the one that it is compared with, and whether too much."""
    first = {(row["part"], row["tls"]): row["peak_mb"] for row in reversed(rows)}
    last = {(row["part"], row["tls"]): row["peak_mb"] for row in rows}
    by_tls = last.get(("bare", True), 0.0) - first.get(("bare", True), 0.0)
    for row in rows:
        other = "base" if row["part"] == "flight" else row["part"]
        over = round(row["peak_mb"] - first[other, row["tls"]], 1)
        bounds = {"flight": MOST_FOR_FLIGHT + row["tls"] * by_tls, "count": MOST_FOR_COUNT}
        is_over = over > bounds.get(row["part"], inf)
        if row["jobs"] == FULL.jobs:
            is_over = row["peak_mb"] > MOST_IN_ALL
        is_short = row["at_once"] < ENOUGH * row["concurrency"]
        yield row | {"over_mb": over, "missed": is_over or is_short}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", choices=("flight", "count"), help="and the base")
    parser.add_argument("--place", type=Path, help="where to make the files; default: TMPDIR")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    prepare()
    rows = []
    for case in CASES + ((FULL,) if arguments.full else ()):
        wanted = {None, "flight" if case.part == "bare" else case.part}
        if arguments.only in wanted or case.part == "base":
            with tempfile.TemporaryDirectory(dir=arguments.place) as name:
                rows.append(run(case, Path(name)))
    rows = list(judge(rows))
    print(
        f"{'part':6} {'tls':>3} {'jobs':>10} {'places':>6} {'at once':>7} {'seconds':>8}", end=""
    )
    print(f" {'peak MB':>8} {'over MB':>8}")
    for row in rows:
        print(
            "{part:6} {0:>3} {jobs:10,} {concurrency:6,} {at_once:7,} {seconds:8.1f}"
            " {peak_mb:8.1f} {over_mb:8.1f}{1}".format(
                "yes" if row["tls"] else "no", "  MISSED" if row["missed"] else "", **row
            )
        )
    if arguments.json:
        save(arguments.json, rows, installed("openai", "aiohttp", "uvloop", "orjson"))
    sys.exit(any(row["missed"] for row in rows))


if __name__ == "__main__":
    main()
