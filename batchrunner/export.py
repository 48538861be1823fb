"""Results joined with the rows that they answer: the same table with new columns."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio.lowlevel
import anyio.to_thread
import orjson

from .errors import DamagedError, UsageError
from .inputs.remote import at_hand, is_remote, plain
from .inputs.shape import Shape
from .outputs import checkpoint, foreign
from .outputs.disk import sibling
from .outputs.found import BatchResults, OwnResults, Results
from .outputs.lines import batch_line, failed
from .prices import PriceList
from .tables.columns import ERROR, new_columns, reader
from .tables.draft import check_target, packed
from .tables.formats import Target, opened, written
from .tables.input_rows import InputRows, name_of
from .tables.reader import Reader
from .tables.rows import Layout, Row, Writer
from .tables.types import TEXT, Column

ROWS = 64  #: that are held at a time: a row may have an embedding of thousands of numbers
_EMBEDDING = re.compile(rb'"embedding"\s*:')  # in a text its quotes would be escaped
ID = Column("custom_id", TEXT)  #: what stands for a row without the input
_SIDE_FILES = (".checkpoint.json", ".stats.json", ".lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody wants to have exported."""

    target: Target
    input: Path | str | None = None  #: instead of the file that the checkpoint names
    without_input: bool = False  #: ids and answers only
    id_column: str | None = None  #: what Batch output calls a row; instead of that of the run
    columns: Sequence[str] = ()  #: besides the answer
    prefix: str | None = None  #: instead of that of the run
    partial: bool = False  #: also where rows have no result yet
    harmless: bool = True  #: whether formulas are defused in CSV


@dataclass(slots=True)
class Exported:
    """What was written."""

    output: str
    rows: int = 0
    answered: int = 0
    failed: int = 0
    missing: int = 0  #: rows without a result
    unmatched: int = 0  #: results of Batch output that answer no row
    columns: list[Column] = field(default_factory=list)
    errors: str | None = None  #: the file of the failed ones, beside a Batch file
    hint: str | None = None  #: what to do about failures that lie beside Batch output
    kept: str | None = None  #: a file of that name which was there, when nothing failed

    @property
    def exit_code(self) -> int:
        """1 where rows have failed, else 0."""
        return 1 if self.failed else 0

    def as_json(self) -> dict[str, Any]:
        """All of it, for ``--json``."""
        return {
            "output": self.output,
            "rows": self.rows,
            "answered": self.answered,
            "failed": self.failed,
            "missing": self.missing,
            "unmatched": self.unmatched,
            "columns": {column.name: str(column.type) for column in self.columns},
            "errors": self.errors,
        }


@dataclass(slots=True)
class _Kinds:
    """Which kinds of answers a file holds; looked at without parsing anything."""

    texts: bool = False
    embeddings: bool = False

    def look(self, line: bytes) -> None:
        if not failed(line):
            if _EMBEDDING.search(line):
                self.embeddings = True
            else:
                self.texts = True


async def export(output: Path, wanted: Wanted) -> Exported:
    """Write the table that ``output`` and its input make together.

    Nothing of the run is locked or changed. Raises UsageError where there are no results, or not
    yet all of them; IdentityError where a row is not the one that was answered; DamagedError.
    """
    if wanted.without_input and wanted.input is not None:
        raise UsageError("--without-input does not read what --input names: leave out one of them")
    saved = checkpoint.load(checkpoint.checkpoint_path(output)).fields or {}  # it never runs ahead
    kinds = _Kinds()
    async with AsyncExitStack() as stack:
        results = await anyio.to_thread.run_sync(_results, output, kinds)
        stack.enter_context(closing(results))
        _check_complete(output, saved, results, partial_=wanted.partial)
        rows = None
        if not wanted.without_input:
            path = await stack.enter_async_context(at_hand(_input_name(output, saved, wanted)))
            rows = _input(path, saved, results.end)
        _check_target(output, rows, wanted.target)
        given = [ID] if rows is None else await rows.columns()
        ids = _id_column(saved, given, results, wanted)
        read, prefix = _reader(saved, kinds, results, wanted)
        new = new_columns(given, read, prefix)
        told = Exported(str(wanted.target.path or "-"), columns=[*given, *new])
        layout = Layout(
            given=given,
            new=new,
            texts=rows is not None and rows.form == "csv",
            parquet=rows.path if rows is not None and rows.form == "parquet" else None,
        )
        with written(wanted.target, layout, harmless=wanted.harmless) as writer:
            await _write(told, writer, _joined(rows, results, ids), read)
            told.unmatched = 0 if rows is None else results.unmatched
            if told.missing and isinstance(results, BatchResults):
                told.hint = foreign.beside(output)
            if told.missing and not wanted.partial:
                raise _incomplete(output, told.missing, results)
    return told


