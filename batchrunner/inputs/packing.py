"""Packed files: which they are, and what is inside of them.

A packed file that ends too early, or holds anything else behind its end, is refused, and never
taken for a shorter one. What is inside is read a block at a time and no more of it is held, so a
small file that unpacks to an enormous one costs time and no memory; one that grows beyond any
list of jobs costs not even much time.
"""

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ..errors import InputError

RATIO = 10_000  #: times its own size; lines that all begin with one long prompt come to 2,000
SURE = 64 << 20  #: bytes that may come out of anything


class Readable(Protocol):
    """A file, or what unpacks one."""

    def read(self, size: int, /) -> bytes | None:
        """Up to ``size`` bytes; none at the end."""

    def close(self) -> None:
        """Let go of it."""


def _gzip(packed: BinaryIO) -> tuple[Readable, tuple[type[Exception], ...]]:
    return gzip.GzipFile(fileobj=packed, mode="rb"), (gzip.BadGzipFile, zlib.error)


def _zstandard(packed: BinaryIO) -> tuple[Readable, tuple[type[Exception], ...]]:
    module = zstd()
    return module.ZstdFile(packed), (module.ZstdError,)


def zstd() -> Any:
    """The module that packs and unpacks zstd; loaded where it is used."""
    try:  # Python has it from 3.14 on
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        from backports import zstd
    return zstd


@dataclass(frozen=True, slots=True)
class Packing:
    """One way of packing, known by its suffix or by its first bytes."""

    name: str
    suffix: str
    magic: bytes
    unpack: Callable[[BinaryIO], tuple[Readable, tuple[type[Exception], ...]]]


PACKINGS = (
    Packing("gzip", ".gz", b"\x1f\x8b", _gzip),
    Packing("zstd", ".zst", b"\x28\xb5\x2f\xfd", _zstandard),
)


def by_name(name: str) -> Packing | None:
    """How a file of this name is packed."""
    return next((p for p in PACKINGS if name.lower().endswith(p.suffix)), None)


def by_content(start: bytes) -> Packing | None:
    """How a file that begins so is packed."""
    return next((p for p in PACKINGS if start.startswith(p.magic)), None)


def bare(name: str) -> str:
    """``name`` without the suffix of a packing."""
    packing = by_name(name)
    return name[: -len(packing.suffix)] if packing else name


class Unpacked:
    """What is inside of ``path``; an InputError where that cannot be known for certain."""

    def __init__(self, path: Path, packing: Packing, *, sure: int = SURE) -> None:
        self._path, self._name, self._sure = path, packing.name, sure
        self._packed = path.open("rb")
        self._file, self._unsound = packing.unpack(self._packed)
        self._size = 0

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes; none at the end."""
        try:
            block = self._file.read(size) or b""
        except EOFError:
            raise InputError(
                f"{self._path} ends too early: the {self._name} file was cut or spoiled;"
                " make it again"
            ) from None
        except self._unsound as error:
            raise InputError(
                f"{self._path} is no sound {self._name} file ({error}): make it again"
            ) from None
        self._size += len(block)
        if self._size > max(self._sure, RATIO * self._packed.tell()):
            raise InputError(
                f"{self._path} unpacks to more than {RATIO:,} times its size, which no list of"
                " jobs does: unpack it yourself, and look at it"
            )
        return block

    def close(self) -> None:
        """Let go of both files."""
        self._file.close()
        self._packed.close()
