"""What keeps results from being exported, before anything is written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import DamagedError, UsageError
from ..outputs import foreign
from ..outputs.disk import sibling
from ..outputs.found import BatchResults, OwnResults, Results
from .draft import check_target

_SIDE_FILES = (".checkpoint.json", ".stats.json", ".lock")


def check_complete(
    output: Path, saved: Mapping[str, Any], results: Results, *, partial_: bool
) -> None:
    """UsageError where there are no results, or not yet all; DamagedError where some are gone."""
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
        raise incomplete(output, missing, results)


def incomplete(output: Path, missing: int, results: Results) -> UsageError:
    """That so many rows have no result, and what to do about it."""
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


def refuse_own_files(target: Path, output: Path, source: Path | None) -> None:
    """UsageError where ``target`` cannot be written, or is a file of the run or its input."""
    check_target(target, output, *(sibling(output, suffix) for suffix in _SIDE_FILES), source)
