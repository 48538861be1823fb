"""Standard input, put where it can be read twice."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from anyio import to_thread, wait_readable

from ..errors import DiskError
from .packing import by_content
from .source import BLOCK

STDIN = 0


@asynccontextmanager
async def staged(path: str | os.PathLike[str], stdin: int = STDIN) -> AsyncIterator[Path]:
    """``path`` itself; for ``-`` a private copy of standard input, removed afterwards."""
    if os.fspath(path) != "-":
        yield Path(path)
        return
    copy = await _copy(stdin)
    try:
        yield copy
    finally:
        _remove(copy)


async def _copy(stdin: int) -> Path:
    """All of ``stdin`` in a file that only its owner can read."""
    number, name = tempfile.mkstemp(prefix="batchrunner-", suffix=".jsonl")
    try:
        return _named_for(name, await _fill(number, stdin))
    except BaseException as error:
        _remove(Path(name))
        if not isinstance(error, OSError):
            raise
        raise DiskError(
            f"standard input cannot be kept in {tempfile.gettempdir()}: {error.strerror};"
            " make room, or set TMPDIR to a larger directory"
        ) from None


async def _fill(number: int, stdin: int) -> bytes:
    """Copy until the end; returns the beginning of what was copied."""
    with os.fdopen(number, "wb") as file:
        start = block = await _next_block(stdin)
        while block:
            await to_thread.run_sync(file.write, block)
            block = await _next_block(stdin)
    return start


def _named_for(name: str, start: bytes) -> Path:
    """The file under a name that says whether it is packed."""
    packing = by_content(start)
    return Path(name).rename(name + packing.suffix) if packing else Path(name)


def _remove(copy: Path) -> None:
    copy.unlink(missing_ok=True)


async def _next_block(stdin: int) -> bytes:
    """What there is to read; waiting for it can be cancelled, which a thread that reads cannot."""
    with suppress(OSError):  # a regular file cannot be waited for, and need not be
        await wait_readable(stdin)
    return os.read(stdin, BLOCK)
