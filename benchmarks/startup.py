"""The question: how long does a user wait before anything happens.

*help* is ``batchrunner --help``, *python* an interpreter that does nothing, which no program can
beat. *first request* goes from the start of a run with a hundred jobs until its first request
reaches a server; then the run is killed. *validation* is a run whose input has one bad line, the
last: everything is read and checked, and nothing is sent; the same with the bad line alone is
taken off. Each has its own process; the first round only warms the caches up and does not count.
Medians; *others* is the share of the core that other programs took meanwhile.

    python -m benchmarks.startup [--rounds N] [--lines N] [--json FILE]
"""

import argparse
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from .contenders.contest import KEY
from .process import CLIENT_CORE, Cost, clean_environ, measure, pinned, prepare
from .record import installed, save
from .workload import write_jobs

MOST_S = {"help": 0.25, "first request": 0.8}
FEWEST_LINES = 200_000.0  #: validated a second
JOBS = 100
BAD_INPUT = 2  #: exit code
COMMAND = ("-m", "batchrunner")


def nothing(place: Path) -> float:
    return measure(["-c", "pass"], place).seconds


def show_help(place: Path) -> float:
    return measure([*COMMAND, "--help"], place).seconds


def first_request(place: Path) -> float:
    """Seconds until the first bytes of a request arrive."""
    if not (place / "small.jsonl").exists():
        write_jobs(place / "small.jsonl", JOBS)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = pinned(CLIENT_CORE, sys.executable, *COMMAND, "run", "small.jsonl", "--quiet")
        start = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - ourselves
            command, cwd=place, env=clean_environ() | target(listener), stderr=subprocess.PIPE
        )
        try:
            listener.settimeout(60)
            connection, _ = listener.accept()
            with connection:
                connection.recv(1)
            return time.perf_counter() - start
        finally:
            process.kill()
            process.communicate()
            for left in place.glob("small.results*"):
                left.unlink()


def target(listener: socket.socket) -> dict[str, str]:
    port = listener.getsockname()[1]
    return {"AZURE_OPENAI_API_KEY_1": KEY, "AZURE_OPENAI_ENDPOINT_1": f"http://127.0.0.1:{port}"}


def validate(place: Path, lines: int) -> Cost:
    """A run that finds the last line of its input to be no job."""
    path = place / f"bad-{lines}.jsonl"
    if not path.exists():
        write_jobs(path, lines)
        with path.open("a") as file:
            file.write('{"id":"bad"}\n')
    environ = {"AZURE_OPENAI_API_KEY_1": KEY, "AZURE_OPENAI_ENDPOINT_1": "http://127.0.0.1:9"}
    return measure([*COMMAND, "run", path, "--quiet"], place, environ, expected=BAD_INPUT)


def timed(part: str, wait: Callable[[Path], float], place: Path, rounds: int) -> dict[str, Any]:
    seconds = [wait(place) for _ in range(rounds + 1)][1:]
    row: dict[str, Any] = {
        "part": part,
        "seconds": round(median(seconds), 3),
        "least": round(min(seconds), 3),
        "most": round(max(seconds), 3),
    }
    return row | {"missed": row["seconds"] > MOST_S.get(part, float("inf"))}


def validation(place: Path, lines: int, rounds: int) -> dict[str, Any]:
    whole = [validate(place, lines) for _ in range(rounds)]
    alone = [validate(place, 0) for _ in range(rounds)]
    took = median(c.seconds for c in whole) - median(c.seconds for c in alone)
    cpu = median(c.cpu_seconds for c in whole) - median(c.cpu_seconds for c in alone)
    return {
        "part": "validation",
        "seconds": round(took, 3),
        "cpu_seconds": round(cpu, 3),
        "lines": lines,
        "lines_per_s": round(lines / took),
        "lines_per_cpu_s": round(lines / cpu),
        "others": round(median(c.others for c in whole), 3),
        "missed": lines / took < FEWEST_LINES,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--lines", type=int, default=400_000)
    parser.add_argument("--place", type=Path, help="where to make the files; default: TMPDIR")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    prepare()
    parts = {"python": nothing, "help": show_help, "first request": first_request}
    with tempfile.TemporaryDirectory(dir=arguments.place) as name:
        place = Path(name)
        rows = [timed(part, wait, place, arguments.rounds) for part, wait in parts.items()]
        rows.append(validation(place, arguments.lines, arguments.rounds))
    for row in rows:
        print(f"{row['part']:14} {row['seconds']:7.3f} s", end="")
        if "least" in row:
            print(f"  ({row['least']:.3f} to {row['most']:.3f})", end="")
        else:
            print("  {lines:,} lines, {lines_per_s:,} a second".format(**row), end="")
            print(" ({lines_per_cpu_s:,} a CPU second, others {others:.0%})".format(**row), end="")
        print("  MISSED" if row["missed"] else "")
    if arguments.json:
        save(arguments.json, rows, installed("openai", "aiohttp", "uvloop", "orjson"))
    sys.exit(any(row["missed"] for row in rows))


if __name__ == "__main__":
    main()
