"""The real disk, but some calls fail, and a clock for the writer that jumps."""

import os
from dataclasses import dataclass

from batchrunner.outputs.disk import Disk
from batchrunner.outputs.writer import Timer

STEPS = ["open", "write", "pwrite", "fsync", "fdatasync"]
STEPS += ["fsync_directory", "ftruncate", "replace", "unlink", "lock"]


@dataclass(frozen=True)
class Short:
    """A write that writes so many bytes only."""

    size: int


class FaultyDisk(Disk):
    """Plays a script for each call: an errno, a ``Short``, an exception, or None for success.

    ``FaultyDisk(write=[None, ENOSPC])`` writes once, fails once, and works from then on. ``calls``
    has the name of every call that was made.
    """

    def __init__(self, **scripts):
        self.calls = []
        self.scripts = {call: list(script) for call, script in scripts.items()}
        for call in STEPS:
            setattr(self, call, self._scripted(call, getattr(self, call)))

    def _scripted(self, call, real):
        script = self.scripts.setdefault(call, [])

        def scripted(*args):
            self.calls.append(call)
            step = script.pop(0) if script else None
            match step:
                case BaseException():
                    raise step
                case Short(size):
                    fd, data, *rest = args
                    return real(fd, data[:size], *rest)
                case int():
                    raise OSError(step, os.strerror(step))
                case None:
                    return real(*args)

        return scripted


class JumpingTimer(Timer):
    """Time jumps instead of passing. Where a wait would never end, the next step is taken."""

    def __init__(self, *steps):
        self.time = 0.0
        self.steps = list(steps)

    def now(self):
        return self.time

    def wait(self, event, seconds):
        if event.is_set():
            return
        if seconds is None:
            self.steps.pop(0)()
        else:
            self.time += seconds
