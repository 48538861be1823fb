"""One job's line in the results, found at the speed of the disk: no line but its own is parsed.

The head of a line is of fixed shape, so that what stands there can be searched as bytes; whether
a hit is the head of a line, and not something that a model wrote, is looked at afterwards.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import orjson

from .lines import MAX_LINE, START, check
from .places import opened

BLOCK = 8 << 20
LONGEST_HEAD = 64  #: bytes before the id of a line, at most
_HEAD = re.compile(rb'\{"i":[0-9]{1,10},"fp":"[0-9a-f]{16}"\Z')


@dataclass(slots=True)
class Hits:
    """What the results have of one job."""

    lines: list[bytes] = field(default_factory=list)  #: whole ones, in the order of the file
    damaged: int = 0  #: that begin as one of this job does


def by_id(path: Path, id_: str, block: int = BLOCK) -> Hits:
    """The lines of the jobs that are called so: one, where all is well."""
    try:
        needle = b',"custom_id":%b,"response":' % orjson.dumps(id_)
    except TypeError:  # no line has such a text: lone surrogates were replaced
        return Hits()
    return _hits(path, needle, block, at_head=False)


def by_ordinal(path: Path, ordinal: int, block: int = BLOCK) -> Hits:
    """The line of the job of an input line, which is counted from 0."""
    return _hits(path, START + b'%d,"fp":"' % ordinal, block, at_head=True)


def _hits(path: Path, needle: bytes, block: int, *, at_head: bool) -> Hits:
    found = Hits()
    with opened(path) as file:
        for at in _occurrences(file, needle, block):
            begin = _begin(file, at, at_head=at_head)
            if begin is None:
                continue
            line = _line(file, begin)
            if check(line) is not None:
                found.lines.append(line)
            elif line.endswith(b"\n"):  # else it is being written
                found.damaged += 1
    return found


def _occurrences(file: BinaryIO, needle: bytes, block: int) -> Iterator[int]:
    """Every offset at which ``needle`` stands."""
    offset, rest = 0, b""
    while more := os.pread(file.fileno(), block, offset + len(rest)):
        text = rest + more
        at = text.find(needle)
        while at >= 0:
            yield offset + at
            at = text.find(needle, at + 1)
        rest = text[1 - len(needle) :]
        offset += len(text) - len(rest)


def _begin(file: BinaryIO, at: int, *, at_head: bool) -> int | None:
    """Where the line begins whose head has a hit at ``at``; None where that is no head."""
    if at_head:
        is_first = at == 0 or os.pread(file.fileno(), 1, at - 1) == b"\n"
        return at if is_first else None
    before = os.pread(file.fileno(), min(at, LONGEST_HEAD), max(0, at - LONGEST_HEAD))
    head = before[before.rfind(b"\n") + 1 :]
    return at - len(head) if _HEAD.match(head) else None


def _line(file: BinaryIO, begin: int) -> bytes:
    file.seek(begin)
    return file.readline(MAX_LINE)
