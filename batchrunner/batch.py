"""The composition root: settings and two paths -> everything wired, run, and put away.

Order matters here. Everything that can be refused is refused before anything is sent: the
settings, the input, the lock, the results of earlier runs. However the run ends, what was
answered is on the disk, then the statistics are published, and the checkpoint last.
"""

import os
import resource
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread

from .caller import Caller
from .config import Settings, require_targets
from .control import Control
from .curfew import Curfew
from .deadline import seconds_until
from .environment import load_settings
from .errors import BatchrunnerError, raise_first
from .fleet import open_caller, require_prices
from .inputs.contents import filled
from .inputs.defaults import Defaults
from .inputs.feed import Feed
from .inputs.opening import open_lines
from .inputs.remote import at_hand, plain
from .inputs.staging import staged
from .inputs.survey import Survey
from .intake import changed, counter, defaults, described, glimpsed, recalled, survey_input
from .ledger import Ledger
from .outputs.aside import set_aside
from .outputs.done import DoneSet
from .outputs.lock import acquire
from .paths import output_path, refuse_same
from .publishing import announce, conclude
from .reuse import Reuse
from .selection import Selection
from .signals import listening
from .steering import Steering
from .summary import Summary
from .supervisor import Beside, Supervisor, Watch
from .telemetry.endpoint import serving
from .telemetry.export import telling


def run(
    input_: Path | str, output: Path | str | None = None, settings: Settings | None = None
) -> Summary:
    """``run_async`` for programs without an event loop."""
    return anyio.run(run_async, input_, output, settings)


async def run_async(  # noqa: PLR0913 - the front door
    input_: Path | str,
    output: Path | str | None = None,
    settings: Settings | None = None,
    *,
    watch: Watch = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
    catch_signals: bool = False,
    again: Selection | None = None,
) -> Summary:
    """Answer every job of ``input_`` and write the results to ``output``.

    ``input_`` is the path of a JSON Lines, CSV, TSV or Parquet file, or ``-`` for standard input;
    texts may be packed; or the address of one, such as ``s3://bucket/rows.csv``, which is fetched.
    ``output`` defaults to the input's name with ``.results.jsonl``, for an address in the current
    directory. Where it has results of an earlier run, only what is missing is sent. ``tell`` is
    given a line about the columns of a table. Without ``settings`` they are read from the
    environment and ``.env``. ``again`` selects the failures that run again, instead of those that
    may end otherwise.

    Raises a BatchrunnerError where the run cannot start or cannot go on; a run that stops early
    says so in its summary.
    """
    settings = await anyio.to_thread.run_sync(filled, settings or load_settings())
    now, at = datetime.now(UTC), anyio.current_time()
    end = None if settings.deadline is None else at + seconds_until(settings.deadline, now)
    require_targets(settings)
    require_prices(settings, filter(None, [settings.model]))
    counter(settings)
    given = defaults(settings)
    input_ = plain(input_)
    path = output_path(input_, output)
    _raise_file_limit()
    async with (
        listening(enabled=catch_signals) as signals,
        telling(telemetry=settings.telemetry) as observe,
        serving(settings.metrics_port, now.timestamp()) as show,
        staged(input_) as source,
        _reusing(settings, path) as reuse,
    ):
        refuse_same(source, path)
        # A new output is made only for an input that is good; an old one says what is done.
        is_new = settings.restart or not path.exists()
        seen = await glimpsed(source, settings, given, None if is_new else path)
        if seen.columns is not None:
            tell(seen.sentence("standard input" if input_ == "-" else source.name))
        look = partial(survey_input, seen, settings, given)
        found = await look() if is_new else None
        async with _open_ledger(path, settings, now, look, again) as ledger:
            found = found or await recalled(seen, settings, ledger.input_, ledger.journal.done)
            found = found or await look(ledger.journal.done)
            ledger.input_ = described(input_, found, settings)
            ledger.noun = found.noun
            if settings.dedup:
                jobs = found.jobs + found.bad_count
                await anyio.to_thread.run_sync(reuse.look_through_own, path, jobs)
            opened = open_caller(
                settings, ledger.stats, ledger.spent_before, ledger.unanswered, observe
            )
            async with opened as caller, _feed(found, settings, given, ledger) as feed:
                supervisor = _supervise(found, feed, caller, ledger, watch)
                supervisor.use(reuse)
                supervisor.ends_at = end
                supervisor.beside = _attendants(supervisor, settings, end, tell)
                show(supervisor.progress)
                await announce(supervisor, settings)
                signals.act = supervisor.interrupt
                try:
                    await supervisor.run()
                except* BatchrunnerError as group:
                    raise_first(group)
            signals.ignore()
            ledger.warnings += await changed(source, found)
            return await conclude(supervisor, settings)


@asynccontextmanager
async def _reusing(settings: Settings, path: Path) -> AsyncIterator[Reuse]:
    """The answers of earlier outputs, for as long as the run needs them."""
    async with AsyncExitStack() as files:
        earlier = [await files.enter_async_context(at_hand(name)) for name in settings.reuse]
        reuse = await anyio.to_thread.run_sync(Reuse.of, earlier, path)
        with closing(reuse):
            yield reuse


@asynccontextmanager
async def _open_ledger(
    path: Path,
    settings: Settings,
    now: datetime,
    look: Callable[[DoneSet], Coroutine[Any, Any, Survey]],
    again: Selection | None,
) -> AsyncIterator[Ledger]:
    """The files of the output: locked, recovered and open."""

    def agree(done: DoneSet) -> None:
        anyio.from_thread.run(look, done)

    with acquire(path):
        if settings.restart:
            await anyio.to_thread.run_sync(set_aside, path, now)
        ledger = await anyio.to_thread.run_sync(Ledger.open, path, settings, agree, again)
        ledger.timeline.begin(ledger.wall_before, f"{now:%Y-%m-%dT%H:%M:%SZ}", ledger.stats)
        async with ledger.journal:
            yield ledger


@asynccontextmanager
async def _feed(
    found: Survey, settings: Settings, given: Defaults, ledger: Ledger
) -> AsyncIterator[Feed]:
    """The jobs that have no result yet."""
    async with open_lines(found.path, found.shape) as lines:
        yield Feed(
            lines,
            given,
            skip=ledger.is_done,
            limit=settings.limit,
            count=counter(settings),
        )


def _supervise(
    found: Survey, feed: Feed, caller: Caller, ledger: Ledger, watch: Watch
) -> Supervisor:
    """The run, wired and ready."""
    settings, total = ledger.settings, found.jobs + found.bad_count
    return Supervisor(
        feed=feed,
        caller=caller,
        ledger=ledger,
        total=total,
        workers=max(1, min(settings.concurrency, total)),
        watch=watch,
        outage_wait=settings.outage_wait,
    )


def _attendants(
    supervisor: Supervisor, settings: Settings, end: float | None, tell: Callable[[str], None]
) -> list[Beside]:
    """What goes on beside a run: its deadline, and whoever steers it."""

    def complain(reason: str) -> None:
        supervisor.ledger.warnings.append(reason)
        tell(reason)

    found: list[Beside] = []
    if end is not None:
        found.append(Curfew(supervisor, end, settings.deadline or "").watch)
    if not settings.no_control:
        obey = Steering(supervisor, tell).obey
        found.append(Control(supervisor.ledger.path, obey, complain).serve)
    return found


def _raise_file_limit() -> None:
    """A connection is a file: allow as many as the system does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = os.sysconf("SC_OPEN_MAX") if hard == resource.RLIM_INFINITY else hard
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
