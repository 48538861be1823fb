"""What is simulated: regions, their quotas and latencies, and what goes wrong when.

A scenario is written in TOML; ``default.toml`` beside this file shows every part. Nothing here
reads a file.
"""

import difflib
import re
import tomllib
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from .faults import KINDS, AnyFault
from .latency import Latency, Positive
from .meters import Counting

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
Key = Annotated[str, StringConstraints(min_length=1, pattern=r"^[!-~]+$")]

#: The first part of the path under which plain OpenAI is found.
OPENAI = "api.openai.com"
RESERVED = frozenset({OPENAI, "statistics"})


class ScenarioError(ValueError):
    """A scenario cannot be simulated; the message names the place and the remedy."""


class Target(BaseModel):
    """What Azure regions and plain OpenAI have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Key = "sim-key"
    env_key: Key | None = None  #: the key that clients are given, where it is a wrong one
    deployments: tuple[str, ...] | dict[str, str] = ("*",)  #: names, or name = model; * is any
    rpm: Positive | None = None  #: requests a minute; None is no limit
    tpm: Positive | None = None  #: tokens a minute; None is no limit
    request_window: Positive = 60.0  #: seconds over which requests are counted
    request_limit: Positive | None = None  #: in that window, instead of its share of rpm
    token_window: Positive = 60.0  #: seconds over which tokens are counted
    token_limit: Positive | None = None  #: in that window, instead of its share of tpm
    counting: Counting = Counting.FIXED
    phase: Annotated[float, Field(ge=0)] = 0.0  #: how far fixed windows have run at the first call
    count_throttled: bool = False  #: throttled calls use up requests too
    refund: bool = False  #: tokens that an answer did not use are given back
    concurrency: Annotated[int, Field(ge=1)] | None = None  #: more calls at once are refused
    answer_tokens: Annotated[int, Field(ge=1)] = 120  #: typical; charged without max_tokens
    context: Annotated[int, Field(ge=1)] = 128_000  #: the most tokens a prompt may have
    latency: Latency = Latency()
    headers: Literal["all", "limits", "none"] = "all"  #: which x-ratelimit-* are sent
    retry_after: Literal["honest", "none", "minus-one", "date"] | Positive = "honest"
    faults: tuple[AnyFault, ...] = ()

    @field_validator("deployments", mode="before")
    @classmethod
    def _one_name_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @property
    def given_key(self) -> str:
        """The key that clients are given."""
        return self.env_key or self.key

    @property
    def requests_allowed(self) -> float | None:
        """Requests in one request window."""
        return self.request_limit or _share(self.rpm, self.request_window)

    @property
    def tokens_allowed(self) -> float | None:
        """Tokens in one token window."""
        return self.token_limit or _share(self.tpm, self.token_window)

    def model_of(self, deployment: str) -> str | None:
        """The model behind a deployment; None where there is no such deployment."""
        if isinstance(self.deployments, dict):
            return self.deployments.get(deployment)
        known = "*" in self.deployments or deployment in self.deployments
        return deployment if known else None


class Region(Target):
    """One Azure OpenAI resource."""

    name: Name
    location: str = ""  #: as headers and messages spell it: ``East US``; default is the name
    api: Literal["both", "dated", "v1"] = "both"  #: the forms of URL it knows
    entra: bool = False  #: any bearer token is accepted beside the key
    quota_group: str | None = None  #: regions of one group share one quota
    body: Literal["current", "old", "short", "empty"] = "current"  #: what a 429 says

    @field_validator("name")
    @classmethod
    def _name_is_free(cls, name: str) -> str:
        if name in RESERVED:
            raise ValueError(f"{name!r} is reserved; choose another name")
        return name


class OpenAI(Target):
    """Plain OpenAI."""

    key: Key = "sk-sim-openai"


class Scenario(BaseModel):
    """Everything that is simulated."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 1
    regions: tuple[Region, ...] = ()
    openai: OpenAI | None = None

    @model_validator(mode="after")
    def _can_be_told_apart(self) -> "Scenario":
        names = [region.name for region in self.regions]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two regions are named {twice[0]!r}; give every region its own name")
        if not names and self.openai is None:
            raise ValueError("nothing to simulate; add [[regions]] or [openai]")
        return self

    @model_validator(mode="after")
    def _groups_agree(self) -> "Scenario":
        seen: dict[str, Region] = {}
        for region in self.regions:
            first = seen.setdefault(region.quota_group or region.name, region)
            if _quota_of(first) != _quota_of(region):
                raise ValueError(
                    f"{first.name!r} and {region.name!r} share quota_group "
                    f"{region.quota_group!r} but not its limits; give them the same limits"
                )
        return self


def parse(text: str, source: str = "scenario") -> Scenario:
    """The scenario that a TOML text describes; ``source`` names it in error messages."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{source}: this is not TOML: {error}; correct that place") from error
    return validate(table, source)


def validate(table: dict[str, Any], source: str = "scenario") -> Scenario:
    """The scenario that a table describes."""
    try:
        return Scenario.model_validate(table)
    except ValidationError as error:
        lines = "\n".join(f"{source}: {_explain(one)}" for one in error.errors())
        raise ScenarioError(lines) from error


def _share(per_minute: float | None, window: float) -> float | None:
    return None if per_minute is None else per_minute * window / 60


def _quota_of(region: Region) -> tuple[object, ...]:
    return (
        region.requests_allowed,
        region.request_window,
        region.tokens_allowed,
        region.token_window,
        region.counting,
        region.phase,
        region.count_throttled,
        region.refund,
    )


def _explain(error: Any) -> str:
    """One line: where, what, and what to do."""
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"])
    where = f"{where.lstrip('.')}: " if where else ""
    if error["type"] == "extra_forbidden":
        return f"{where}there is no such key; {_suggest(str(error['loc'][-1]), error['loc'])}"
    message = re.sub("^Value error, ", "", error["msg"])
    if error["type"] == "value_error":
        return f"{where}{message}"
    return f"{where}{message}, not {error['input']!r}; correct it" if where else message


def _suggest(key: str, place: tuple[int | str, ...]) -> str:
    known = _keys(place)
    close = difflib.get_close_matches(key, known, 1)
    return f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(sorted(known))}"


def _keys(place: tuple[int | str, ...]) -> list[str]:
    fault = next((KINDS[part] for part in place if part in KINDS), None)
    if fault:
        return [field.alias or name for name, field in fault.model_fields.items()]
    if "latency" in place:
        return list(Latency.model_fields)
    if "regions" in place:
        return list(Region.model_fields)
    return list(OpenAI.model_fields if "openai" in place else Scenario.model_fields)