def _results(output: Path, kinds: _Kinds) -> Results:
    """The results of ``output``; reads all of the file, so it blocks."""
    if foreign.is_foreign(output):
        kinds.texts = True
        return BatchResults(output)
    return OwnResults(output, kinds.look)


def _check_complete(
    output: Path, saved: Mapping[str, Any], results: Results, *, partial_: bool
) -> None:
    known = saved.get("input") or {}
    was_empty = saved.get("complete") is True and known.get("jobs") == 0
    if not len(results) and not was_empty and not partial_:
        raise UsageError(f"{output} holds no results: run the jobs first, or use --partial")
    promised = (saved.get("results") or {}).get("records", 0)
    if isinstance(results, OwnResults) and promised > len(results):
        raise DamagedError(
            f"{output} has lost {promised - len(results):,} results that were safe: nothing was "
            f"exported; look at it with: batchrunner verify {output}"
        )
    missing = (known.get("jobs") or 0) - len(results)
    if missing > 0 and not partial_:
        raise _incomplete(output, missing, results)


def _incomplete(output: Path, missing: int, results: Results) -> UsageError:
    if isinstance(results, BatchResults):
        hint = foreign.beside(output)
        return UsageError(
            f"{f'{hint}; ' if hint else ''}"
            f"{missing:,} rows have no answer in {output}, and {results.unmatched:,} of its "
            f"{len(results):,} answers match no row: name the column with their ids with "
            "--id-column, or the file that was asked with --input; or export what there is: "
            "--partial"
        )
    return UsageError(
        f"{output} is not complete: {missing:,} rows have no result; run the same command again "
        "to go on, or export what there is: --partial"
    )


def _input_name(output: Path, saved: Mapping[str, Any], wanted: Wanted) -> Path | str:
    """Where the input is: a file, or an address."""
    known = (saved.get("input") or {}).get("path")
    name: Path | str | None = known if wanted.input is None else wanted.input
    if name is None:
        raise UsageError(
            f"the input of {output} is not known: name it with --input FILE, or export ids and "
            "answers alone: --without-input"
        )
    if not is_remote(name) and not Path(plain(name)).exists():
        raise UsageError(f"{name} is not there: say with --input FILE where the input is now")
    return name


def _input(path: Path, saved: Mapping[str, Any], answered: int) -> InputRows:
    known = saved.get("input") or {}
    settings = saved.get("cfg") or {}
    return InputRows(
        path,
        Shape.of(known),
        limit=known.get("limit"),
        answered=answered,
        whole=bool(settings.get("prompt") or settings.get("messages")),
    )


def _id_column(
    saved: Mapping[str, Any], given: Sequence[Column], results: Results, wanted: Wanted
) -> str | None:
    """The column that names a row to a service; None: custom_id or id, empty: its place."""
    if wanted.id_column is None:
        found: str | None = ((saved.get("input") or {}).get("shape") or {}).get("id_column")
        return found
    if wanted.without_input or not isinstance(results, BatchResults):
        raise UsageError(
            "--id-column joins Batch output with the rows of its input, and there is nothing to "
            "join: leave it out"
        )
    names = [column.name for column in given]
    if wanted.id_column and wanted.id_column not in names:
        raise UsageError(
            f"--id-column: there is no column {wanted.id_column!a}: the input has "
            f"{', '.join(names)}"
        )
    return wanted.id_column


def _check_target(output: Path, rows: InputRows | None, target: Target) -> None:
    if target.path is not None:
        sides = [sibling(output, suffix) for suffix in _SIDE_FILES]
        check_target(target.path, output, *sides, None if rows is None else rows.path)


def _reader(
    saved: Mapping[str, Any], kinds: _Kinds, results: Results, wanted: Wanted
) -> tuple[Reader, str]:
    """What reads the new columns, and what their names begin with."""
    extras = list(wanted.columns)
    if (results.failed or wanted.partial) and ERROR not in extras:
        extras.append(ERROR)
    shape = (saved.get("input") or {}).get("shape") or {}
    prefix = shape.get("answer_prefix") or "" if wanted.prefix is None else wanted.prefix
    settings = saved.get("cfg") or {}
    is_embedding = settings.get("endpoint") == "embeddings" and not kinds.texts
    found = reader(
        settings.get("answer_schema"),
        extras,
        texts=kinds.texts,
        embeddings=kinds.embeddings or is_embedding,
        prices=PriceList.recall(saved, default="openai"),
    )
    return found, prefix


