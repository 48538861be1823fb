"""Which file this is, so that a rerun notices another one."""

import os
from dataclasses import dataclass
from hashlib import blake2b

import aiofiles

from ..errors import UsageError

HEAD = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Identity:
    """What can be known of a file without reading it all."""

    size: int
    mtime_ns: int
    inode: int
    head: str  #: BLAKE2b-128 of its first MiB, as it lies on the disk


async def identify(path: str | os.PathLike[str], head: int = HEAD) -> Identity:
    """The identity of ``path``, by its first ``head`` bytes.

    A file that was shorter than a MiB and has grown is recognised by giving its old size.
    """
    try:
        async with aiofiles.open(path, "rb") as file:
            status = os.fstat(file.fileno())
            mark = blake2b(await file.read(min(head, HEAD)), digest_size=16).hexdigest()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    return Identity(status.st_size, status.st_mtime_ns, status.st_ino, mark)
