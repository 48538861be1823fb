"""Results as the Batch services write them: answers in one file, failures beside it."""

from contextlib import closing
from pathlib import Path

import anyio
import anyio.lowlevel

from ..errors import UsageError
from ..outputs import checkpoint, foreign
from ..outputs.found import OwnResults
from ..outputs.lines import batch_line, failed
from .draft import packed
from .exported import Exported, Wanted
from .formats import Target, opened
from .joining import ROWS
from .refusals import check_complete, refuse_own_files


async def export_batch(output: Path, wanted: Wanted) -> Exported:
    """Write the lines of ``output`` as the Batch services do: answers here, failures beside them.

    They are in the order of the input, which need not be at hand. The file of failures is written
    where there are any; one that is there already is replaced then, and else let alone.
    """
    _check_options(wanted)
    path = wanted.target.path
    if path is None or wanted.target.format != "jsonl":
        raise UsageError("--as batch writes lines of JSON to a file: give -o NAME.jsonl")
    if foreign.is_foreign(output):
        raise UsageError(f"{output} is Batch output already")
    saved = checkpoint.load(checkpoint.checkpoint_path(output)).fields or {}
    known = saved.get("input") or {}
    for file in (path, foreign.errors_of(path)):
        refuse_own_files(file, output, Path(known["path"]) if known.get("path") else None)
    with closing(OwnResults(output)) as results:
        if not saved and not wanted.partial:
            raise UsageError(
                f"{output} has no checkpoint, so nobody knows whether it is complete: --partial"
            )
        check_complete(output, saved, results, partial_=wanted.partial)
        told = Exported(
            str(path),
            rows=len(results),
            answered=len(results) - results.failed,
            failed=results.failed,
            missing=max(0, (known.get("jobs") or 0) - len(results)),
        )
        await _write(told, results, wanted.target, foreign.errors_of(path))
    return told


async def _write(told: Exported, results: OwnResults, target: Target, errors: Path) -> None:
    """Both files, and in ``told`` what became of that of the failures."""
    await _write_file(results, target, is_failure=False)
    if told.failed:
        await _write_file(results, Target(errors, "jsonl", target.packing), is_failure=True)
        told.errors = str(errors)
    elif await anyio.Path(errors).exists():
        told.kept = str(errors)


async def _write_file(results: OwnResults, target: Target, *, is_failure: bool) -> None:
    with opened(target) as file, packed(file, target.packing) as inner:
        for number, (_, line) in enumerate(results.lines()):
            if failed(line) is is_failure:
                inner.write(batch_line(line))
            if number % ROWS == 0:
                await anyio.lowlevel.checkpoint()  # or no signal would be heard


def _check_options(wanted: Wanted) -> None:
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
