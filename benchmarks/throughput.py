"""The question: how many jobs a second does one core do, and what does each cost it.

End to end: a file of jobs of about 1 kB goes in, a file with all answers comes out. The server is
nginx with one static answer, on the other core. Everybody runs in a process of its own and is
measured from outside. What a contender needs for one job is its start-up, measured in every round
and taken off, so that contenders of different speed can be given different numbers of jobs; the
figures of the whole process are in ``--json``. The order alternates from round to round; ratios
are taken within a round. Medians.

    python -m benchmarks.throughput [--jobs N] [--rounds N] [--concurrency N …] [--tls no|yes|both]
                                    [--only NAME …] [--peers DIRECTORY] [--json FILE]
    python -m benchmarks.throughput --scale      # 10,000 jobs and 1,000,000: as many a second?
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from . import peers
from .nginx import Server, serving
from .process import Cost, measure, prepare
from .record import installed, save
from .workload import count_answers, write_jobs

#: the least that our jobs a second may be, as a multiple of another's, where there is a target
TARGETS = {"aiohttp_loop": 0.65, "gather": 8.0, "litellm": 10.0, "async_batch_llm": 5.0}
OURS = "batchrunner"
SCALE = (10_000, 1_000_000)
MOST_LOST = 0.05  #: of the jobs a second, from the smaller to the larger
DISTURBED = 0.1  #: of the client's core, taken by others; of the server's core, left
TRIES = 3  #: until a measurement is not disturbed
FEWEST = 5  #: jobs for each place, so that opening connections does not decide


@dataclass(frozen=True, slots=True)
class Contender:
    """Who takes part, with how many regions, and with which part of the jobs."""

    name: str
    regions: int = 1
    share: float = 1.0

    @property
    def label(self) -> str:
        """How the table calls it."""
        return f"{self.name}, {self.regions} regions" if self.regions > 1 else self.name

    def jobs(self, jobs: int, concurrency: int) -> int:
        """How many it gets where the fast ones get ``jobs``."""
        return min(jobs, max(round(self.share * jobs), FEWEST * concurrency))


CONTENDERS = (
    Contender(OURS),
    Contender(OURS, regions=5),
    Contender("aiohttp_loop"),
    Contender("transport_loop"),
    Contender("gather", share=0.1),
    Contender("litellm", regions=5, share=0.05),
    Contender("async_batch_llm", share=0.1),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One contender in one round: all of its jobs, and one job alone."""

    jobs: int
    whole: Cost
    start: Cost

    @property
    def rate(self) -> float:
        """Jobs a second, once it has started."""
        return (self.jobs - 1) / (self.whole.seconds - self.start.seconds)

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU time that one more job costs."""
        return 1e6 * (self.whole.cpu_seconds - self.start.cpu_seconds) / (self.jobs - 1)


class Ground:
    """A directory, a server, and the environments of the peers."""

    def __init__(
        self, place: Path, server: Server, pythons: dict[str, Path], tries: int = TRIES
    ) -> None:
        self._place = place
        self._server = server
        self._pythons = pythons
        self._tries = tries

    def sample(self, contender: Contender, jobs: int, concurrency: int) -> Sample:
        """One job alone, then all of them."""
        start = self._answer(contender, 1, concurrency)
        return Sample(jobs, self._answer(contender, jobs, concurrency), start)

    def _answer(self, contender: Contender, jobs: int, concurrency: int) -> Cost:
        """The first try that was not disturbed, or the one that was disturbed least."""
        tries: list[Cost] = []
        while len(tries) < self._tries:
            tries.append(self._try(contender, jobs, concurrency))
            if tries[-1].others < DISTURBED < tries[-1].spare:
                return tries[-1]
        return min(tries, key=lambda cost: cost.others - min(cost.spare, DISTURBED))

    def _try(self, contender: Contender, jobs: int, concurrency: int) -> Cost:
        jobs_file = self._place / f"jobs-{jobs}.jsonl"
        if not jobs_file.exists():
            write_jobs(jobs_file, jobs)
        ca_file = self._server.ca_file
        with tempfile.TemporaryDirectory(dir=self._place) as name:
            output = Path(name, "results.jsonl")
            module = f"benchmarks.contenders.{contender.name}"
            options = ["--concurrency", str(concurrency), "--regions", str(contender.regions)]
            cost = measure(
                ["-m", module, jobs_file, output, self._server.url, *options],
                Path(name),
                {"SSL_CERT_FILE": str(ca_file)} if ca_file else None,
                python=self._pythons.get(contender.name, sys.executable),
            )
            if (answers := count_answers(output)) != jobs:
                raise RuntimeError(f"{contender.label}: {answers} answers to {jobs} jobs")
        return cost


@contextmanager
def laid(
    arguments: argparse.Namespace, pythons: dict[str, Path], *, tls: bool
) -> Iterator[Ground]:
    """A ground with a server of its own."""
    with (
        tempfile.TemporaryDirectory(dir=arguments.place) as name,
        serving(Path(name), tls=tls) as server,
    ):
        yield Ground(Path(name), server, pythons, arguments.tries)


def compete(
    ground: Ground, contenders: Sequence[Contender], rounds: int, jobs: int, concurrency: int
) -> dict[Contender, list[Sample]]:
    """Every contender once in each round, in alternating order."""
    samples: dict[Contender, list[Sample]] = {contender: [] for contender in contenders}
    for n in range(rounds):
        for contender in contenders[:: -1 if n % 2 else 1]:
            mine = contender.jobs(jobs, concurrency)
            samples[contender].append(ground.sample(contender, mine, concurrency))
    return samples


def summarize(
    samples: dict[Contender, list[Sample]], concurrency: int, *, tls: bool
) -> Iterator[dict[str, Any]]:
    """A row for each contender, with our multiple of it."""
    ours = next((of for who, of in samples.items() if who == Contender(OURS)), None)
    for contender, theirs in samples.items():
        row: dict[str, Any] = {
            "contender": contender.label,
            "tls": tls,
            "concurrency": concurrency,
            "jobs": theirs[0].jobs,
            "jobs_per_s": round(median(s.rate for s in theirs), 1),
            "cpu_us_per_job": round(median(s.cpu_us for s in theirs), 1),
            "peak_mb": round(median(s.whole.peak_mb for s in theirs), 1),
            "start_seconds": round(median(s.start.seconds for s in theirs), 2),
            "start_cpu_seconds": round(median(s.start.cpu_seconds for s in theirs), 2),
            "whole_seconds": round(median(s.whole.seconds for s in theirs), 2),
            "whole_cpu_seconds": round(median(s.whole.cpu_seconds for s in theirs), 2),
            "others": round(median(s.whole.others for s in theirs), 3),
            "server_spare": round(median(s.whole.spare for s in theirs), 3),
        }
        if ours and contender.name != OURS:
            pairs = list(zip(ours, theirs, strict=True))
            row["ours_by_rate"] = round(median(o.rate / t.rate for o, t in pairs), 3)
            row["ours_by_cpu"] = round(median(t.cpu_us / o.cpu_us for o, t in pairs), 3)
            row["missed"] = row["ours_by_rate"] < TARGETS.get(contender.name, 0.0)
        yield row


HEAD = (
    f"{'contender':23} {'tls':>3} {'at once':>7} {'jobs':>9} {'jobs/s':>8} {'CPU µs':>7}"
    f" {'MB':>6} {'start s':>7} {'others':>6} {'spare':>5} {'ours by':>7} {'by CPU':>7}"
)


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    text = (
        "{contender:23} {0:>3} {concurrency:7,} {jobs:9,} {jobs_per_s:8,.0f}"
        " {cpu_us_per_job:7,.0f} {peak_mb:6.0f} {start_seconds:7.2f} {others:6.0%}"
        " {server_spare:5.0%}".format("yes" if row["tls"] else "no", **row)
    )
    if "ours_by_rate" in row:
        text += f" {row['ours_by_rate']:7.2f} {row['ours_by_cpu']:7.2f}"
    return text + ("  MISSED" if row.get("missed") else "")


def taking_part(only: Sequence[str], place: Path) -> tuple[list[Contender], dict[str, Path]]:
    """Those who are wanted and can be had, and the Python of each peer."""
    pythons = {
        name: peers.interpreter(name, place) for name in peers.PINNED if not only or name in only
    }
    found = {name: python for name, python in pythons.items() if python}
    wanted = [c for c in CONTENDERS if not only or c.name in only or c.label in only]
    return [c for c in wanted if c.name not in peers.PINNED or c.name in found], found


def throughput(arguments: argparse.Namespace) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """All contenders, in every setting."""
    contenders, pythons = taking_part(arguments.only, arguments.peers)
    rows = []
    print(HEAD)
    for tls in {"no": (False,), "yes": (True,), "both": (False, True)}[arguments.tls]:
        for concurrency in arguments.concurrency:
            with laid(arguments, pythons, tls=tls) as ground:
                samples = compete(
                    ground, contenders, arguments.rounds, arguments.jobs, concurrency
                )
            for row in summarize(samples, concurrency, tls=tls):
                print(line(row), flush=True)
                rows.append(row)
    return rows, {name: peers.versions(python) for name, python in pythons.items()}


def scale(arguments: argparse.Namespace) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Ourselves, with few jobs and with many."""
    rows = []
    print(HEAD)
    few, many = SCALE
    samples: dict[int, list[Sample]] = {few: [], many: []}
    concurrency = arguments.concurrency[0]
    with laid(arguments, {}, tls=False) as ground:
        for n in range(arguments.rounds):
            for jobs in (few, many)[:: -1 if n % 2 else 1]:
                samples[jobs].append(ground.sample(Contender(OURS), jobs, concurrency))
    for jobs in SCALE:
        (row,) = summarize({Contender(OURS): samples[jobs]}, concurrency, tls=False)
        rows.append(row)
    kept = median(m.rate / f.rate for f, m in zip(samples[few], samples[many], strict=True))
    rows[-1] |= {"kept": round(kept, 3), "missed": kept < 1 - MOST_LOST}
    for row in rows:
        print(line(row))
    print(f"jobs a second with {many:,} jobs: {kept:.3f} of those with {few:,}")
    return rows, {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=50_000, help="of the fast contenders")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[256, 64, 2000])
    parser.add_argument("--tls", choices=("no", "yes", "both"), default="both")
    parser.add_argument("--only", nargs="+", default=[], help="names of contenders")
    parser.add_argument("--tries", type=int, default=TRIES, help="until one is not disturbed")
    parser.add_argument("--scale", action="store_true")
    parser.add_argument("--peers", type=Path, default=peers.default_place())
    parser.add_argument("--place", type=Path, help="where to make the files; default: TMPDIR")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    prepare()
    rows, of_peers = scale(arguments) if arguments.scale else throughput(arguments)
    if arguments.json:
        save(arguments.json, rows, installed("openai", "aiohttp", "uvloop", "orjson") | of_peers)
    sys.exit(any(row.get("missed") for row in rows))


if __name__ == "__main__":
    main()
