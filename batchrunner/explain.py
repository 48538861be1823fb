"""Everything about one job: what was asked, each attempt and what it meant, and what it took."""

import re
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread

from .again import meaning_of
from .config import Settings
from .errors import BatchrunnerError, UsageError
from .explanation import Explanation
from .inputs.jsonl import BadLine, fingerprint, parse
from .inputs.opening import Shape, open_lines
from .inputs.remote import at_hand, is_remote, plain
from .intake import defaults
from .model import Job
from .outputs import checkpoint, foreign
from .outputs.lines import decode, settings_of
from .outputs.lock import holder
from .outputs.lookup import Hits, by_id, by_ordinal
from .tables.input_rows import name_of

_NUMBER = re.compile("#([1-9][0-9]{0,9})")
SHOWN = 5  #: lines with the same id that are named


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which job: by its id, or by the number of its line, which counts from 1."""

    id: str | None = None
    line: int | None = None
    input: str | None = None  #: instead of the file that the checkpoint names

    @property
    def words(self) -> str:
        """As messages call it."""
        return f"line {self.line:,}" if self.id is None else f"the id {self.id!a}"


async def explain(output: Path, wanted: Wanted) -> Explanation:
    """What the files say of one job; nothing is locked, so a run may be going on.

    Raises UsageError where neither the results nor the input have it.
    """
    foreign.refuse(output, "it says nothing of attempts; look for the id in it as it is")
    writer = holder(output)
    saved = checkpoint.load(checkpoint.checkpoint_path(output)).fields or {}
    wanted, hits = await anyio.to_thread.run_sync(_look_up, output, wanted)
    found = None
    if hits.lines:
        found = _of_line(output, hits)
    else:
        foreign.is_foreign(output)  # raises where it is no file of results at all
    async with AsyncExitStack() as stack:
        try:
            path = await _input(stack, saved, wanted)
            found = await _with_input(output, found, path, saved, wanted)
        except BatchrunnerError as error:
            if found is None or wanted.input is not None:
                raise
            found.notes.append(f"the input could not be looked at: {error}")
    if found is None:
        raise UsageError(f"{output} has no result for {wanted.words}, and {_where(saved)}")
    found.saved, found.writer = saved, writer
    if hits.damaged:
        found.notes.append(f"a line of this job is damaged: see batchrunner verify {output}")
    return found


def _look_up(output: Path, wanted: Wanted) -> tuple[Wanted, Hits]:
    """``#7`` is the seventh line, unless an id is spelled like that."""
    if wanted.line is not None:
        return wanted, by_ordinal(output, wanted.line - 1)
    name = wanted.id or ""
    hits = by_id(output, name)
    number = _NUMBER.fullmatch(name)
    if hits.lines or number is None:
        return wanted, hits
    line = int(number[1])
    return Wanted(line=line, input=wanted.input), by_ordinal(output, line - 1)


def _of_line(output: Path, hits: Hits) -> Explanation:
    line = hits.lines[0]
    record = decode(line)
    found = Explanation(
        *(output, record["custom_id"], record["i"]), record=record, settings=settings_of(line)
    )
    others = sorted({decode(other)["i"] + 1 for other in hits.lines} - {record["i"] + 1})
    if others:
        more = len(others) - SHOWN
        named = ", ".join(f"{number:,}" for number in others[:SHOWN])
        behind = f" and {more:,} more" if more > 0 else ""
        found.notes.append(f"line {named}{behind} of the input has this id too: see --line")
    elif len(hits.lines) > 1:
        found.notes.append(f"it has {len(hits.lines)} lines: see batchrunner verify {output}")
    return found


async def _input(stack: AsyncExitStack, saved: Mapping[str, Any], wanted: Wanted) -> Path | None:
    """The input, where it is at hand; nothing is fetched unless it is named."""
    name = (saved.get("input") or {}).get("path") if wanted.input is None else wanted.input
    if name is None or (wanted.input is None and not _is_there(name)):
        return None
    return await stack.enter_async_context(at_hand(name))


def _is_there(name: str) -> bool:
    return not is_remote(name) and Path(plain(name)).exists()


async def _with_input(
    output: Path,
    found: Explanation | None,
    path: Path | None,
    saved: Mapping[str, Any],
    wanted: Wanted,
) -> Explanation | None:
    """``found``, and what the line of the input says; None where nobody knows the job."""
    if path is None:
        if found is not None:
            found.notes.append("the input is not at hand: say where it is with --input")
        return found
    known = saved.get("input") or {}
    row = await _row(path, known, wanted if found is None else Wanted(line=found.ordinal + 1))
    if row is None:
        if found is not None:
            found.notes.append(f"{path} has no such line: it is not the input of these results")
        return found
    if found is None:
        ids = (known.get("shape") or {}).get("id_column")
        found = Explanation(output, name_of(row.line, row.ordinal, ids), row.ordinal)
        found.is_left_out = known.get("limit") is not None and row.number > known["limit"]
    elif fingerprint(row.line) != (found.record or {}).get("fp"):
        found.notes.append(f"{path} has another line there now: it is not the one that was asked")
        return found
    found.noun, found.input = row.noun, str(path)
    if saved.get("cfg"):
        found.asked = await anyio.to_thread.run_sync(_asked, row, saved)
    return found


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the input."""

    line: bytes
    ordinal: int
    number: int  #: the same without blank lines, from 1
    noun: str


async def _row(path: Path, known: Mapping[str, Any], wanted: Wanted) -> _Row | None:
    """The line that is wanted; reads no further."""
    ids = (known.get("shape") or {}).get("id_column")
    lines = open_lines(path, Shape.of(known))
    ordinal = number = 0
    async with lines:
        async for some in lines:
            if (
                wanted.line is not None
                and ordinal + len(some) < wanted.line
                and not known.get("limit")
            ):
                ordinal += len(some)  # of no interest
                continue
            take = partial(_among, some, ordinal, number, wanted, ids)
            hit, number = await anyio.to_thread.run_sync(take)
            if hit is not None:
                return _Row(some[hit], ordinal + hit, number, lines.noun)
            ordinal += len(some)
    return None


def _among(
    lines: Sequence[bytes], ordinal: int, number: int, wanted: Wanted, ids: str | None
) -> tuple[int | None, int]:
    """Which of some lines is wanted, and how many that are not blank there were up to it."""
    sign = _sign(wanted.id)
    for index, line in enumerate(lines):
        if not line or line.isspace():
            continue
        number += 1
        at = ordinal + index
        if wanted.id is None:
            if at + 1 == wanted.line:
                return index, number
        elif (sign in line or b"\\" in line or wanted.id == str(at)) and (
            name_of(line, at, ids) == wanted.id
        ):
            return index, number
    return None, number


def _sign(id_: str | None) -> bytes:
    """What stands in a line with this id, unless it has escapes."""
    return (id_ or "").replace("\\", "").split('"')[0].encode("utf-8", "ignore")


def _asked(row: _Row, saved: Mapping[str, Any]) -> Job | BadLine:

    settings = Settings.model_validate(meaning_of(saved))
    return parse(row.line, row.ordinal, defaults(settings))


def _where(saved: Mapping[str, Any]) -> str:
    """Where it was looked for, and how else to look."""
    name = (saved.get("input") or {}).get("path")
    how = "ids are those of custom_id; #7 is the seventh line of the input"
    if name is None:
        return f"its input is not known: say with --input FILE where it is ({how})"
    if not _is_there(name):
        return f"{name} is not at hand: say with --input FILE where the input is now ({how})"
    return f"{name} has no such job ({how})"
