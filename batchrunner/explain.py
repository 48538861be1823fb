"""Everything about one job: what was asked, each attempt and what it meant, and what it took."""

import re
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread

from .again import meaning_of
from .answers import choices
from .config import Settings
from .errors import BatchrunnerError, UsageError
from .inputs.jsonl import BadLine, fingerprint, parse
from .inputs.opening import Shape, open_lines
from .inputs.remote import at_hand, is_remote, plain
from .intake import defaults
from .meanings import meaning, remedy
from .model import Job, Usage
from .outputs import checkpoint, foreign
from .outputs.lines import decode, settings_of
from .outputs.lock import holder
from .outputs.lookup import Hits, by_id, by_ordinal
from .policy.answer import usage_of
from .prices import PriceList
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


@dataclass(slots=True)
class Explanation:
    """What is known of one job."""

    output: Path
    id: str
    ordinal: int
    noun: str = "line"
    input: str | None = None  #: the file in which its line was found
    asked: Job | BadLine | None = None  #: what that line asks for
    record: Mapping[str, Any] | None = None  #: its line of results
    settings: str = ""  #: the mark of the settings it was asked with
    saved: Mapping[str, Any] = field(default_factory=dict)  #: the checkpoint
    writer: str | None = None  #: the process that writes the output now
    is_left_out: bool = False  #: behind the last line that --limit lets through
    notes: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """``answered``, ``failed``, ``not done yet`` or ``left out``."""
        if self.record is None:
            return "left out" if self.is_left_out else "not done yet"
        return "answered" if self.record["error"] is None else "failed"

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """Each with its meaning; ``wait`` is how long the job had waited for it."""
        record = self.record or {}
        return [
            {"wait": 0.0, **each, "meaning": meaning(each["outcome"], each.get("cause"))}
            for each in record.get("attempts", ())
        ]

    @property
    def response(self) -> Mapping[str, Any]:
        """The last reply; empty where there was none."""
        return (self.record or {}).get("response") or {}

    @property
    def usage(self) -> Usage | None:
        """What the answer used; None where there is no answer."""
        body = self.response.get("body")
        is_answer = self.state == "answered" and isinstance(body, dict)
        return usage_of(body) if is_answer and isinstance(body, dict) else None

    @property
    def rejected(self) -> list[tuple[str, Usage]]:
        """What answers used that were paid and not taken, with their regions."""
        return [(a["region"], Usage(**a["usage"])) for a in self.attempts if a.get("usage")]

    @property
    def cost_usd(self) -> float | None:
        """What all of it cost; None where a price is not known."""
        record = self.record or {}
        if record.get("cost_usd") is not None:
            return float(record["cost_usd"])
        paid = list(self.rejected)
        if self.usage is not None and record.get("region") is not None:  # else it was reused
            paid.append((record["region"], self.usage))
        prices = PriceList(self.saved.get("providers") or {})
        costs = [prices.answer(region, usage.model, usage) for region, usage in paid]
        known = [cost for cost in costs if cost is not None]
        return round(sum(known), 9) if len(known) == len(costs) else None

    @property
    def endings(self) -> list[str]:
        """Why each answer ended, where the service says."""
        body = self.response.get("body")
        return [choice.end for choice in choices(body) if choice.end]

    @property
    def texts(self) -> list[str]:
        """The answers."""
        return [choice.text or choice.refusal for choice in choices(self.response.get("body"))]

    @property
    def error(self) -> dict[str, Any] | None:
        """Why it has no answer, and what to do about that."""
        error = (self.record or {}).get("error")
        if error is None:
            return None
        return {**error, "remedy": remedy(error["code"], is_retryable=error["retryable"])}

    def as_json(self) -> dict[str, Any]:
        """All of it but the texts."""
        record, usage, job = self.record or {}, self.usage, self.asked
        rejected = [usage for _, usage in self.rejected]
        return {
            "output": str(self.output),
            "id": self.id,
            self.noun: self.ordinal + 1,
            "state": self.state,
            "running": self.writer,
            "input": self.input,
            "model_asked": job.model if isinstance(job, Job) else None,
            "model": usage.model if usage else None,
            "region": record.get("region"),
            "attempts": self.attempts,
            "error": self.error,
            "status": self.response.get("status_code"),
            "request_id": self.response.get("request_id"),
            "finish_reasons": self.endings,
            "tokens": _tokens([usage] if usage else []),
            "rejected_tokens": _tokens(rejected),
            "cost_usd": self.cost_usd,
            "reused": bool(record.get("reused")),
            "request": record.get("request"),
            "settings": self.settings or None,
            "notes": self.notes,
        }


def _tokens(usages: Sequence[Usage]) -> dict[str, int]:
    return {
        name: sum(getattr(usage, name) for usage in usages)
        for name in ("prompt", "cached", "completion")
    }


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
