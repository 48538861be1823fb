"""Results joined with the rows that they answer: the same table with new columns."""

import re
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread

from .errors import UsageError
from .inputs.remote import at_hand, is_remote, plain
from .inputs.shape import Shape
from .outputs import checkpoint, foreign
from .outputs.found import BatchResults, OwnResults, Results
from .outputs.lines import failed
from .prices import PriceList
from .tables.columns import ERROR, new_columns, reader
from .tables.exported import Exported, Wanted
from .tables.formats import written
from .tables.input_rows import InputRows
from .tables.joining import ID, joined, write
from .tables.reader import Reader
from .tables.refusals import check_complete, incomplete, refuse_own_files
from .tables.rows import Layout
from .tables.types import Column

_EMBEDDING = re.compile(rb'"embedding"\s*:')  # in a text its quotes would be escaped


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
        check_complete(output, saved, results, partial_=wanted.partial)
        rows = None
        if not wanted.without_input:
            path = await stack.enter_async_context(at_hand(_input_name(output, saved, wanted)))
            rows = _input(path, saved, results.end)
        if wanted.target.path is not None:
            refuse_own_files(wanted.target.path, output, None if rows is None else rows.path)
        given = [ID] if rows is None else await rows.columns()
        ids = _id_column(saved, given, results, wanted)
        read, prefix = _reader(saved, kinds, results, wanted)
        new = new_columns(given, read, prefix)
        told = Exported(str(wanted.target.path or "-"), columns=[*given, *new])
        with written(wanted.target, _layout(given, new, rows), harmless=wanted.harmless) as writer:
            await write(told, writer, joined(rows, results, ids), read)
            told.unmatched = 0 if rows is None else results.unmatched
            if told.missing and isinstance(results, BatchResults):
                told.hint = foreign.beside(output)
            if told.missing and not wanted.partial:
                raise incomplete(output, told.missing, results)
    return told


def _results(output: Path, kinds: _Kinds) -> Results:
    """The results of ``output``; reads all of the file, so it blocks."""
    if foreign.is_foreign(output):
        kinds.texts = True
        return BatchResults(output)
    return OwnResults(output, kinds.look)


def _layout(given: Sequence[Column], new: Sequence[Column], rows: InputRows | None) -> Layout:
    form = None if rows is None else rows.form
    parquet = rows.path if rows is not None and form == "parquet" else None
    return Layout(given=given, new=new, texts=form == "csv", parquet=parquet)


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
