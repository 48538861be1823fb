"""Everything that can be set, and what of it changes what is asked. Pure."""

import hashlib
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError

from .deadline import check
from .endpoints import is_pattern, is_proxy
from .targets import Target

PARSER = 1  #: raised when the same input line begins to mean another request
SEMANTIC = ("model", "system", "temperature", "max_tokens")
#: these too, but only where they are set: what does not use them keeps its fingerprint
SEMANTIC_IF_SET = ("prompt", "messages", "params", "id_column", "endpoint", "answer_schema")
CONTENTS = ("messages", "answer_schema")  #: of files that settings name; no option gives them


def _listed(value: Any) -> Any:
    """A variable lists hosts with commas or spaces between them."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _host(text: str) -> str:
    host = text.strip().lower().removeprefix("[").removesuffix("]")
    if not is_pattern(host):
        raise PydanticCustomError("host", "write only the host, such as gateway.example.com")
    return host


def _proxy(url: SecretStr) -> SecretStr:
    if not is_proxy(url.get_secret_value()):
        raise PydanticCustomError("proxy", "write something like http://proxy.example.com:3128")
    return url


def _deadline(text: str) -> str:
    try:
        check(text)
    except ValueError as error:
        raise PydanticCustomError("deadline", "{why}", {"why": str(error)}) from None
    return text


class Settings(BaseModel):
    """Everything a run needs to know besides its files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    targets: tuple[Target, ...] = ()
    model: str | None = Field(None, min_length=1, description="model of lines that name none")
    system: str | None = Field(None, description="system message of lines that have none")
    temperature: float | None = Field(
        None, ge=0, le=2, description="temperature of lines that set none"
    )
    max_tokens: int | None = Field(
        None, ge=1, description="longest answer, in tokens, of lines that set none"
    )
    prompt: str | None = Field(
        None, min_length=1, description="prompt of each row: a Jinja2 template over its columns"
    )
    prompt_file: str | None = Field(
        None, min_length=1, description="the file that such a template stands in"
    )
    messages_file: str | None = Field(
        None,
        min_length=1,
        description="a file with the messages of each row: JSON whose texts are templates",
    )
    messages: tuple[dict[str, Any], ...] | None = Field(None, description="what it holds")
    params: str | None = Field(
        None,
        min_length=1,
        description="column with parameters of the row's request, as a JSON object",
    )
    id_column: str | None = Field(
        None, description="column with the id of a row; default: custom_id or id, if there is one"
    )
    endpoint: Literal["chat", "responses", "embeddings"] = Field(
        "chat", description="what lines without a url of their own ask for"
    )
    schema_file: str | None = Field(
        None,
        min_length=1,
        description="what answers must look like: a JSON Schema file, or module:PydanticModel",
    )
    answer_schema: dict[str, Any] | None = Field(None, description="the JSON Schema itself")
    max_reasks: int = Field(
        2, ge=0, description="times that an answer which breaks the schema is asked for again"
    )
    answer_prefix: str = Field("", description="what the names of new columns begin with")
    delimiter: str | None = Field(
        None, min_length=1, description="between the cells of a CSV file; default: found out"
    )
    encoding: str | None = Field(
        None, min_length=1, description="of a CSV file; default: found out"
    )
    reuse: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        (), description="earlier results, whose answers to the same requests are taken"
    )
    dedup: bool = Field(default=False, description="ask once for requests that are the same")
    concurrency: int = Field(256, ge=1, le=100_000, description="most jobs in flight, in total")
    strategy: Literal["balanced", "ordered"] = Field(
        "balanced", description="how to choose among open regions"
    )
    no_fallback: bool = Field(default=False, description="never use plain OpenAI; wait instead")
    fallback_after: float = Field(
        0.0, ge=0, description="seconds a job waits for Azure before plain OpenAI may take it"
    )
    fallback_max_share: float = Field(
        1.0, ge=0, le=1, description="most of the answers that plain OpenAI may give, from 0 to 1"
    )
    fallback_max_cost: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="most US dollars for plain OpenAI"
    )
    hedge: bool = Field(
        default=False, description="ask another Azure region too when an answer is very late"
    )
    count_tokens: bool = Field(
        default=False, description="count the tokens of prompts instead of estimating them"
    )
    max_attempts: int = Field(6, ge=1, description="faults of regions after which a job fails")
    timeout: float = Field(
        300.0, gt=0, allow_inf_nan=False, description="seconds for a whole attempt"
    )
    outage_wait: float = Field(
        600.0,
        ge=0,
        allow_inf_nan=False,
        description="seconds without an answer, while all regions are down, that end a run",
    )
    proxy: Annotated[SecretStr, AfterValidator(_proxy)] | None = Field(
        None, description="the proxy to use; http_proxy and its like are ignored"
    )
    ca_file: str | None = Field(
        None, min_length=1, description="certificates to trust besides those of the system, in PEM"
    )
    allow_hosts: Annotated[
        tuple[Annotated[str, AfterValidator(_host)], ...], BeforeValidator(_listed)
    ] = Field((), description="hosts of others that keys may go to, such as a gateway")
    trust_env_file: bool = Field(
        default=False,
        description="take keys from a file that others could have written; counts only outside it",
    )
    limit: int | None = Field(None, ge=1, description="only the first N jobs")
    bad_lines: Literal["fail", "record"] = Field(
        "fail", description="refuse the input, or record lines that are no jobs as failed"
    )
    retry_failed: bool = Field(default=False, description="run permanently failed jobs again")
    restart: bool = Field(default=False, description="move earlier results aside and start anew")
    repair: bool = Field(
        default=False, description="go on with what is left of damaged results, and run the rest"
    )
    accept_config_change: bool = Field(
        default=False, description="go on with results that were made with other settings"
    )
    max_cost: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="most US dollars for answers, in all runs"
    )
    max_tokens_total: int | None = Field(
        None, ge=1, description="most tokens of prompts and answers together, in all runs"
    )
    deadline: Annotated[str, AfterValidator(_deadline)] | None = Field(
        None, description="when to end: 06:00, 2026-12-01T06:00, or after 90m"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="progress where there is no terminal: lines of text or of JSON"
    )
    metrics_port: int | None = Field(
        None, ge=1, le=65535, description="port of 127.0.0.1 that serves Prometheus metrics"
    )
    telemetry: bool = Field(default=False, description="send traces and metrics by OpenTelemetry")
    no_control: bool = Field(
        default=False, description="make no socket for batchrunner ctl, which steers a live run"
    )
    durability: Literal["strict", "normal", "process"] = Field(
        "normal", description="how often results are synced to the disk: each write, 200 ms, never"
    )
    disk_wait: float = Field(
        600.0, ge=0, allow_inf_nan=False, description="seconds that a full disk is waited for"
    )

    @property
    def proxy_url(self) -> str | None:
        """The proxy, with the password that it may need."""
        return None if self.proxy is None else self.proxy.get_secret_value()

    @property
    def meaning(self) -> dict[str, Any]:
        """The settings that change what is asked; the rest may differ from run to run."""
        always = {"parser": PARSER} | {name: getattr(self, name) for name in SEMANTIC}
        fields, given = type(self).model_fields, self.model_fields_set
        return always | {
            name: value
            for name in SEMANTIC_IF_SET
            if name in given and (value := getattr(self, name)) != fields[name].default
        }

    @property
    def fingerprint(self) -> str:
        """BLAKE2b-128 of the settings that change what is asked, 32 hex digits."""
        canonical = orjson.dumps(self.meaning, option=orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(canonical, digest_size=16).hexdigest()


OPTIONS = tuple(name for name in Settings.model_fields if name not in {"targets", *CONTENTS})
