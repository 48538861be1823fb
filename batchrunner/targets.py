"""Where requests may go: mappings -> the settings of every region. Pure.

Each region is a numbered pair of variables, ``AZURE_OPENAI_API_KEY_n`` and
``AZURE_OPENAI_ENDPOINT_n``, with optional companions of the same number; the pair without a
number is one more region, and the first. ``OPENAI_API_KEY`` adds plain OpenAI, the fallback.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import PydanticCustomError

from .endpoints import check_endpoint
from .errors import ConfigError
from .rates import Rates

API_VERSION = (
    "2024-10-21"  #: the latest dated version of the Azure API that is generally available
)
OPENAI_BASE_URL = "https://api.openai.com/v1"
OPENAI = "openai"
PRICE = "US dollars per million tokens, prompt/answer or prompt/cached/answer; default: listed"

#: companions of a region's key and endpoint: field -> (variable without its number, meaning)
COMPANIONS = {
    "name": ("AZURE_OPENAI_REGION", "its name in statistics; default: from the endpoint's host"),
    "deployment": ("AZURE_OPENAI_DEPLOYMENT", "default: the job's model name"),
    "api_version": (
        "AZURE_OPENAI_API_VERSION",
        f"default {API_VERSION}; an endpoint ending in /openai/v1/ needs none",
    ),
    "rpm": ("AZURE_OPENAI_RPM", "requests per minute; default: learned from the service"),
    "tpm": ("AZURE_OPENAI_TPM", "tokens per minute; default: learned from the service"),
    "concurrency": ("AZURE_OPENAI_CONCURRENCY", "most requests in flight"),
    "priority": ("AZURE_OPENAI_PRIORITY", "lower numbers are used first; default 0"),
    "quota_group": ("AZURE_OPENAI_QUOTA_GROUP", "regions of one group share one quota"),
    "auth": ("AZURE_OPENAI_AUTH", "key or entra; default key"),
    "price": ("AZURE_OPENAI_PRICE", PRICE),
}
KEY, ENDPOINT = "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT"
#: plain OpenAI: field -> (variable, meaning)
FALLBACK = {
    "key": ("OPENAI_API_KEY", "adds plain OpenAI as the fallback"),
    "endpoint": ("OPENAI_BASE_URL", f"default {OPENAI_BASE_URL}"),
    "rpm": ("OPENAI_RPM", "requests per minute; default: learned from the service"),
    "tpm": ("OPENAI_TPM", "tokens per minute; default: learned from the service"),
    "concurrency": ("OPENAI_CONCURRENCY", "most requests in flight"),
    "price": ("OPENAI_PRICE", PRICE),
}
_NUMBER = re.compile(rf"(?:{KEY}|{ENDPOINT})(?:_([1-9]\d*))?")


def _price(text: str) -> str:
    try:
        Rates.parse(text)
    except ValueError as error:
        raise PydanticCustomError("price", "{why}", {"why": str(error)}) from None
    return text


class Target(BaseModel):
    """The settings of one region; plain OpenAI is a region too."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=64, pattern=r"^[\w .\-]+$")
    kind: Literal["azure", "openai"] = "azure"
    endpoint: str
    key: SecretStr | None = None
    deployment: str | None = Field(None, min_length=1)
    api_version: str = Field(API_VERSION, min_length=1)
    rpm: float | None = Field(None, gt=0, allow_inf_nan=False)
    tpm: float | None = Field(None, gt=0, allow_inf_nan=False)
    concurrency: int | None = Field(None, ge=1)
    priority: int = 0
    quota_group: str | None = Field(None, min_length=1)
    auth: Literal["key", "entra"] = "key"
    price: Annotated[str, AfterValidator(_price)] | None = None

    @property
    def is_fallback(self) -> bool:
        """Whether this is plain OpenAI, used when every Azure region is exhausted."""
        return self.kind == "openai"

    @property
    def speaks_v1(self) -> bool:
        """Whether the endpoint is of the v1 form, which takes the model from the body."""
        return self.is_fallback or self.endpoint.rstrip("/").endswith("/openai/v1")

    def model_for(self, model: str) -> str:
        """What this region calls ``model``: its deployment, where that has another name."""
        return self.deployment or model


