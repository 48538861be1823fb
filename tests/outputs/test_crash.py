"""Whatever call a run dies at, and whatever the disk makes of it, nothing that was safe is lost.

A small run is played on a simulated disk and crashed at every call that changes the disk; for each
of these, several states of the disk are tried; and the run after the crash is crashed as well, so
that recovery is interrupted too. Lines are written by the very code that the writer thread runs.

``CRASH_SEEDS=1000 pytest tests/outputs/test_crash.py`` plays more runs.
"""

import os
import random
import re
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from batchrunner.errors import BatchrunnerError, DiskError
from batchrunner.outputs import checkpoint, recovery, survey
from batchrunner.outputs.lines import check, retryable
from batchrunner.outputs.publish import publish
from batchrunner.outputs.recovery import Known, recover
from batchrunner.outputs.tape import Tape

from .builders import AGAIN, line
from .simulated import Crash, SimulatedDisk

SEEDS = int(os.environ.get("CRASH_SEEDS", "8"))
JOBS = 18
OUTPUT = Path("/d/results.jsonl")
CHECKPOINT = checkpoint.checkpoint_path(OUTPUT)
CRASHES = ("kill", "none", "all", "some", "some", "some")  # the last has many forms


class World:
    """Everything that happened in all runs, and what must therefore be true."""

    disk_class = SimulatedDisk

    def __init__(self, faults=0.0):
        self.faults = faults  # how often a sync fails; writes fail more often
        self.paid = Counter()
        self.safe = set()  # answers that nothing may lose
        self.written = set()  # those that the death of the process may not lose either
        self.crashes = 0

    def pay(self, ordinal):
        """Some jobs fail at first, and are to be tried again by the next run."""
        self.paid[ordinal] += 1
        fails = ordinal % 5 == 3 and self.paid[ordinal] == 1
        body = b'{"text":"%s"}' % (b"answer %d " % ordinal * (1 + ordinal % 9))
        return line(ordinal, body, AGAIN if fails else None)

    def crash(self, disk, mode):
        self.crashes += 1
        if mode == "kill":
            return disk.kill()
        self.written = set(self.safe)
        return disk.power_cut(mode)

    def run(self, disk, rng):
        """What the shell does with the outputs, from start to end."""
        tape, done = self.start(disk)
        todo = [ordinal for ordinal in range(JOBS) if ordinal not in done]
        records = len(done)
        while todo:
            size = rng.randint(1, 4)
            group, todo = todo[:size], todo[size:]
            lines = [self.pay(ordinal) for ordinal in group]
            write_patiently(tape, lines)
            self.written |= {check(text)[0] for text in lines if not retryable(text)}
            records += len(lines)
            if rng.random() < 0.5 or not todo:
                self.save(tape, records, disk, publishes=rng.random() < 0.5)

    def start(self, disk):
        loaded = checkpoint.load(CHECKPOINT, disk)
        assert "damaged" not in (loaded.reason or ""), "half a checkpoint under its name"
        withdraw = partial(self.withdraw, disk)
        known = Known(drop=retryable, before_compaction=withdraw, **(loaded.fields or {}))
        found = recover(OUTPUT, known, disk)
        lost = {ordinal for ordinal in self.written if ordinal not in found.done}
        assert not lost, f"lost, and about to be paid again: {lost}"
        self.safe = {ordinal for ordinal in range(JOBS) if ordinal in found.done}
        self.written = set(self.safe)
        self.promise(found.size, len(found.done), disk)
        return Tape(OUTPUT, found.fd, found.size, disk), found.done

    def save(self, tape, records, disk, *, publishes):
        tape.sync()
        self.safe |= self.written
        if publishes:
            self.promise(tape.size, records, disk)

    def withdraw(self, disk):
        publish(CHECKPOINT, checkpoint.encode({"synced": 0, "records": 0}), disk)

    def promise(self, synced, records, disk):
        with suppress(OSError):  # an older checkpoint does as well
            publish(CHECKPOINT, checkpoint.encode({"synced": synced, "records": records}), disk)

    def verify(self, disk):
        """The file has one whole line for every job, and nothing else."""
        lines = disk.reader(OUTPUT).read().splitlines(keepends=True)
        entries = [check(text) for text in lines]
        assert None not in entries, "a bad line is left"
        assert sorted(ordinal for ordinal, _ in entries) == list(range(JOBS))


def chance(seed):
    return random.Random(seed)


def write_patiently(tape, lines):
    while True:
        try:
            return tape.write(lines)
        except OSError:
            continue


def live(world, disk, rng, crash_at, mode):
    """One run; the disk as the next one finds it, and whether this one met its crash."""
    disk.crash_at = disk.calls + crash_at if crash_at else None
    disk.full, disk.bad_sync = 5 * world.faults, world.faults
    try:
        world.run(disk, rng)
    except Crash:
        return world.crash(disk, mode), True
    except DiskError:  # a sync failed: this run gives up
        return world.crash(disk, "kill"), False
    return disk, False


