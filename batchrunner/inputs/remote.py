"""Inputs that lie elsewhere: ``s3://…`` and whatever else fsspec has a driver for.

An input is read twice and looked at again when a run goes on, so it is fetched once, as it is,
into a file that only its owner can read and that goes when the run ends. What an address holds
besides the place, a password or a token, is given to the driver and to nobody else: messages and
the checkpoint name the place alone, and what a driver says is not repeated, for it may hold more.
"""

import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from anyio import to_thread

from ..errors import BatchrunnerError, ConfigError, DiskError, UsageError
from .source import BLOCK

Name = str | os.PathLike[str]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*(?:::[^/]*)?)://")
_HERE = ("file://", "local://")
_AZURE = frozenset({"abfs", "abfss", "az"})  #: container@account, which is no secret
_UNREACHED = re.compile("Connect|Timeout")  # in the names of all drivers' errors of that kind
_LONGEST = 60  # characters of a name, the last ones: of the longest kind, 240 bytes


def plain(name: Name) -> str:
    """``name`` without the scheme of this machine: such a file is read where it lies."""
    text = os.fspath(name)
    here = next((scheme for scheme in _HERE if text.startswith(scheme)), "")
    return text.removeprefix(here)


def is_remote(name: Name) -> bool:
    """Whether ``name`` is the address of something that must be fetched."""
    return _SCHEME.match(plain(name)) is not None


def shown(url: str) -> str:
    """The address without anything that may be a secret: no user, no password, no query."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    user, _, host = authority.rpartition("@")
    host, query, _ = host.partition("?")
    kept = f"{user}@" if user and ":" not in user and scheme in _AZURE else ""
    below = "" if query else slash + path.partition("?")[0]
    return f"{scheme}://{kept}{host}{below}"


def file_name(url: str) -> str:
    """What the file is called, with all its suffixes."""
    return PurePosixPath(shown(url).partition("://")[2]).name[-_LONGEST:]


def refuse_remote(name: Name, remedy: str) -> None:
    """UsageError with the remedy where only a file of this machine will do."""
    if is_remote(name):
        scheme = os.fspath(name).partition("://")[0]
        raise UsageError(f"{scheme}://… is not on this machine: {remedy}")


def check_address(url: str) -> None:
    """UsageError for an address that is not fetched, or of which it is not known what to hide."""
    scheme, _, rest = url.partition("://")
    if "::" in url:
        raise UsageError("an address with :: names several places: give that of the file alone")
    if scheme.lower() in {"http", "https"}:
        raise UsageError(
            f"{scheme}:// is not fetched: what a web server is told with the address, a key among"
            " it, is for you to decide; download the file yourself and give its name"
        )
    authority, _, path = rest.partition("/")
    _, user, host = authority.rpartition("@")
    _, colon, port = host.partition("?")[0].rpartition(":")
    is_password = not port.isdecimal() or ("@" in path and not user)
    if colon and is_password and not (scheme == "s3" and host.startswith("arn:")):
        raise UsageError(
            f"an address that begins with {scheme}:// has a : that may begin a port or a password:"
            " write / and @ in a password as %2F and %40, or leave it out"
        )


@asynccontextmanager
async def at_hand(name: Name) -> AsyncIterator[Path]:
    """``name`` itself; for an address a private copy of the file, removed afterwards.

    Raises UsageError for what is not there or may not be read, and BatchrunnerError where it
    does not arrive whole. Errors of the block name the address where they named the copy.
    """
    url = plain(name)
    if not is_remote(url):
        yield Path(url)
        return
    check_address(url)
    folder = _private_folder(url)
    copy = folder / (file_name(url) or "input")
    try:
        await _fetch(url, copy)
        yield copy
    except BatchrunnerError as error:
        error.args = (str(error).replace(str(copy), shown(url)),)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def cannot_keep(what: str, error: OSError) -> DiskError:
    """The error for a copy that has no room."""
    return DiskError(
        f"{what} cannot be kept in {tempfile.gettempdir()}: {error.strerror};"
        " make room, or set TMPDIR to a larger directory"
    )


def _private_folder(url: str) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="batchrunner-"))
    except OSError as error:
        raise cannot_keep(shown(url), error) from None


async def _fetch(url: str, copy: Path) -> None:
    """All of the file, a block at a time; can be cancelled between two blocks."""
    file, size = await to_thread.run_sync(_open, url)
    try:
        with os.fdopen(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            got = 0
            while (size is None or got <= size) and (
                block := await to_thread.run_sync(_read, url, file)
            ):
                await to_thread.run_sync(out.write, block)
                got += len(block)
    except OSError as error:
        raise cannot_keep(shown(url), error) from None
    finally:
        with suppress(Exception):  # it was only read
            file.close()
    if size is not None and got != size:
        raise BatchrunnerError(
            f"{shown(url)} did not arrive whole: {min(got, size + 1):,} bytes"
            f"{' or more' if got > size else ''} where {size:,} were announced; start the same"
            " command again"
        )


def _open(url: str) -> tuple[Any, int | None]:
    """The file behind ``url``, and how long it is where that is known; blocks."""
    fsspec, scheme = _fsspec(), url.partition("://")[0]
    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError:
        raise ConfigError(f"{scheme}:// needs a package: {_asked_for(scheme)}") from None
    except ValueError:
        raise UsageError(
            f"{scheme}:// is no scheme that fsspec knows: check the address"
        ) from None
    try:  # its own connection: one that is kept for later would know the length of yesterday
        system, path = fsspec.core.url_to_fs(url, skip_instance_cache=True)
        found = system.info(path)
        if found.get("type") == "directory":
            raise IsADirectoryError  # noqa: TRY301 - as some drivers do
        return system.open(path, "rb"), found.get("size")
    except Exception as error:  # noqa: BLE001 - drivers raise what they like
        raise _unopened(shown(url), error) from None


def _asked_for(scheme: str) -> str:
    """What fsspec asks to install, in its words."""
    from fsspec.registry import known_implementations

    known = known_implementations.get(scheme, {})
    return str(known.get("err", "the driver of fsspec for it cannot be imported"))


def _fsspec() -> Any:
    try:
        import fsspec  # an extra
        import fsspec.core
    except ImportError:
        raise ConfigError(
            "a path with a scheme needs fsspec: pip install 'batchrunner[remote]'"
        ) from None
    return fsspec


def _read(url: str, file: Any) -> bytes:
    """The next block; blocks."""
    try:
        return bytes(file.read(BLOCK))
    except Exception as error:  # noqa: BLE001 - drivers raise what they like
        raise _broken(shown(url), error) from None


def _unopened(where: str, error: Exception) -> BatchrunnerError:
    match error:
        case FileNotFoundError():
            return UsageError(f"{where} does not exist: check the address")
        case IsADirectoryError():
            return UsageError(f"{where} is a directory: name a file in it")
        case PermissionError():
            return UsageError(
                f"{where} may not be read: check the credentials that the driver finds, and what"
                " they allow"
            )
        case _ if _UNREACHED.search(type(error).__name__):
            return _broken(where, error)
        case _:
            return UsageError(
                f"{where} cannot be opened ({_kind(error)}): check the address, the credentials"
                " and the network"
            )


def _broken(where: str, error: Exception) -> BatchrunnerError:
    return BatchrunnerError(
        f"{where} cannot be fetched ({_kind(error)}): start the same command again"
    )


def _kind(error: Exception) -> str:
    """What an error is, without what it says."""
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    return type(error).__name__
