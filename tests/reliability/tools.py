"""What the tests of this folder share: how long they go on, and the appender as a process."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

from batchrunner.outputs.lines import check

ROOT = Path(__file__).parents[2]
LONG = bool(os.environ.get("LONG_TESTS"))


def rounds(short, long):
    """How often: a few times always, many times with ``LONG_TESTS=1``."""
    return range(long if LONG else short)


def append(output, jobs, *options, strace=(), **popen):
    """The appender, started; ``strace`` is what that one is told to do to it."""
    command = [sys.executable, "-m", "tests.reliability.appender", output, jobs, *options]
    if strace:
        log = output.with_name("strace.log")
        command = ["strace", "-f", "-qq", "-o", log, *strace, *command]
    return subprocess.Popen(  # noqa: S603 - our own command line
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        **popen,
    )


def finished(process, patience=60):
    """Exit code, what it said, and what it complained of."""
    out, err = process.communicate(timeout=patience)
    assert b"Traceback" not in err, err.decode()
    return process.returncode, Said(out), err.decode()


class Said(Counter):
    """What an appender said: how often which word with which job."""

    def __init__(self, out):
        lines = [line.split() for line in out.decode().splitlines(keepends=True) if "\n" in line]
        super().__init__(tuple(line) for line in lines)

    def jobs(self, word):
        return {int(said[1]) for said in self if said[0] == word}

    @property
    def is_done(self):
        return ("done",) in self


def assert_whole(output, jobs):
    """One whole line for each job, and nothing else."""
    lines = output.read_bytes().splitlines(keepends=True)
    entries = [check(line) for line in lines]
    assert None not in entries
    assert sorted(ordinal for ordinal, _ in entries) == list(range(jobs))


@cache
def why_no_strace():
    """Why system calls cannot be tampered with here; None where they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-qq", "true"], capture_output=True, check=False)  # noqa: S607
    return None if tried.returncode == 0 else f"ptrace is refused: {tried.stderr.decode()[:80]}"


@cache
def why_no_mounts():
    """Why no file system can be mounted here; None where it can."""
    if os.geteuid() != 0:
        return "only root may mount"
    if missing := [tool for tool in ("mkfs.ext4", "mount") if shutil.which(tool) is None]:
        return f"{missing[0]} is not installed"
    return None
