"""One run in progress: the workers, and what goes on beside them.

Beside the workers one task shows the progress, one saves the checkpoint every few seconds, and
one looks whether the disk has room. Whatever ends the run early goes through ``stop``: nothing
more is started, and requests in flight are waited for, since they are paid.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Any

import anyio

from . import runner
from .caller import Caller
from .gate import Gate
from .inputs.feed import Feed
from .inputs.jsonl import BadLine
from .ledger import Ledger
from .model import Failure, Job, Result
from .reuse import Reuse
from .runner import Crew
from .summary import Bounds, Progress, Stop
from .twins import Twins

SAVE_EVERY = 5.0  #: seconds between two checkpoints
FIRST_SAVES = (0.2, 0.8)  #: seconds until the first, which know what is in flight
LOOK_EVERY = 0.25  #: seconds between two looks of a view
DRAIN = 25.0  #: seconds that requests in flight are given after a signal
ENOUGH = 7  #: the exit code of a run that a budget or a deadline ended

Watch = Callable[[Progress], None]
Beside = Callable[[], Coroutine[Any, Any, None]]


@dataclass(slots=True, kw_only=True)
class Supervisor:
    """Sees a run through to its end, or to the reason why it stopped."""

    feed: Feed
    caller: Caller
    ledger: Ledger
    total: int
    workers: int
    watch: Watch
    beside: list[Beside] = field(default_factory=list)  #: what goes on until the jobs are done
    outage_wait: float = 600.0  #: seconds without an answer, all regions being down, that end it
    ends_at: float | None = None  #: the deadline, on the clock of the loop
    stopped: Stop | None = None
    _resumed: int = field(init=False)
    _reused: int = field(init=False)  #: by earlier runs
    _before: dict[str, tuple[float, int]] = field(init=False)  #: throttled seconds, peak
    _started: float = field(init=False)
    _left: int = field(init=False, default=0)  #: jobs that no region would take
    _is_interrupted: bool = field(init=False, default=False)
    _unsaved: str = field(init=False, default="")  #: why the checkpoint is an old one
    _changed: anyio.Event = field(init=False, default_factory=anyio.Event)  #: by a person
    _work: anyio.CancelScope = field(init=False, default_factory=anyio.CancelScope)
    _gate: Gate = field(init=False)
    _crew: Crew = field(init=False)
    _reuse: Reuse | None = field(init=False, default=None)
    _twins: Twins | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._resumed = self.ledger.journal.records
        self._reused = self.ledger.stats.reused
        self._crew = Crew(self.workers)
        self._started = asyncio.get_running_loop().time()
        before = self.ledger.stats.regions.items()
        self._before = {name: (use.throttled_s, use.peak_in_flight) for name, use in before}
        self.caller.left = self.ledger.stats.add_attempts
        self.ledger.fallback_usd = lambda: self.caller.pool.fallback_usd
        self.ledger.budget = self.caller.pool.budget
        self.ledger.workers, self.ledger.jobs = self.workers, self.total
        self._gate = Gate(
            lambda: self.ledger.crowded(self.workers),
            lambda reason: self.stop(Stop(3, f"{reason}: make room and run the same again")),
            self.ledger.settings.disk_wait,
        )

    def use(self, reuse: Reuse) -> None:
        """Take what is answered already; where that is this output too, ask once for the same."""
        self._reuse = None if reuse.is_empty else reuse
        self._twins = None if reuse.own is None else Twins(self.feed)

    async def run(self) -> None:
        """Answer every job, or stop early and say why in ``stopped``."""
        async with anyio.create_task_group() as group:
            for beside in [self._look, self._save, self._gate.watch, *self.beside]:
                group.start_soon(beside)
            with self._work:
                hurry = self.caller.pool.hurry
                lines = self._twins or self.feed
                await runner.run(lines, self._answer, self._report, self._crew, hurry)
            if self._work.cancelled_caught:  # the time that a full disk was given is over too
                self.ledger.journal.hurry()
            group.cancel_scope.cancel()
        self._fold(self.progress())  # what came after the last look
        if self.stopped is not None and self.stopped.exit_code == ENOUGH and self._is_complete:
            self.stopped = None  # the last jobs were under way when it came
        if self._left and self.stopped is None:
            self.stopped = Stop(8, self._no_target())

    def stop(self, stop: Stop) -> None:
        """Start nothing more; requests in flight are waited for."""
        self.stopped = self.stopped or stop
        self.feed.stop()
        self.caller.close()
        self._gate.open()

    def end_by(self, moment: float) -> None:
        """Cancel what is in flight at ``moment``, on the clock of the loop."""
        self._work.deadline = min(self._work.deadline, moment)

    def interrupt(self, number: int) -> None:
        """The first signal drains; a second one, or a drain that takes too long, cancels."""
        if self._is_interrupted:
            self._work.cancel()
            return
        self._is_interrupted = True
        name = signal.Signals(number).name
        self.drain(Stop(128 + number, f"{name}: run the same command again to go on"))

    def drain(self, stop: Stop) -> None:
        """Start nothing more, and wait for requests in flight, but not for ever."""
        self.stop(stop)
        self.end_by(anyio.current_time() + DRAIN)

    def resize(self, workers: int) -> None:
        """Work at so many jobs at a time from now on; none that is under way is dropped."""
        self.workers = max(1, min(workers, self.total))
        self.ledger.workers = max(self.ledger.workers, self.workers)
        self._crew.resize(self.workers)

    def steered(self, what: str) -> None:
        """A person changed something: it belongs to what the run tells of itself, at once."""
        wall_s = asyncio.get_running_loop().time() - self._started
        self.ledger.note_steering(wall_s, what)
        self._changed.set()

    def progress(self) -> Progress:
        """The run at this moment."""
        pool = self.caller.pool
        regions = self.ledger.regions = pool.statistics()
        for status in regions:
            throttled_s, peak = self._before.get(status.name, (0.0, 0))
            usage = self.ledger.stats.region(status.name)
            usage.throttled_s = throttled_s + status.throttled_s
            usage.peak_in_flight = max(peak, status.peak_in_flight)
        return Progress(
            total=max(self.total, self.ledger.journal.records),
            resumed=self._resumed,
            reused=self.ledger.stats.reused - self._reused,
            wall_s=asyncio.get_running_loop().time() - self._started,
            bounds=self._bounds(),
            stats=self.ledger.stats,
            regions=regions,
            waiting=pool.waiting,
            held_back=pool.held_back,
            note=self._note(),
            paused=pool.helm.is_paused,
            timeline=self.ledger.timeline,
            prices=self.ledger.prices,
        )

    def _bounds(self) -> Bounds:
        left = None if self.ends_at is None else max(0.0, self.ends_at - anyio.current_time())
        if (budget := self.caller.pool.budget) is None:
            return Bounds(ends_in=left)
        money, tokens = budget.money, budget.tokens
        return Bounds(money.spent, money.most, tokens.spent, tokens.most, left)

    async def _answer(self, line: Job | BadLine) -> Result | None:
        if self._gate.is_shut:
            await self._gate.until_open()
        if isinstance(line, Job):
            result = None
            if self._reuse is not None:
                result = await self._reuse.find(line, self.caller.answers)
            result = result or await self.caller.call(line)
            if result is None:
                self._end(line)
            return result
        job = Job(line.ordinal, line.fingerprint, line.id, "", "", b"")
        return Result(job, None, (), Failure("bad_line", line.reason, retryable=False))

    async def _report(self, result: Result | None) -> None:
        if result is not None:
            offset = await self.ledger.record(result)
            if self._reuse is not None:
                self._reuse.note(result, offset)
            self._end(result.job)
        elif self.stopped is None and (refusal := self.caller.pool.refusal):
            self.stop(Stop(ENOUGH, refusal))
        elif self.stopped is None:
            self._left += 1
            if not self.caller.pool.is_alive:
                self.stop(Stop(8, self._no_target()))

    def _end(self, job: Job) -> None:
        """Jobs that wait for the end of this one wait no longer."""
        if self._twins is not None:
            self._twins.ended(job)

    async def _look(self) -> None:
        clock = asyncio.get_running_loop().time
        done, since = -1, clock()
        while True:
            if (death := self.ledger.journal.death) is not None:
                raise death  # nothing more can be written: send nothing more
            progress = self.progress()
            self._fold(progress)
            self.watch(progress)
            if progress.done != done or not progress.is_outage:
                done, since = progress.done, clock()
            elif clock() - since >= self.outage_wait:
                self.stop(Stop(8, self._outage()))
            await anyio.sleep(LOOK_EVERY)

    def _fold(self, progress: Progress) -> None:
        """Keep what happened since the last look."""
        at = self.ledger.wall_before + progress.wall_s
        self.ledger.timeline.look(at, progress.stats, progress.regions)

    async def _save(self) -> None:
        clock = asyncio.get_running_loop().time
        for pause in chain(FIRST_SAVES, repeat(SAVE_EVERY)):
            with anyio.move_on_after(pause):
                await self._changed.wait()
            self._changed = anyio.Event()
            try:
                await self.ledger.save(wall_s=clock() - self._started)
                self._unsaved = ""
            except OSError as error:  # the results are safe without it
                self._unsaved = error.strerror or str(error)

    @property
    def disk_trouble(self) -> str | None:
        """Why the disk is waited for; nothing where it is not."""
        return self.ledger.journal.stalled or self._gate.reason

    @property
    def _is_complete(self) -> bool:
        return self.ledger.journal.records >= self.total

    def _no_target(self) -> str:
        """Why jobs are left over, and what to do."""
        pool = self.caller.pool
        reasons = [f"{r.name}: {r.reason}" for r in pool.statistics() if r.reason]
        reasons += [f"openai: {pool.held_back}"] if pool.held_back else []
        why = f" ({'; '.join(reasons)})" if reasons else ""
        return (
            f"no region is left that can serve the remaining jobs{why}: "
            "put this right and run the same command again"
        )

    def _outage(self) -> str:
        return f"no region has answered for {self.outage_wait:g} s: run the same command later"

    def _note(self) -> str:
        if self.stopped is not None:
            return f"stopping, waiting for requests in flight: {self.stopped.reason}"
        if self.disk_trouble:
            return f"waiting for the disk: {self.disk_trouble}"
        pool = self.caller.pool
        if pool.helm.is_paused:
            return "paused: batchrunner ctl OUTPUT resume goes on"
        if pool.is_unmanned:
            return "every region was taken out: batchrunner ctl OUTPUT in NAME lets one in"
        return f"the checkpoint cannot be saved: {self._unsaved}" if self._unsaved else ""
