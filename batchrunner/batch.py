"""The composition root: settings and two paths -> everything wired, run, and put away.

Order matters here. Everything that can be refused is refused before anything is sent: the
settings, the input, the lock, the results of earlier runs. However the run ends, what was
answered is on the disk, then the statistics are published, and the checkpoint last.
"""

import os
import resource
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread

from .config import Settings, require_targets
from .environment import load_settings
from .errors import BatchrunnerError, IdentityError, InputError, raise_first
from .fleet import open_caller
from .identity import is_done
from .inputs.contents import filled, template
from .inputs.defaults import Defaults
from .inputs.dialect import checked
from .inputs.feed import Feed
from .inputs.glimpse import Glimpse, glimpse
from .inputs.identity import identify
from .inputs.opening import Shape, open_lines
from .inputs.remote import at_hand, plain
from .inputs.request import ENDPOINTS
from .inputs.schema import response_format
from .inputs.staging import staged
from .inputs.survey import Survey, survey
from .inputs.tokens import Count, counter
from .ledger import Ledger, set_aside
from .outputs import checkpoint
from .outputs.done import DoneSet
from .outputs.lock import acquire
from .paths import known_as, output_path, refuse_same
from .publishing import announce, conclude
from .reuse import Reuse
from .signals import listening
from .summary import Summary
from .supervisor import Supervisor, Watch
from .tables.columns import check_free, columns_of_answers
from .tables.input_rows import InputRows


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
) -> Summary:
    """Answer every job of ``input_`` and write the results to ``output``.

    ``input_`` is the path of a JSON Lines, CSV, TSV or Parquet file, or ``-`` for standard input;
    texts may be packed; or the address of one, such as ``s3://bucket/rows.csv``, which is fetched.
    ``output`` defaults to the input's name with ``.results.jsonl``, for an address in the current
    directory. Where it has results of an earlier run, only what is missing is sent. ``tell`` is
    given a line about the columns of a table. Without ``settings`` they are read from the
    environment and ``.env``.

    Raises a BatchrunnerError where the run cannot start or cannot go on; a run that stops early
    says so in its summary.
    """
    settings = await anyio.to_thread.run_sync(filled, settings or load_settings())
    require_targets(settings)
    _counter(settings)
    given = defaults(settings)
    input_ = plain(input_)
    path = output_path(input_, output)
    _raise_file_limit()
    async with (
        listening(enabled=catch_signals) as signals,
        staged(input_) as source,
        _reusing(settings, path) as reuse,
    ):
        refuse_same(source, path)
        # A new output is made only for an input that is good; an old one says what is done.
        is_new = settings.restart or not path.exists()
        seen = await _glimpsed(source, settings, given, None if is_new else path)
        if seen.columns is not None:
            tell(seen.sentence("standard input" if input_ == "-" else source.name))
        look = partial(survey_input, seen, settings, given)
        found = await look() if is_new else None
        async with _open_ledger(path, settings, look) as ledger:
            found = found or await _recalled(seen, settings, ledger)
            found = found or await look(ledger.journal.done)
            ledger.input_ = _described(input_, found, settings)
            ledger.noun = found.noun
            if settings.dedup:
                jobs = found.jobs + found.bad_count
                await anyio.to_thread.run_sync(reuse.look_through_own, path, jobs)
            async with _supervise(found, settings, given, ledger, watch) as supervisor:
                supervisor.use(reuse)
                await announce(supervisor, settings)
                signals.act = supervisor.interrupt
                try:
                    await supervisor.run()
                except* BatchrunnerError as group:
                    raise_first(group)
            signals.ignore()
            ledger.warnings += await _changed(source, found)
            return await conclude(supervisor, settings)


def defaults(settings: Settings) -> Defaults:
    """What lines get where they do not say."""
    made_by, shape = template(settings), settings.answer_schema
    return Defaults(
        settings.model,
        settings.system if made_by is None else None,
        settings.temperature,
        settings.max_tokens,
        path=ENDPOINTS[settings.endpoint],
        response_format=None if shape is None else response_format(shape),
        template=made_by,
        params=settings.params,
        id_column=settings.id_column,
    )


def _counter(settings: Settings) -> Count | None:
    return counter() if settings.count_tokens else None


async def _glimpsed(
    source: Path, settings: Settings, given: Defaults, earlier: Path | None
) -> Glimpse:
    """How to read the input; as it was read for the results in ``earlier``, where it is the same.

    Raises InputError where the table lacks a column that is asked for, or has one already in
    which answers would stand, as far as the first row of JSON Lines shows that.
    """
    shape = checked(Shape(settings.delimiter, settings.encoding))
    if earlier is not None:
        loaded = await anyio.to_thread.run_sync(
            checkpoint.load, checkpoint.checkpoint_path(earlier)
        )
        saved: Mapping[str, Any] = (loaded.fields or {}).get("input") or {}
        known = saved.get("shape")
        if known and (await identify(source, saved["size"])).head == saved["head"]:
            shape = Shape(
                shape.delimiter or known["delimiter"], shape.encoding or known["encoding"]
            )
    seen = await glimpse(source, shape)
    names = None if seen.columns is None else [column.name for column in seen.columns]
    if names is None and given.template is not None:
        names = await InputRows(source, shape, whole=True).first_names()
    if names is not None:
        is_embedding = settings.endpoint == "embeddings"
        answers = columns_of_answers(
            settings.answer_schema, texts=not is_embedding, embeddings=is_embedding
        )
        check_free(names, answers, settings.answer_prefix)
        if seen.columns is not None and (why := given.missing(names)):
            raise InputError(f"{source} {why}")
    return seen