def read_targets(environ: Mapping[str, str]) -> tuple[Target, ...]:
    """Every region that the variables name, in order, plain OpenAI last.

    Raises ConfigError that names the variable and the remedy.
    """
    targets = [_azure(environ, number) for number in numbers(environ)]
    return distinct([*targets, *read_fallback(environ)])


def read_fallback(environ: Mapping[str, str]) -> list[Target]:
    """Plain OpenAI, where the variables name it."""
    variables = {field: name for field, (name, _) in FALLBACK.items()}
    values = dict(_present(environ, variables))
    if "key" not in values:
        return []
    values.setdefault("endpoint", OPENAI_BASE_URL)
    return [make_target(values | {"name": OPENAI, "kind": "openai"}, variables)]


def distinct(targets: Iterable[Target]) -> tuple[Target, ...]:
    """The same regions; ConfigError where two have one name."""
    seen: dict[str, Target] = {}
    for target in targets:
        if target.name in seen:
            raise ConfigError(
                f"two regions are called {target.name!r}: give each its own name, with "
                "AZURE_OPENAI_REGION_n or in the file of --config"
            )
        seen[target.name] = target
    return tuple(seen.values())


def make_target(
    values: Mapping[str, Any], variables: Mapping[str, str], number: str = ""
) -> Target:
    """Validate one region; ``variables`` says what to call each field in an error.

    A region without a name gets it from its host, or from its ``number``.
    """
    check_endpoint(values["endpoint"], variables["endpoint"])
    if "key" in values:
        _check_key(values["key"], variables["key"])
    try:
        target = Target.model_validate({"name": _name(values["endpoint"], number), **values})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = str(first["loc"][0])
        raise ConfigError(f"{variables.get(field, field)}: {first['msg']}") from None
    if target.name == OPENAI and not target.is_fallback:
        raise ConfigError(f"{variables['name']}: the name {OPENAI!r} is kept for plain OpenAI")
    return target


def numbers(environ: Mapping[str, str]) -> list[str]:
    """The suffixes in use, ``""``, ``"_1"``, ``"_3"`` …, in order: one for each Azure region."""
    given = (name for name, text in environ.items() if text.strip())
    found = {match[1] for name in given if (match := _NUMBER.fullmatch(name))}
    return [f"_{n}" if n else "" for n in sorted(found, key=lambda n: int(n or 0))]


def variables_of(number: str) -> dict[str, str]:
    """What sets each field of the region with this suffix."""
    companions = {field: name + number for field, (name, _) in COMPANIONS.items()}
    return {"key": KEY + number, "endpoint": ENDPOINT + number, **companions}


def _azure(environ: Mapping[str, str], number: str) -> Target:
    variables = variables_of(number)
    values = dict(_present(environ, variables))
    needed = ["endpoint"] if values.get("auth") == "entra" else ["key", "endpoint"]
    for field in needed:
        if field not in values:
            given = next(variables[f] for f in ("key", "endpoint") if f in values)
            raise ConfigError(f"{given} is set but {variables[field]} is not: set both")
    return make_target(values, variables, number)


def _present(
    environ: Mapping[str, str], variables: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    given = ((field, environ.get(name, "").strip()) for field, name in variables.items())
    return ((field, text) for field, text in given if text)


def _name(endpoint: str, number: str) -> str:
    """A name from the host; from the number where the host has none that would do."""
    label = (urlsplit(endpoint).hostname or "").split(".")[0]
    return label if label and not label.isdigit() and ":" not in label else f"region{number}"


def _check_key(key: str, variable: str) -> None:
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"{variable} holds characters that no key has: paste it again")
