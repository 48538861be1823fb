"""Mappings -> Settings. Pure: files and the environment are read elsewhere.

A setting is taken from the first of these that has it: the command line, the process
environment, ``.env``, the TOML file of ``--config``, the default.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from .endpoints import check_hosts
from .errors import ConfigError
from .settings import OPTIONS, Settings
from .targets import (
    COMPANIONS,
    ENDPOINT,
    FALLBACK,
    KEY,
    Target,
    distinct,
    make_target,
    read_fallback,
    read_targets,
)

__all__ = ["PREFIX", "Settings", "read_settings", "require_targets", "variables"]

PREFIX = "BATCHRUNNER_"
#: options that are not called as their setting is
CALLED = {
    "allow_hosts": "--allow-host",
    "messages_file": "--messages",
    "schema_file": "--schema",
}


def read_settings(
    options: Mapping[str, Any], environ: Mapping[str, str], toml: Mapping[str, Any]
) -> Settings:
    """Put the settings together; ConfigError names what is wrong and the remedy.

    ``options`` are those of the command line, without the ones not given; ``environ`` is the
    process environment laid over ``.env``; ``toml`` is what the file of ``--config`` holds.
    """
    if unknown := [name for name in toml if name not in {*OPTIONS, "regions"}]:
        raise ConfigError(f"--config: unknown key {unknown[0]!r}; known: {', '.join(OPTIONS)}")
    given = {name: toml[name] for name in OPTIONS if name in toml}
    given |= _from_environ(environ)
    given |= {name: value for name, value in options.items() if value is not None}
    if "regions" in toml:
        targets = distinct([*_from_toml(toml["regions"], environ), *read_fallback(environ)])
    else:
        targets = read_targets(environ)
    try:
        return Settings.model_validate(given | {"targets": targets})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0])
        raise ConfigError(f"{_called(name, options, environ)}: {first['msg']}") from None


def require_targets(settings: Settings) -> None:
    """ConfigError where there is nowhere to send anything, or keys would go to a stranger."""
    usable = [t for t in settings.targets if not (settings.no_fallback and t.is_fallback)]
    if not usable:
        raise ConfigError(
            f"no region is configured: set {KEY}_1 and {ENDPOINT}_1 (see .env.example), "
            "or try it without keys: --simulate"
        )
    check_hosts(((target.name, target.endpoint) for target in usable), settings.allow_hosts)


def variables() -> dict[str, str]:
    """Every variable that is read, with its meaning, in the order of ``.env.example``."""
    numbered = {f"{name}_1": meaning for name, meaning in COMPANIONS.values()}
    pair = {f"{KEY}_1": "the key of a region", f"{ENDPOINT}_1": "https://….openai.azure.com/"}
    plain = dict(FALLBACK.values())
    fields = Settings.model_fields
    options = {PREFIX + name.upper(): fields[name].description or "" for name in OPTIONS}
    return pair | numbered | plain | options


def _from_environ(environ: Mapping[str, str]) -> dict[str, str]:
    known = {PREFIX + name.upper(): name for name in OPTIONS}
    given = {
        name: text for name, text in environ.items() if name.startswith(PREFIX) and text.strip()
    }
    if unknown := [name for name in given if name not in known]:
        raise ConfigError(f"{unknown[0]} is no setting; known: {', '.join(known)}")
    return {known[name]: text for name, text in given.items()}


def _from_toml(regions: Any, environ: Mapping[str, str]) -> list[Target]:
    """Regions as TOML tables; ``key`` holds the *name* of a variable, never the key."""
    if not isinstance(regions, list) or not all(isinstance(r, dict) for r in regions):
        raise ConfigError("--config: write each region as a table headed [[regions]]")
    return [_toml_region(region, index, environ) for index, region in enumerate(regions, 1)]


def _toml_region(region: Mapping[str, Any], index: int, environ: Mapping[str, str]) -> Target:
    place = f"--config: region {index}"
    fields = [*COMPANIONS, "key", "endpoint"]
    if unknown := [name for name in region if name not in fields]:
        raise ConfigError(f"{place}: unknown key {unknown[0]!r}; known: {', '.join(fields)}")
    if not isinstance(region.get("endpoint"), str):
        raise ConfigError(f"{place}: endpoint is missing")
    values = dict(region)
    if "key" in values or values.get("auth") != "entra":
        variable = values.get("key")
        key = environ.get(variable, "").strip() if isinstance(variable, str) else ""
        if not key:
            raise ConfigError(
                f"{place}: key must be the name of an environment variable that is set "
                "(never the key itself), such as AZURE_OPENAI_API_KEY_1"
            )
        values["key"] = key
    return make_target(values, {field: f"{place}: {field}" for field in fields}, f"_{index}")


def _called(name: str, options: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """What the user called a setting: the option, the variable, or the key of the file."""
    if options.get(name) is not None:
        return CALLED.get(name) or "--" + name.replace("_", "-")
    variable = PREFIX + name.upper()
    return variable if environ.get(variable, "").strip() else f"--config: {name}"
