"""The process environment and the files that add to it: ``.env`` and TOML.

These files say which keys there are and where they go. One that somebody else could have written
is therefore refused; one that others can only read is taken, with a warning.
"""

import logging
import os
import tomllib
from collections.abc import Mapping
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

from .config import Settings, read_settings
from .errors import ConfigError
from .ownership import Access, access
from .tls import check_ca_file

ENV_FILE = Path(".env")
TRUST = "BATCHRUNNER_TRUST_ENV_FILE"
_YES = {"1", "true", "yes", "on", "t", "y"}
_LOG = logging.getLogger("batchrunner")


def load_settings(
    options: Mapping[str, Any] | None = None,
    env_file: Path | None = None,
    toml_file: Path | None = None,
) -> Settings:
    """Settings from ``options``, the process environment, the ``.env`` file and a TOML file.

    Raises ConfigError that names the file, the line or the variable, and the remedy.
    """
    given = options or {}
    trusted = is_trusted(given)
    environ = read_environ(env_file, trusted=trusted)
    settings = read_settings(given, environ, read_toml(toml_file, trusted=trusted))
    if settings.ca_file is not None:
        check_ca_file(settings.ca_file)
    return settings


def is_trusted(options: Mapping[str, Any]) -> bool:
    """Whether files that others could have written count all the same."""
    return bool(options.get("trust_env_file")) or os.environ.get(TRUST, "").lower() in _YES


def read_environ(env_file: Path | None = None, *, trusted: bool = False) -> dict[str, str]:
    """The process environment laid over ``env_file``; without one, over ``.env`` if it exists.

    A file that others own or may write is refused unless it is ``trusted``.
    """
    return {**read_env_file(env_file, trusted=trusted), **os.environ}


def read_toml(path: Path | None, *, trusted: bool = False) -> dict[str, Any]:
    """The settings of a TOML file; none without a file."""
    if path is None:
        return {}
    text, _ = _read_text(path, "--config", trusted=trusted)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {error}") from None


def read_env_file(path: Path | None, *, trusted: bool = False) -> dict[str, str]:
    """The variables of ``path``, or of ``.env`` if it exists, without the process environment."""
    if path is None and not ENV_FILE.exists():
        return {}
    from dotenv.parser import parse_stream  # only where there is such a file

    path = path or ENV_FILE
    found: dict[str, str] = {}
    text, who = _read_text(path, "--env-file", trusted=trusted)
    for binding in parse_stream(StringIO(text)):
        if binding.error:
            part = binding.original.string  # the empty lines above belong to it
            line = binding.original.line + part.count("\n") - part.lstrip().count("\n")
            raise ConfigError(f"{path}, line {line}: write NAME=value")
        if binding.key is not None and binding.value is not None:
            found[binding.key] = binding.value
    if who is Access.READ and any("KEY" in name for name, value in found.items() if value):
        _warn(path.absolute(), str(path))
    return found


@cache
def _warn(_place: Path, name: str) -> None:
    """Say it once for each file."""
    _LOG.warning("batchrunner: others can read the keys in %s: chmod 600 %s", name, name)


def _read_text(path: Path, option: str, *, trusted: bool) -> tuple[str, Access]:
    """The text of a file, and what others may do with it."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            who = access(os.fstat(file.fileno()))
            if who is Access.WRITE and not trusted:
                raise ConfigError(
                    f"{path} belongs to somebody else, or others may write it, and it says where "
                    f"keys go: make it yours and chmod 600 {path}; or add --trust-env-file"
                )
            return file.read(), who
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text: save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}; give another file with {option}"
        ) from None
