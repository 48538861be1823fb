"""The question: how long does it take to go on after a stop, and how much memory does that need.

An output of many results of about 1 kB is made, and its input. Then a fresh process for each
measurement does what a run does before it sends the first job that is left: *results* recovers
the results file (every line is read and its checksum compared) and restores the statistics;
*skip* passes over the lines of the input that are done, comparing each. Where the input was
changed since, *input* comes between the two: every line is checked anew. The files are read once
before, so they come from the cache of the system where they fit.

    python -m benchmarks.resume [--jobs N] [--place DIRECTORY] [--json FILE]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .process import peak_kb
from .record import save

PARTS = ("results", "results", "results", "skip", "input")
TARGETS = {1_000_000: (5.0, 40.0), 10_000_000: (60.0, 150.0)}  # jobs: (seconds, MB) for results
TEXT = b"word " * 118
BODY = (
    b'{"id":"chatcmpl-%d","object":"chat.completion","created":1,"model":"gpt-4o-mini-2024-07-18",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"%b"},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":118}}'
)


def make(place: Path, jobs: int) -> None:
    """An input, and the results of all its jobs."""
    from batchrunner.config import Settings
    from batchrunner.inputs.jsonl import fingerprint
    from batchrunner.model import Attempt, Job, Reply, Result
    from batchrunner.outputs.lines import encode

    cfg = Settings(model="gpt-4o-mini").fingerprint[:8]
    attempts = (Attempt("eastus", "ok", 200, 1.5),)
    with (place / "in.jsonl").open("wb") as lines, (place / "out.jsonl").open("wb") as results:
        for n in range(jobs):
            line = b'{"id":"job-%d","prompt":"Say something about the number %d."}' % (n, n)
            job = Job(n, fingerprint(line), f"job-{n}", "/chat/completions", "gpt-4o-mini", b"")
            reply = Reply(200, {"x-request-id": f"r-{n}"}, BODY % (n, TEXT))
            lines.write(line + b"\n")
            results.write(encode(Result(job, reply, attempts), cfg))


def write_checkpoint(place: Path) -> None:
    """What the run that made the results would have left."""
    import anyio

    from batchrunner.config import Settings
    from batchrunner.ledger import Ledger

    async def save() -> None:
        ledger = Ledger.open(place / "out.jsonl", Settings(model="gpt-4o-mini"))
        async with ledger.journal:
            await ledger.save(wall_s=0.0, complete=True)

    anyio.run(save)


def measure(place: Path, part: str) -> dict[str, Any]:
    """Seconds and growth in memory of one part, in this very process."""
    import anyio

    from batchrunner import batch
    from batchrunner.config import Settings
    from batchrunner.ledger import Ledger

    settings = Settings(model="gpt-4o-mini")
    before = peak_kb()
    start, cpu = time.perf_counter(), time.process_time()
    ledger = Ledger.open(place / "out.jsonl", settings)
    if part == "input":
        start, cpu = time.perf_counter(), time.process_time()
        anyio.run(batch.survey_input, place / "in.jsonl", settings, ledger.journal.done)
    if part == "skip":
        start, cpu = time.perf_counter(), time.process_time()
        anyio.run(skip, place / "in.jsonl", ledger)
    seconds = time.perf_counter() - start
    grown = peak_kb() - before
    return {
        "part": part,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "grown_mb": round(grown / 1024, 1),
    }


async def skip(path: Path, ledger: Any) -> None:
    """Look for the next job as a run does; there is none."""
    from batchrunner.inputs.feed import Feed
    from batchrunner.inputs.source import Source

    async with Source(path) as lines:
        assert [job async for job in Feed(lines, skip=ledger.is_done)] == []


def in_a_process(place: Path, part: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.resume", "--place", str(place), "--measure", part]
    done = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - ourselves
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--place", type=Path, help="where to make the files; default: TMPDIR")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.place, arguments.measure)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.place) as name:
        place = Path(name)
        make(place, arguments.jobs)
        write_checkpoint(place)
        rows = [in_a_process(place, part) for part in PARTS]
    print(f"{'part':8} {'seconds':>8} {'cpu':>7} {'grown MB':>9}   {arguments.jobs:,} jobs")
    for row in rows:
        row["jobs"] = arguments.jobs
        print(f"{row['part']:8} {row['seconds']:8.2f}", end=" ")
        print(f"{row['cpu_seconds']:7.2f} {row['grown_mb']:9.1f}")
    if arguments.json:
        save(arguments.json, rows)
    most_seconds, most_megabytes = TARGETS.get(arguments.jobs, (float("inf"), float("inf")))
    best = min(row["seconds"] for row in rows if row["part"] == "results")
    sys.exit(best > most_seconds or rows[0]["grown_mb"] > most_megabytes)


if __name__ == "__main__":
    main()
