"""Standard input, put where it can be read twice."""

import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from anyio import to_thread

from ..errors import DiskError
from .source import BLOCK

_GZIP = b"\x1f\x8b"


@asynccontextmanager
async def staged(
    path: str | os.PathLike[str], stdin: IO[bytes] | None = None
) -> AsyncIterator[Path]:
    """``path`` itself; for ``-`` a private copy of standard input, removed afterwards."""
    if os.fspath(path) != "-":
        yield Path(path)
        return
    source = sys.stdin.buffer if stdin is None else stdin
    copy = await to_thread.run_sync(_copy, source, abandon_on_cancel=True)
    try:
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _copy(stdin: IO[bytes]) -> Path:
    """All of ``stdin`` in a file that only its owner can read."""
    number, name = tempfile.mkstemp(prefix="batchrunner-", suffix=".jsonl")
    copy = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            start = stdin.read(len(_GZIP))
            file.write(start)
            shutil.copyfileobj(stdin, file, BLOCK)
        return copy.rename(f"{name}.gz") if start == _GZIP else copy
    except OSError as error:
        copy.unlink()
        raise DiskError(
            f"standard input cannot be kept in {copy.parent}: {error.strerror};"
            " make room, or set TMPDIR to a larger directory"
        ) from None