async def survey_input(
    seen: Glimpse, settings: Settings, given: Defaults, done: DoneSet | None = None
) -> Survey:
    """Look at the whole input before anything is sent.

    Raises InputError with every line that cannot be a job, unless they are to be recorded, and
    IdentityError where ``done`` has results of another input.
    """
    known = None if done is None else partial(is_done, done, noun=seen.noun)
    found = await survey(seen.path, given, settings.limit, done=known, shape=seen.shape)
    if found.bad_count and settings.bad_lines == "fail":
        raise InputError(found.bad_message())
    if found.duplicates:
        raise InputError(found.duplicate_message())
    highest = None if done is None else done.highest
    if settings.limit is None and highest is not None and highest >= found.lines:
        raise IdentityError(
            f"there is a result for {found.noun} {highest + 1:,} and the input has only "
            f"{found.lines:,} {found.noun}s: give the input it was made from, or another --output"
        )
    return found


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
    path: Path, settings: Settings, look: Callable[[DoneSet], Coroutine[Any, Any, Survey]]
) -> AsyncIterator[Ledger]:
    """The files of the output: locked, recovered and open."""

    def agree(done: DoneSet) -> None:
        anyio.from_thread.run(look, done)

    with acquire(path):
        if settings.restart:
            await anyio.to_thread.run_sync(set_aside, path, datetime.now(UTC))
        ledger = await anyio.to_thread.run_sync(Ledger.open, path, settings, agree)
        async with ledger.journal:
            yield ledger


@asynccontextmanager
async def _supervise(
    found: Survey, settings: Settings, given: Defaults, ledger: Ledger, watch: Watch
) -> AsyncIterator[Supervisor]:
    """The run, wired and ready."""
    opened = open_caller(settings, ledger.stats, ledger.spent_before)
    async with open_lines(found.path, found.shape) as lines, opened as caller:
        feed = Feed(
            lines,
            given,
            skip=ledger.is_done,
            limit=settings.limit,
            count=_counter(settings),
        )
        yield Supervisor(
            feed=feed,
            caller=caller,
            ledger=ledger,
            total=found.jobs + found.bad_count,
            workers=max(1, min(settings.concurrency, found.jobs + found.bad_count)),
            watch=watch,
            outage_wait=settings.outage_wait,
        )


async def _recalled(seen: Glimpse, settings: Settings, ledger: Ledger) -> Survey | None:
    """What an earlier run saw in this very file with these settings; None: look at it again."""
    saved, identity = ledger.input_, await identify(seen.path)
    now = {**asdict(identity), "limit": settings.limit, "shape": _shaped(seen.shape, settings)}
    is_same = {**saved, **now} == saved
    if not is_same or (saved.get("bad") and settings.bad_lines == "fail"):
        return None
    bad, lines = saved.get("bad", 0), saved["lines"]
    highest = ledger.journal.done.highest
    if highest is not None and highest >= lines:
        return None
    return Survey(
        *(seen.path, identity, seen.noun, seen.shape),
        jobs=saved["jobs"] - bad,
        lines=lines,
        bad_count=bad,
    )


def _shaped(shape: Shape, settings: Settings) -> dict[str, Any]:
    """How the input is read and named, so that an export can do the same."""
    return {
        **asdict(shape),
        "id_column": settings.id_column,
        "answer_prefix": settings.answer_prefix,
    }


def _described(input_: str, found: Survey, settings: Settings) -> dict[str, Any]:
    """What the checkpoint says of the input."""
    return {
        "path": known_as(input_),
        "lines": found.lines,
        "jobs": found.jobs + found.bad_count,
        "bad": found.bad_count,
        "limit": settings.limit,
        "shape": _shaped(found.shape, settings),
        **asdict(found.identity),
    }


async def _changed(source: Path, found: Survey) -> list[str]:
    """A warning where the input is not what it was at the start."""
    try:
        same = await identify(source) == found.identity
    except BatchrunnerError:
        same = False
    if same:
        return []
    warning = (
        f"{source} was changed while the run was reading it: the results are those of the lines "
        "as they were read; run the same command again to compare them"
    )
    return [warning]


def _raise_file_limit() -> None:
    """A connection is a file: allow as many as the system does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = os.sysconf("SC_OPEN_MAX") if hard == resource.RLIM_INFINITY else hard
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
