"""A run without a network: pays for jobs out of nothing and records them as a run does.

    python -m tests.reliability.appender OUTPUT JOBS [--durability D] [--disk-wait S] [--no-sync]

It says on standard output, a line at once for each: ``p N`` job N is paid for, ``w N`` its line
is written, ``s N`` it was on the medium when the checkpoint said so, ``done``. ``--no-sync`` is
the planted bug: nothing is ever synced, and it says so nevertheless.
"""

import argparse
import os
import random
import sys
from pathlib import Path

import anyio

from batchrunner.config import Settings
from batchrunner.errors import BatchrunnerError, raise_first
from batchrunner.ledger import Ledger
from batchrunner.model import Attempt, Job, Reply, Result
from batchrunner.outputs.disk import Disk
from batchrunner.outputs.lock import acquire

WORKERS = 8
SAVE_EVERY = 20  #: jobs


def say(*words):
    os.write(1, " ".join(map(str, words)).encode() + b"\n")


def result(ordinal):
    """The answer to a job: always the same, and of any length up to some blocks."""
    rng = random.Random(ordinal)
    body = b'{"n":%d,"text":"%s"}' % (ordinal, b"x" * int(rng.expovariate(1 / 900)))
    job = Job(ordinal, f"{ordinal:016x}", f"job-{ordinal}", "/chat/completions", "m", b"")
    return Result(job, Reply(200, {}, body), (Attempt("eastus", "ok", 200, 0.5),))


async def fill(ledger, jobs):
    written = []
    todo = iter([n for n in range(jobs) if n not in ledger.journal.done])

    async def work():
        for ordinal in todo:
            say("p", ordinal)
            await ledger.record(result(ordinal))
            written.append(ordinal)
            say("w", ordinal)
            if len(written) % SAVE_EVERY == 0:
                await save()

    async def save(*, complete=False):
        safe = written.copy()
        try:
            await ledger.save(wall_s=0.0, complete=complete)
        except OSError as error:
            say("unsaved", error.errno)
            return
        for ordinal in safe:
            say("s", ordinal)

    async with anyio.create_task_group() as group:
        for _ in range(WORKERS):
            group.start_soon(work)
    await save(complete=True)
    say("done")


async def main(options):
    settings = Settings(durability=options.durability, disk_wait=options.disk_wait)
    with acquire(options.output):
        ledger = Ledger.open(options.output, settings)
        say("found", len(ledger.journal.done))
        async with ledger.journal:
            try:
                await fill(ledger, options.jobs)
            except* BatchrunnerError as group:
                raise_first(group)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("output", type=Path)
    parser.add_argument("jobs", type=int)
    parser.add_argument("--durability", default="normal")
    parser.add_argument("--disk-wait", type=float, default=600.0)
    parser.add_argument("--no-sync", action="store_true")
    given = parser.parse_args()
    if given.no_sync:
        Disk.fsync = Disk.fdatasync = Disk.fsync_directory = lambda *_: None
    try:
        anyio.run(main, given)
    except BatchrunnerError as failure:
        sys.stderr.write(f"{failure}\n")
        sys.exit(failure.exit_code)
