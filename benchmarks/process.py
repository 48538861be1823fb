"""What a process costs, seen from outside: time, CPU time and memory.

Who is measured runs on one core; the server, and whoever measures, on another, where there are
two. The counters of the system tell whether both cores were theirs.
"""

import os
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).parents[1]
CLIENT_CORE, *_, SERVER_CORE = sorted(os.sched_getaffinity(0)) * 2
_KEPT_OUT = re.compile(r"(?i)^(OPENAI|AZURE|BATCHRUNNER|LITELLM|PYTHON|SSL)_|^PYTHON|_proxy$")
_POLL_S = 0.02
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took from its start to its end."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    others: float  #: the share of its core that others took meanwhile
    spare: float  #: the share of the server's core that nobody wanted


def measure(
    command: Sequence[str | Path],
    place: Path,
    environ: Mapping[str, str] | None = None,
    *,
    python: str | Path = sys.executable,
    expected: int = 0,
) -> Cost:
    """Run Python with ``command`` in ``place``, on the client's core.

    It sees this project's packages and a clean environment. RuntimeError where it does not end
    as ``expected``.
    """
    with (place / "errors.txt").open("w+b") as errors:
        client, server, start = _used(CLIENT_CORE), _idle(SERVER_CORE), perf_counter()
        process = subprocess.Popen(  # noqa: S603 - ourselves
            pinned(CLIENT_CORE, python, *command),
            cwd=place,
            env=clean_environ() | dict(environ or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        with _watching(process.pid) as peak:
            try:
                _, status, usage = os.wait4(process.pid, 0)
            except BaseException:
                process.kill()
                raise
            seconds = perf_counter() - start
        client, server = _used(CLIENT_CORE) - client, _idle(SERVER_CORE) - server
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        said = errors.read().decode(errors="replace")[-2000:]
    if process.returncode != expected:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {process.returncode}\n{said}")
    cpu = usage.ru_utime + usage.ru_stime
    others, spare = max(0.0, client - cpu) / seconds, server / seconds
    return Cost(seconds, cpu, max(peak, default=0) / 1024, round(others, 3), round(spare, 3))


def pinned(core: int, *command: str | Path) -> list[str]:
    """``command``, to be run on one core."""
    return ["taskset", "--cpu-list", str(core), *map(str, command)]


def clean_environ() -> dict[str, str]:
    """The environment without what would change how somebody is measured."""
    kept = {name: value for name, value in os.environ.items() if not _KEPT_OUT.search(name)}
    return kept | {"PYTHONPATH": str(ROOT)}


def prepare() -> None:
    """Leave the client's core, and allow as many connections as the system lets us have.

    Processes started from here inherit both. They are ended where this one is asked to end.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    os.sched_setaffinity(0, {SERVER_CORE})
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def peak_kb(pid: int | str = "self") -> int:
    """The most memory a process ever had; getrusage would count its parent's too."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0


def _used(core: int) -> float:
    """Seconds that processes have had of ``core``, or that its host withheld."""
    user, nice, system, _idle, _iowait, _irq, _softirq, steal = _ticks(core)
    return (user + nice + system + steal) * _TICK_S


def _idle(core: int) -> float:
    """Seconds in which nobody has wanted ``core``."""
    return sum(_ticks(core)[3:5]) * _TICK_S


def _ticks(core: int) -> list[int]:
    found = re.search(rf"(?m)^cpu{core} (.*)$", Path("/proc/stat").read_text())
    return [int(text) for text in found[1].split()[:8]] if found else [0] * 8


@contextmanager
def _watching(pid: int) -> Iterator[list[int]]:
    """The peaks seen while it runs; its memory is gone before it can be waited for."""
    peaks: list[int] = []
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(_POLL_S):
            try:
                peaks.append(peak_kb(pid))
            except OSError:
                return

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield peaks
    finally:
        is_over.set()
        watcher.join()
