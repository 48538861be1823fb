"""The file beside the results that says whose they are, and how much of them was safe when."""

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from ..errors import UsageError
from .disk import DISK, Disk, sibling

VERSION = 1
LARGEST = 16 << 20
_SEAL = len(b',"crc":"00000000"}\n')


class Loaded(NamedTuple):
    """A checkpoint, or why there is none."""

    fields: Mapping[str, Any] | None
    reason: str | None = None


def checkpoint_path(output: Path) -> Path:
    """Where the checkpoint of an output is."""
    return sibling(output, ".checkpoint.json")


def encode(fields: Mapping[str, Any]) -> bytes:
    """The bytes of a checkpoint: its version first, a checksum of all the rest last."""
    body = orjson.dumps({"v": VERSION, **fields})[:-1]
    return b'%b,"crc":"%08x"}\n' % (body, zlib.crc32(body))


def load(path: Path, disk: Disk = DISK) -> Loaded:
    """Read a checkpoint. A missing or damaged one is no error: the results speak for themselves.

    One of another version is refused, since what it asks for is not known.
    """
    try:
        with disk.reader(path) as file:
            content = file.read(LARGEST)
    except FileNotFoundError:
        return Loaded(None, f"{path} is missing")
    except OSError as error:
        return Loaded(None, f"{path} cannot be read: {error.strerror}")
    if not _is_whole(content):
        return Loaded(None, f"{path} is damaged")
    return Loaded(_known(orjson.loads(content), path))


def _is_whole(content: bytes) -> bool:
    body, seal = content[:-_SEAL], content[-_SEAL:]
    return body.startswith(b'{"v":') and seal == b',"crc":"%08x"}\n' % zlib.crc32(body)


def _known(fields: dict[str, Any], path: Path) -> Mapping[str, Any]:
    if fields["v"] != VERSION:
        raise UsageError(
            f"{path} was written by another version of batchrunner (format {fields['v']}, "
            f"this one knows {VERSION}): use that version, or choose another --output"
        )
    return {name: value for name, value in fields.items() if name not in {"v", "crc"}}
