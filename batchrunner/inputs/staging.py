"""An input, put where it can be read twice."""

import codecs
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

from anyio import to_thread, wait_readable

from ..errors import InputError
from .dialect import encoding_of
from .packing import Unpacked, by_content
from .remote import at_hand, cannot_keep
from .source import BLOCK

STDIN = 0


@asynccontextmanager
async def staged(path: str | os.PathLike[str], stdin: int = STDIN) -> AsyncIterator[Path]:
    """``path`` itself; for ``-`` a private copy of standard input, removed afterwards.

    So it is for an address, of what lies there.
    """
    if os.fspath(path) != "-":
        async with at_hand(path) as file:
            yield file
        return
    copy = await _copy(stdin)
    try:
        yield copy
    finally:
        _remove(copy)


async def _copy(stdin: int) -> Path:
    """All of ``stdin`` in a file that only its owner can read."""
    number, name = tempfile.mkstemp(prefix="batchrunner-")
    try:
        return _named_for(name, await _fill(number, stdin))
    except BaseException as error:
        _remove(Path(name))
        if not isinstance(error, OSError):
            raise
        raise cannot_keep("standard input", error) from None


async def _fill(number: int, stdin: int) -> bytes:
    """Copy until the end; returns the beginning of what was copied."""
    with os.fdopen(number, "wb") as file:
        start = block = await _next_block(stdin)
        while block:
            await to_thread.run_sync(file.write, block)
            block = await _next_block(stdin)
    return start


def _named_for(name: str, start: bytes) -> Path:
    """The file under a name that says what is in it, and whether that is packed."""
    path = Path(name)
    packing = by_content(start)
    if packing is None:
        return path.rename(name + _suffix_of(start))
    packed = path.rename(name + packing.suffix)
    try:
        with closing(Unpacked(packed, packing)) as file:
            suffix = _suffix_of(file.read(BLOCK))
    except InputError:
        suffix = ".jsonl"  # which is told when it is read
    return packed.rename(f"{name}{suffix}{packing.suffix}")


def _suffix_of(start: bytes) -> str:
    """What a file that begins so is called."""
    if start.startswith(b"PAR1"):
        return ".parquet"
    decode = codecs.getincrementaldecoder(encoding_of(start))("ignore").decode
    text = decode(start).removeprefix("\ufeff").lstrip()
    return ".jsonl" if not text or text.startswith("{") else ".csv"


def _remove(copy: Path) -> None:
    copy.unlink(missing_ok=True)


async def _next_block(stdin: int) -> bytes:
    """What there is to read; waiting for it can be cancelled, which a thread that reads cannot."""
    with suppress(OSError):  # a regular file cannot be waited for, and need not be
        await wait_readable(stdin)
    return os.read(stdin, BLOCK)
