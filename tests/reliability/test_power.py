"""Real power cuts: an ext4 on a loop device is shut down without its log, and mounted again.

What was reported as safe before the cut must be there after it. The control does the same
without a single sync, and must lose something: otherwise a green test proves nothing.
"""

import fcntl
import os
import random
import struct
import subprocess
from contextlib import contextmanager

import pytest

from .tools import append, assert_whole, finished, rounds, why_no_mounts

pytestmark = [
    pytest.mark.socket,
    pytest.mark.skipif(why_no_mounts() is not None, reason=str(why_no_mounts())),
]
SHUTDOWN = 0x8004587D
WITHOUT_LOG = struct.pack("I", 2)
JOBS = 1_000


class Loop:
    """A small ext4 that can lose its power."""

    def __init__(self, place, options):
        self.image, self.point = place / "image", place / "disk"
        self.options = f"loop,{options}"
        self.point.mkdir()
        with self.image.open("wb") as file:
            file.truncate(24 << 20)
        run("mkfs.ext4", "-q", "-F", self.image)

    def cut(self):
        directory = os.open(self.point, os.O_RDONLY)
        try:
            fcntl.ioctl(directory, SHUTDOWN, WITHOUT_LOG)
        finally:
            os.close(directory)

    @contextmanager
    def mounted(self):
        run("mount", "-o", self.options, self.image, self.point)
        try:
            yield self.point / "r.jsonl"
        finally:
            run("umount", self.point)


def run(*command):
    subprocess.run([str(word) for word in command], check=True, capture_output=True)  # noqa: S603


@pytest.fixture
def loop(tmp_path, request):
    try:
        return Loop(tmp_path, getattr(request, "param", "data=ordered"))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no ext4 on a loop device: {error.stderr.decode()[:80]}")


def run_until_cut(loop, output, acknowledged, *options):
    """Cut the power after so many acknowledgements; the jobs that were safe before."""
    process = append(output, JOBS, *options)
    safe, heard = set(), 0
    while heard < acknowledged and (line := process.stdout.readline()):
        word, *job = line.split()
        heard += word == b"s"
        safe |= {int(job[0])} if word == b"s" else set()
    loop.cut()
    process.kill()
    process.communicate()
    return safe


def cut_and_look(loop, seed, *options):
    """The jobs that were safe before the cut, and those that are found after it."""
    rng = random.Random(seed)
    with loop.mounted() as output:
        safe = run_until_cut(loop, output, rng.randint(1, JOBS - 200), *options)
    with loop.mounted() as output:
        code, said, _ = finished(append(output, JOBS))
        assert (code, said.is_done) == (0, True)
        assert_whole(output, JOBS)
        output.unlink()
        output.with_name(output.name + ".checkpoint.json").unlink()
    assert safe
    return safe, set(range(JOBS)) - said.jobs("p")


@pytest.mark.parametrize("loop", ["data=ordered", "data=writeback"], indirect=True)
def test_nothing_that_was_safe_is_lost_when_the_power_goes(loop):
    for seed in rounds(2, 30):
        safe, found = cut_and_look(loop, seed)
        assert safe <= found


def test_without_syncs_something_is_lost(loop):
    lost = 0
    for seed in rounds(2, 5):
        with loop.mounted() as output:
            safe = run_until_cut(loop, output, JOBS // 2 + seed, "--no-sync")
        with loop.mounted() as output:
            found = output.read_bytes().count(b"\n") if output.exists() else 0
            lost += max(0, len(safe) - found)
            for file in output.parent.glob("r.jsonl*"):
                file.unlink()

    assert lost > 0