def story(make_world, seed, crash_at, mode):
    """A run that crashes at one call, others that crash early, and one that is left alone."""
    world = make_world()
    rng = chance(f"{seed} {crash_at} {mode}")
    disk = world.disk_class(chance(seed))
    disk, crashed = live(world, disk, chance(seed), crash_at, mode[1])
    for _ in range(rng.randint(0, 3)):
        disk, _ = live(world, disk, rng, rng.randint(1, 20), rng.choice(CRASHES))
    world.faults = 0.0
    disk, _ = live(world, disk, rng, None, None)
    world.verify(disk)
    return world.crashes if crashed else 0


def crash_everywhere(make_world, seed):
    """The number of crashes that were survived: at every call of the run, in every way."""
    crashes, crash_at = 0, 0
    while True:
        crash_at += 1
        survived = sum(story(make_world, seed, crash_at, mode) for mode in enumerate(CRASHES))
        crashes += survived
        if not survived:
            return crashes


@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_is_lost_wherever_a_run_crashes(seed):
    assert crash_everywhere(World, seed) > 100


@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_is_lost_on_a_disk_that_is_full_and_fails_now_and_then(seed):
    assert crash_everywhere(partial(World, faults=0.05), seed) > 0


# --- planted bugs: each must be caught, or the tests above prove nothing


class EagerWorld(World):
    def save(self, tape, records, disk, *, publishes):
        self.promise(tape.size, records, disk)
        super().save(tape, records, disk, publishes=publishes)


class SilentWorld(World):
    def withdraw(self, disk):
        pass


class SyncsNo(SimulatedDisk):
    """A disk on which files with one suffix are not synced."""

    suffix = ""

    def fsync(self, fd):
        if self.files[fd][0].name.endswith(self.suffix):
            self._tick()
        else:
            super().fsync(fd)


class SyncsNoDraft(SyncsNo):
    suffix = ".compact"


class SyncsNoSmallFile(SyncsNo):
    suffix = ".tmp"


class SyncsNoResults(SyncsNo):
    suffix = ".jsonl"


class CutsNothing(SimulatedDisk):
    def ftruncate(self, fd, size):  # noqa: ARG002 - that is the bug
        self._tick()


def on(disk_class):
    return lambda _: type("", (World,), {"disk_class": disk_class})


def with_world(world):
    return lambda _: world


def without(module, name, replacement):
    def plant(monkeypatch):
        monkeypatch.setattr(module, name, replacement)
        return World

    return plant


def trusting_check(text):
    found = re.match(rb'\{"i":(\d+),"fp":"([0-9a-f]{16})",.*\}\n$', text, re.DOTALL)
    return check(text) or (found and (int(found[1]), found[2]))


def settle_without(*names):
    """Recovery, but one of its last steps is forgotten."""

    def plant(monkeypatch):
        class Forgetful(SimulatedDisk):
            settling = False

            def fsync(self, fd):
                if not (self.settling and "fsync" in names):
                    super().fsync(fd)

            def fsync_directory(self, path):
                if not (self.settling and "fsync_directory" in names):
                    super().fsync_directory(path)

        def settle(path, synced, disk, result, settle=recovery._settle):
            disk.settling = True
            settle(path, synced, disk, result)
            disk.settling = False

        monkeypatch.setattr(recovery, "_settle", settle)
        return type("", (World,), {"disk_class": Forgetful})

    return plant


def never_scattered(monkeypatch):
    real = recovery.survey

    def survey(*args):
        found = real(*args)
        found.scattered = False
        return found

    monkeypatch.setattr(recovery, "survey", survey)
    return World


def sync_tried_again(monkeypatch):
    real = Tape.sync

    def sync(self):
        try:
            real(self)
        except DiskError:
            self._broken = None
            sync(self)

    monkeypatch.setattr(Tape, "sync", sync)
    return World


BUGS = {
    "no checksum": without(survey, "check", trusting_check),
    "nothing is synced": on(SyncsNoResults),
    "the torn tail is not cut": on(CutsNothing),
    "the new file is not synced before its name": on(SyncsNoDraft),
    "the checkpoint is not synced before its name": on(SyncsNoSmallFile),
    "the checkpoint promises before the sync": with_world(EagerWorld),
    "the promise is not withdrawn before a compaction": with_world(SilentWorld),
    "whole lines behind a hole are cut off": never_scattered,
    "what a killed run left in the cache is not synced": settle_without("fsync"),
    "the name of the file is not synced": settle_without("fsync_directory"),
    "what a failed sync left is not written again": without(
        recovery, "_write_again", lambda *_: None
    ),
    "a failed sync is tried again": sync_tried_again,
    "half a group is not cut back": without(Tape, "_cut_back", lambda _: None),
}


def search(world, seeds):
    for seed in seeds:
        crash_everywhere(world, seed)
        crash_everywhere(partial(world, faults=0.05), seed)


@pytest.mark.parametrize("bug", BUGS)
def test_the_planted_bug_is_caught(bug, monkeypatch):
    world = BUGS[bug](monkeypatch)

    with pytest.raises((AssertionError, BatchrunnerError)):
        search(world, range(10))
