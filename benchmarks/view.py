"""The question: what does it cost to be shown how a run goes on.

The same run against a simulator in another process, whose quotas decide how long it takes, once
with ``--quiet`` and once with each view: the screen on a terminal of 100 by 30, lines of text and
lines of JSON. What a view costs is the CPU time that the run takes more, for each second that it
lasts; loading what draws and the price list is a part of it. Medians of the rounds.

    python -m benchmarks.view [--rounds N] [--jobs N] [--regions N] [--json FILE]
"""

import argparse
import fcntl
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

from .process import CLIENT_CORE, SERVER_CORE, clean_environ, pinned, prepare
from .record import installed, save
from .workload import write_jobs

MOST = 0.02  #: of a core
COMMAND = (sys.executable, "-m", "batchrunner")
LINES, COLUMNS = 30, 100
RATE = 25  #: jobs a second, of all regions together
VIEWS = {
    "quiet": ["--quiet"],
    "screen": [],
    "text": [],
    "json": ["--log-format", "json"],
}
ON_A_TERMINAL = {"quiet", "screen"}


def scenario(regions: int) -> str:
    """Regions that share the rate, each with a quota of ten seconds.

    No answer is very late: a run whose last one takes half a minute says little of its view.
    """
    one = (
        '[[regions]]\nname = "region-{}"\nrequest_window = 10.0\nrpm = {}\n'
        "latency = {{ slow_rate = 0.0 }}\n"
    )
    faults = '[[regions.faults]]\nkind = "error"\nrate = 0.02\nstatus = 500\n'
    limit = 60 * RATE // regions
    return "\n".join(one.format(number, limit) + faults for number in range(regions))


@contextmanager
def simulator(place: Path, regions: int) -> Iterator[dict[str, str]]:
    """The variables that lead to a simulator in a process of its own."""
    (place / "scenario.toml").write_text(scenario(regions))
    process = subprocess.Popen(  # noqa: S603 - ourselves
        pinned(SERVER_CORE, *COMMAND, "simulate", "scenario.toml", "--port", "0"),
        cwd=place,
        env=clean_environ() | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        variables: dict[str, str] = {}
        while f"AZURE_OPENAI_REGION_{regions}" not in variables:
            name, _, value = (process.stdout or sys.stdin).readline().strip().partition("=")
            variables[name] = value
        yield variables
    finally:
        process.terminate()
        process.wait()


def run(view: str, place: Path, environ: dict[str, str]) -> tuple[float, float, int]:
    """Seconds, CPU seconds, and bytes shown, of one run."""
    if view in ON_A_TERMINAL:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    else:
        ours, theirs = os.pipe()
    options = ["--model", "gpt-4o-mini", "--restart", *VIEWS[view]]
    start = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - ourselves
        pinned(CLIENT_CORE, *COMMAND, "run", "jobs.jsonl", *options),
        cwd=place,
        env=clean_environ() | environ | {"TERM": "xterm-256color"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    shown = [0]
    reader = threading.Thread(target=drain, args=(ours, shown))
    reader.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.kill()
        raise
    seconds = time.perf_counter() - start
    reader.join()
    os.close(ours)
    if (code := os.waitstatus_to_exitcode(status)) != 0:
        raise RuntimeError(f"a run with the view {view!r} ended with exit code {code}")
    process.returncode = code
    return seconds, usage.ru_utime + usage.ru_stime, shown[0]


def drain(descriptor: int, shown: list[int]) -> None:
    """Read what is shown until there is no more."""
    with suppress(OSError):  # how a terminal says that nobody writes to it any more
        while part := os.read(descriptor, 65_536):
            shown[0] += len(part)


def measure(place: Path, regions: int, jobs: int, rounds: int) -> list[dict[str, Any]]:
    """Every view, one after the other, as often as there are rounds."""
    write_jobs(place / "jobs.jsonl", jobs)
    samples: dict[str, list[tuple[float, float, int]]] = {view: [] for view in VIEWS}
    for _ in range(rounds):
        for view, found in samples.items():
            with simulator(place, regions) as environ:
                found.append(run(view, place, environ))
    bare = median(cpu / seconds for seconds, cpu, _ in samples["quiet"])
    rows = []
    for view, found in samples.items():
        share = median(cpu / seconds for seconds, cpu, _ in found)
        row: dict[str, Any] = {
            "view": view,
            "seconds": round(median(seconds for seconds, _, _ in found), 1),
            "cpu_share": round(share, 4),
            "view_share": round(share - bare, 4),
            "bytes_per_s": round(median(shown / seconds for seconds, _, shown in found)),
        }
        rows.append(row | {"missed": row["view_share"] > MOST})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=750)
    parser.add_argument("--regions", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    prepare()
    with tempfile.TemporaryDirectory() as name:
        rows = measure(Path(name), arguments.regions, arguments.jobs, arguments.rounds)
    for row in rows:
        print(
            "{view:8} {seconds:6.1f} s  CPU {cpu_share:6.2%} of a core, the view {view_share:6.2%}"
            "  {bytes_per_s:7,} bytes/s".format(**row),
            "  MISSED" if row["missed"] else "",
        )
    if arguments.json:
        save(arguments.json, rows, installed("rich", "uvloop"))
    sys.exit(any(row["missed"] for row in rows))


if __name__ == "__main__":
    main()
