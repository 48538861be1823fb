"""SIGKILL at random moments, and at chosen system calls: nothing written is lost or paid again."""

import random
import signal

import pytest

from .tools import LONG, append, assert_whole, finished, rounds, why_no_strace

pytestmark = pytest.mark.socket
JOBS = 300
WORKERS = 8
CALLS = {  # a call, and to which files
    "write": (1, 2, 5, 14),
    "fdatasync": (1, 3),
    "fsync": (1, 2, 4, 6),
    "rename,renameat,renameat2": (1, 2, 4),
    "unlink,unlinkat": (1,),
}
POINTS = [(calls, n) for calls, numbers in CALLS.items() for n in numbers]
SHORT = [POINTS[i] for i in (1, 5, 8, 10)]


class Story:
    """Runs of one output, killed again and again, and what they said."""

    def __init__(self, output):
        self.output = output
        self.written, self.paid, self.kills = set(), 0, 0

    def end(self, process):
        code, said, _ = finished(process)
        killed = code in {-signal.SIGKILL, 128 + signal.SIGKILL}
        assert killed or (code == 0 and said.is_done)
        again = self.written & said.jobs("p")
        assert not again, f"written, and paid again: {again}"
        self.written |= said.jobs("w")
        self.paid += len(said.jobs("p"))
        self.kills += killed
        return killed

    def finish(self):
        assert not self.end(append(self.output, JOBS))
        assert_whole(self.output, JOBS)
        assert self.paid <= JOBS + self.kills * WORKERS


@pytest.mark.parametrize("seed", rounds(2, 30))
def test_killed_at_random_moments(tmp_path, seed):
    rng, story = random.Random(seed), Story(tmp_path / "r.jsonl")
    for _ in range(4):
        process = append(story.output, JOBS)
        for _ in range(rng.choice((0, 1, 5, 60, 200))):
            process.stdout.readline()
        process.kill()
        story.end(process)

    assert story.kills
    story.finish()


@pytest.mark.skipif(why_no_strace() is not None, reason=str(why_no_strace()))
@pytest.mark.parametrize(("calls", "number"), POINTS if LONG else SHORT)
def test_killed_at_a_chosen_system_call(tmp_path, calls, number):
    story = Story(tmp_path / "r.jsonl")
    files = [f"{story.output}{end}" for end in ("", ".checkpoint.json", ".checkpoint.json.tmp")]
    strace = [*(word for file in files for word in ("-P", file)), "-e", f"trace={calls}"]
    strace += ["-e", f"inject={calls}:signal=KILL:when={number}"]

    killed = story.end(append(story.output, JOBS, strace=strace))

    assert killed, f"{calls} was not called {number} times"
    story.finish()