Joined = tuple[int, bytes, Mapping[str, Any] | None]


async def _joined(
    rows: InputRows | None, results: Results, ids: str | None
) -> AsyncIterator[list[Joined]]:
    """Every row with its ordinal and its result, some at a time."""
    if rows is None:
        some: list[Joined] = []
        for ordinal, record in results.all():
            some.append((ordinal, orjson.dumps({ID.name: record["custom_id"]}), record))
            if len(some) == ROWS:
                yield some
                some = []
        yield some
        return
    end = 0

    def join(block: Sequence[tuple[int, bytes]]) -> list[Joined]:
        return [
            (at, rows.data(line), results.of(at, line, partial(name_of, line, at, ids)))
            for at, line in block
        ]

    async for block in rows.blocks():
        for start in range(0, len(block), ROWS):
            yield await anyio.to_thread.run_sync(join, block[start : start + ROWS])
        end = block[-1][0] + 1
    results.check_end(end)


async def _write(
    told: Exported, writer: Writer, joined: AsyncIterator[list[Joined]], read: Reader
) -> None:
    async for some in joined:
        rows = [Row(ordinal, line, _cells(told, record, read)) for ordinal, line, record in some]
        await anyio.to_thread.run_sync(writer.write, rows)


def _cells(told: Exported, record: Mapping[str, Any] | None, read: Reader) -> list[Any]:
    told.rows += 1
    if record is None:
        told.missing += 1
        return read.nothing
    cells, answered = read.cells(record)
    told.answered += answered
    told.failed += not answered
    return cells


def _check_batch(wanted: Wanted) -> None:
    """UsageError where something is asked for that only a table has."""
    for option, is_given in (
        ("--input", wanted.input is not None),
        ("--without-input", wanted.without_input),
        ("--id-column", wanted.id_column is not None),
        ("--columns", bool(wanted.columns)),
        ("--answer-prefix", wanted.prefix is not None),
        ("--no-defuse", not wanted.harmless),
    ):
        if is_given:
            raise UsageError(
                f"{option} is for tables: --as batch writes the answers as they came, without the "
                "input; leave it out"
            )


async def export_batch(output: Path, wanted: Wanted) -> Exported:
    """Write the lines of ``output`` as the Batch services do: answers here, failures beside them.

    They are in the order of the input, which need not be at hand. The file of failures is written
    where there are any; one that is there already is replaced then, and else let alone.
    """
    _check_batch(wanted)
    target = wanted.target
    path = target.path
    if path is None or target.format != "jsonl":
        raise UsageError("--as batch writes lines of JSON to a file: give -o NAME.jsonl")
    if foreign.is_foreign(output):
        raise UsageError(f"{output} is Batch output already")
    errors = foreign.errors_of(path)
    sides = [sibling(output, suffix) for suffix in _SIDE_FILES]
    saved = checkpoint.load(checkpoint.checkpoint_path(output)).fields or {}
    told = Exported(str(path), missing=0)
    source = (saved.get("input") or {}).get("path")
    for file in (path, errors):
        check_target(file, output, *sides, Path(source) if source else None)
    with closing(OwnResults(output)) as results:
        if not saved and not wanted.partial:
            raise UsageError(
                f"{output} has no checkpoint, so nobody knows whether it is complete: --partial"
            )
        _check_complete(output, saved, results, partial_=wanted.partial)
        told.missing = max(0, ((saved.get("input") or {}).get("jobs") or 0) - len(results))
        told.failed, told.rows = results.failed, len(results)
        told.answered = told.rows - told.failed
        await _write_batch(results, target, is_failure=False)
        if told.failed:
            await _write_batch(results, Target(errors, "jsonl", target.packing), is_failure=True)
            told.errors = str(errors)
        elif errors.exists():
            told.kept = str(errors)
    return told


async def _write_batch(results: OwnResults, target: Target, *, is_failure: bool) -> None:
    with opened(target) as file, packed(file, target.packing) as inner:
        for number, (_, line) in enumerate(results.lines()):
            if failed(line) is is_failure:
                inner.write(batch_line(line))
            if number % ROWS == 0:
                await anyio.lowlevel.checkpoint()  # or no signal would be heard
