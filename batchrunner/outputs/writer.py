"""The thread that writes the results: many lines a call, many calls a sync.

Theory of operation. The event loop must never wait for a disk, and a thread hop for each line
would cost more than the line. So the loop puts lines into the *group* that stands last in a
queue; the writer takes the first group, writes it with one call, and tells the loop once, which
wakes all who wait for it. While the writer is at the disk the next group fills up: the slower the
disk, the larger the groups, up to a limit. Nobody chooses a batch size.

A line is *written* when the system has it: it survives the death of this process. It is *synced*
when the medium has it. The writer syncs when 200 ms, 1,000 lines or 8 MiB have gathered since the
last time, also when no more lines come; ``strict`` syncs every group before anyone is told, and
``process`` syncs only when asked to.

A full disk is not the end: what is half written is cut off, the lines stay in memory, ``stalled``
says so, and the same group is tried once a second until ``disk_wait`` has passed. A failing sync
is the end, see ``Tape``. Whatever else ends the thread, everyone who waits is told the reason,
and so is everyone who comes later.
"""

import errno
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .disk import disk_error
from .group import Group, obituary
from .tape import Tape

SYNC_SECONDS = 0.2
SYNC_LINES = 1_000
SYNC_BYTES = 8 << 20
RETRY_SECONDS = 1.0
EPSILON = 1e-4  #: seconds; a shorter wait might not move a clock
PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG}  #: may be over after a while

Durability = Literal["strict", "normal", "process"]


class Timer:
    """How the writer waits; in tests, a clock that jumps."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float | None) -> None:
        """Until the event is set, or so many seconds have passed."""
        event.wait(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Care:
    """How safe, and how patient."""

    durability: Durability = "normal"
    disk_wait: float = 600.0  #: seconds that a full disk is waited for
    timer: Timer = Timer()  # noqa: RUF009 - it has no state


@dataclass(slots=True)
class _Unsynced:
    """What has gathered since the last sync."""

    since: float
    lines: int = 0
    bytes: int = 0

    def wait(self, now: float) -> float | None:
        """Seconds until it must be synced; None where there is nothing to sync."""
        if not self.lines:
            return None
        if self.lines >= SYNC_LINES or self.bytes >= SYNC_BYTES:
            return 0.0
        wait = self.since + SYNC_SECONDS - now
        return wait if wait > EPSILON else 0.0


class Writer:
    """Writes groups to a tape in the order they come, until it is closed or cannot go on.

    ``put``, ``sync`` and ``close`` never wait for the disk; ``close`` may come from any thread;
    ``run`` is the body of the thread.
    """

    def __init__(self, tape: Tape, care: Care, new_group: Callable[[], Group] = Group) -> None:
        self.stalled: str | None = None  #: why nothing can be written at the moment
        self.death: BaseException | None = None  #: why nothing will be written any more
        self._tape = tape
        self._care = care
        self._timer = care.timer
        self._new_group = new_group
        self._lock = threading.Lock()  # guards the queue, and its groups until they are taken
        self._work = threading.Event()
        self._hurry = threading.Event()
        self._closing = False
        self._queue: deque[Group] = deque()
        self._unsynced = _Unsynced(self._timer.now())

    def put(self, line: bytes) -> Group:
        """Queue a line, and return the group it is in."""
        with self._lock:
            self._refuse_if_dead()
            if not self._queue or not self._queue[-1].add(line):
                self._queue.append(self._new_group())
                self._queue[-1].add(line)
            group = self._queue[-1]
        self._wake()
        return group

    def sync(self) -> Group:
        """A group that is done when everything queued before is on the medium."""
        with self._lock:
            self._refuse_if_dead()
            if not self._queue:
                self._queue.append(self._new_group())
            group = self._queue[-1]
            group.sync = True
        self._wake()
        return group

    def close(self, *, patiently: bool = True) -> None:
        """Write what is queued, sync, and end; wait for a full disk only if ``patiently``."""
        self._closing = True
        if not patiently:
            self.hurry()
        self._work.set()

    def hurry(self) -> None:
        """From now on, do not wait for a full disk."""
        self._hurry.set()

    def run(self) -> None:
        """Write until closed. Raises nothing: everyone is told through their groups."""
        group = None
        try:
            while not self._is_over():
                group = self._take()
                if group is not None:
                    self._commit(group)
                    group = None
                self._sync_if_due()
            self._tape.sync()
        except BaseException as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever
            self._die(error, group)

    def _wake(self) -> None:
        if not self._work.is_set():  # the writer clears it *before* it looks at the queue
            self._work.set()

    def _is_over(self) -> bool:
        """Wait for something to do; True when there will be nothing any more."""
        while not self._queue:
            if self._closing:
                return True
            wait = self._wait_for_sync()
            if wait == 0:
                return False
            self._timer.wait(self._work, wait)
            self._work.clear()
        return False

    def _take(self) -> Group | None:
        with self._lock:
            return self._queue.popleft() if self._queue else None

    def _commit(self, group: Group) -> None:
        if group.lines:
            self._write(group)
            self._unsynced.lines += len(group.lines)
            self._unsynced.bytes += group.size
        if group.sync or self._care.durability == "strict":
            self._sync()
        group.settle(None)

    def _write(self, group: Group) -> None:
        """Write a group, however long the disk takes to have room for it."""
        start = None
        while True:
            try:
                self._tape.write(group.lines)
            except OSError as error:
                start = self._timer.now() if start is None else start
                self._stall(error, start)
            else:
                self.stalled = None
                return

    def _stall(self, error: OSError, start: float) -> None:
        """Rest before the next try, or give up."""
        waited = self._timer.now() - start
        fatal = disk_error("write", self._tape.path, error)
        if (
            error.errno not in PASSING
            or self._hurry.is_set()
            or waited > self._care.disk_wait - EPSILON
        ):
            raise fatal from error
        self.stalled = f"cannot write {self._tape.path}: {error.strerror}; trying again"
        self._timer.wait(self._hurry, RETRY_SECONDS)

    def _wait_for_sync(self) -> float | None:
        if self._care.durability == "process":
            return None
        return self._unsynced.wait(self._timer.now())

    def _sync_if_due(self) -> None:
        if self._wait_for_sync() == 0:
            self._sync()

    def _sync(self) -> None:
        self._tape.sync()
        self._unsynced = _Unsynced(self._timer.now())

    def _die(self, error: BaseException, current: Group | None) -> None:
        with self._lock:
            self.death = error
            left = list(self._queue)
            self._queue.clear()
        for group in [current, *left] if current else left:
            group.settle(error)

    def _refuse_if_dead(self) -> None:
        if self.death is not None:
            raise obituary(self.death)
        if self._closing:
            raise RuntimeError("the journal is closed")
