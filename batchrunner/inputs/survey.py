"""The first pass: everything that can be known of an input before anything is sent."""

import os
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from ..errors import InputError
from .defaults import NO_DEFAULTS, Defaults
from .duplicates import Seen
from .identity import Identity, identify
from .jsonl import examine, fingerprint
from .opening import open_lines
from .shape import PLAIN, Noun, Shape
from .strict import RefusedError

_KEPT = 1000  # reasons and duplicates that are kept; the rest is counted
_SUSPECTS = 10_000  # hashes that are looked at again
_HOPELESS = 1000  # bad lines from the start, without one good: this is another format
_PRINTED = 100  # lines of a message


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An id that was taken already."""

    id: str
    first: int  #: the ordinal of the line that has it
    again: int  #: the ordinal of a later line that has it too


@dataclass(slots=True)
class Survey:
    """What the first pass saw."""

    path: Path
    identity: Identity
    noun: Noun = "line"  #: what messages call a line
    shape: Shape = PLAIN  #: how it was read
    jobs: int = 0  #: good lines
    done: int = 0  #: jobs of these that need not run again
    lines: int = 0  #: physical ones, with the blank ones
    bad: dict[int, str] = field(default_factory=dict)  #: ordinal to reason, of the first thousand
    bad_count: int = 0
    duplicates: list[Duplicate] = field(default_factory=list)  #: the first thousand
    duplicate_count: int = 0
    #: how many jobs have yet to run on each; a Counter takes three times as long to add one
    models: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def bad_message(self) -> str:
        """Every bad line with its number, and what to do."""
        return _message(
            f"{self.path}: {_counted(self.bad_count, self.noun)} cannot be a job",
            (f"{self.noun} {ordinal + 1}: {reason}" for ordinal, reason in self.bad.items()),
            self.bad_count,
            f"nothing was sent: correct these {self.noun}s, or use --bad-lines record to go on"
            " without",
        )

    def duplicate_message(self) -> str:
        """Every id that occurs again with its lines, and what to do."""
        return _message(
            f"{self.path}: ids must be unique",
            (
                f"{self.noun} {twin.again + 1}: the id {twin.id!a} is that of"
                f" {self.noun} {twin.first + 1}"
                for twin in self.duplicates
            ),
            self.duplicate_count,
            f"nothing was sent: give each {self.noun} an id of its own, or leave all ids out",
        )


async def survey(
    path: str | os.PathLike[str],
    defaults: Defaults = NO_DEFAULTS,
    limit: int | None = None,
    *,
    done: Callable[[int, str], bool] | None = None,
    shape: Shape = PLAIN,
) -> Survey:
    """Look at every line of ``path``, or at the first ``limit`` that are not blank.

    ``done`` is asked with the ordinal and the fingerprint of each line whether its job is done
    already; it may raise when the line is not the one that was done. Costs eight bytes of memory
    for a job. Raises ``InputError`` for a file of another format, where no line would be a job.
    """
    path = Path(path)
    async with open_lines(path, shape) as source:
        found = Survey(path, await identify(path), source.noun, source.shape)
    seen = Seen()

    async with aclosing(_batches(path, shape, limit)) as batches:
        async for lines, found.lines in batches:
            for ordinal, line in lines:
                is_done = done is not None and done(ordinal, fingerprint(line))
                try:
                    name, model = examine(line, ordinal, defaults)
                except RefusedError as refused:
                    _note(found, ordinal, str(refused))
                    continue
                found.jobs += 1
                seen.add(name)
                if is_done:
                    found.done += 1
                else:
                    found.models[model] += 1
    suspects = set(islice(seen.suspects(), _SUSPECTS))
    if suspects:
        await _confirm(found, suspects, seen, defaults, limit, shape)
    return found


async def _batches(
    path: Path, shape: Shape, limit: int | None
) -> AsyncGenerator[tuple[list[tuple[int, bytes]], int]]:
    """The lines that are not blank, numbered; and how many there are so far, blank or not."""
    count, left = 0, limit
    async with open_lines(path, shape) as source:
        async for lines in source:
            filled = [
                (ordinal, line)
                for ordinal, line in enumerate(lines, count)
                if line and not line.isspace()
            ]
            if left is not None:
                if left <= len(filled):
                    yield filled[:left], filled[left - 1][0] + 1 if left else 0
                    return
                left -= len(filled)
            count += len(lines)
            yield filled, count


def _note(found: Survey, ordinal: int, reason: str) -> None:
    found.bad_count += 1
    if len(found.bad) < _KEPT:
        found.bad[ordinal] = reason
    if found.bad_count == _HOPELESS and not found.jobs:
        ordinal, first = next(iter(found.bad.items()))
        what = " is no JSON Lines file" if found.noun == "line" else ""
        raise InputError(
            f"{found.path}{what}: none of its first {_HOPELESS:,} {found.noun}s is a job;"
            f" {found.noun} {ordinal + 1} {first}"
        )


async def _confirm(  # noqa: PLR0913, PLR0917 - it looks at all of it once more
    found: Survey,
    suspects: set[int],
    seen: Seen,
    defaults: Defaults,
    limit: int | None,
    shape: Shape,
) -> None:
    """Look at the lines again, and note the ids that really occur twice."""
    first: dict[str, int] = {}

    async with aclosing(_batches(found.path, shape, limit)) as batches:
        async for lines, _ in batches:
            for ordinal, line in lines:
                try:
                    name, _ = examine(line, ordinal, defaults)
                except RefusedError:
                    continue
                if seen.hashed(name) not in suspects:
                    continue
                if (before := first.setdefault(name, ordinal)) != ordinal:
                    found.duplicate_count += 1
                    if len(found.duplicates) < _KEPT:
                        found.duplicates.append(Duplicate(name, before, ordinal))


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _message(head: str, listed: Iterable[str], count: int, remedy: str) -> str:
    shown = list(islice(listed, _PRINTED))
    more = [f"… and {count - len(shown):,} more"] if count > len(shown) else []
    return "\n".join([head, *shown, *more, remedy])
