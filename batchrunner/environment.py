"""The process environment and the files that add to it: ``.env`` and TOML."""

import os
import tomllib
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from .config import Settings, read_settings
from .errors import ConfigError

ENV_FILE = Path(".env")


def load_settings(
    options: Mapping[str, Any] | None = None,
    env_file: Path | None = None,
    toml_file: Path | None = None,
) -> Settings:
    """Settings from ``options``, the process environment, the ``.env`` file and a TOML file.

    Raises ConfigError that names the file, the line or the variable, and the remedy.
    """
    return read_settings(options or {}, read_environ(env_file), read_toml(toml_file))


def read_environ(env_file: Path | None = None) -> dict[str, str]:
    """The process environment laid over ``env_file``; without one, over ``.env`` if it exists."""
    return {**_read_env_file(env_file), **os.environ}


def read_toml(path: Path | None) -> dict[str, Any]:
    """The settings of a TOML file; none without a file."""
    if path is None:
        return {}
    try:
        return tomllib.loads(_read_text(path, "--config"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {error}") from None


def _read_env_file(path: Path | None) -> dict[str, str]:
    if path is None and not ENV_FILE.exists():
        return {}
    from dotenv.parser import parse_stream  # only where there is such a file

    path = path or ENV_FILE
    found: dict[str, str] = {}
    for binding in parse_stream(StringIO(_read_text(path, "--env-file"))):
        if binding.error:
            text = binding.original.string  # the empty lines above belong to it
            line = binding.original.line + text.count("\n") - text.lstrip().count("\n")
            raise ConfigError(f"{path}, line {line}: write NAME=value")
        if binding.key is not None and binding.value is not None:
            found[binding.key] = binding.value
    return found


def _read_text(path: Path, option: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text: save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}; give another file with {option}"
        ) from None
