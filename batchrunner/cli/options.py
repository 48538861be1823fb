"""The options that several commands share: a name, a type and a sentence each."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import UsageError

if TYPE_CHECKING:
    from ..commands.sources import Sources


def local(name: str) -> Path:
    """The results of a run, which are always on this machine."""
    from ..inputs.remote import plain, refuse_remote  # --help must not wait for it

    refuse_remote(name, "copy the results here, with their .checkpoint.json, and name the copy")
    return Path(plain(name))


Input = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="JSON Lines, CSV, TSV or Parquet, also .gz or .zst; - is standard input; "
        "s3://bucket/rows.csv and the like with batchrunner[remote]",
    ),
]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="FILE", help="default: INPUT's name .results.jsonl"),
]
Model = Annotated[str | None, typer.Option(help="model of lines that name none")]
System = Annotated[str | None, typer.Option(help="system message of lines that have none")]
Temperature = Annotated[float | None, typer.Option(help="temperature of lines that set none")]
MaxTokens = Annotated[int | None, typer.Option(help="longest answer of lines that set none")]
Prompt = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="prompt of each row, such as 'Translate: {{ title }}'"),
]
PromptFile = Annotated[str | None, typer.Option(metavar="FILE", help="the same, from a file")]
MessagesFile = Annotated[
    str | None,
    typer.Option(
        "--messages", metavar="FILE", help="messages of each row: JSON, its texts templates"
    ),
]
Params = Annotated[
    str | None,
    typer.Option(
        "--params",
        "--where",
        metavar="COLUMN",
        help="where a row has parameters of its own, as a JSON object",
    ),
]
IdColumn = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="ids of rows  [custom_id or id]")
]
Endpoint = Annotated[
    Literal["chat", "responses", "embeddings"] | None,
    typer.Option(help="what lines without a url ask for  [chat]"),
]
SchemaFile = Annotated[
    str | None,
    typer.Option(
        "--schema",
        metavar="FILE",
        help="what answers must look like: JSON Schema, or module:PydanticModel",
    ),
]
MaxReasks = Annotated[
    int | None, typer.Option(help="times to ask again when an answer breaks the schema  [2]")
]
AnswerPrefix = Annotated[
    str | None, typer.Option(metavar="TEXT", help="before the names of new columns")
]
Delimiter = Annotated[str | None, typer.Option(metavar="TEXT", help="of a CSV file  [found out]")]
Encoding = Annotated[str | None, typer.Option(metavar="NAME", help="of a CSV file  [found out]")]
Reuse = Annotated[
    list[str] | None,
    typer.Option(metavar="RESULTS", help="take answers to the same requests from there"),
]
Dedup = Annotated[
    bool | None, typer.Option("--dedup", help="ask once for requests that are the same")
]
Concurrency = Annotated[
    int | None, typer.Option(help="most jobs in flight, in total  [default: 256]")
]
EnvFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="keys and endpoints  [default: .env]")
]
Config = Annotated[Path | None, typer.Option(metavar="FILE", help="the same settings as TOML")]
Simulate = Annotated[
    str | None,
    typer.Option(metavar="[SCENARIO.toml]", help="run on the embedded simulator: no keys needed"),
]
Like = Annotated[
    Path | None,
    typer.Option(
        parser=local,
        metavar="OUTPUT",
        help="learn lengths, latencies and limits from these results",
    ),
]
Probe = Annotated[
    bool,
    typer.Option("--probe", help="ask each region three tiny things: its limits, its latency"),
]
Limit = Annotated[int | None, typer.Option(help="only the first N jobs")]
Strategy = Annotated[
    Literal["balanced", "ordered"] | None, typer.Option(help="which open region  [balanced]")
]
NoFallback = Annotated[
    bool | None, typer.Option("--no-fallback", help="never use plain OpenAI; wait instead")
]
FallbackAfter = Annotated[
    float | None, typer.Option(help="seconds to wait for Azure before plain OpenAI  [0]")
]
FallbackMaxShare = Annotated[
    float | None, typer.Option(help="most of the answers that OpenAI may give, 0 to 1  [1]")
]
FallbackMaxCost = Annotated[float | None, typer.Option(help="most US dollars for plain OpenAI")]
Hedge = Annotated[
    bool | None,
    typer.Option("--hedge", help="ask another Azure region too when an answer is very late"),
]
CountTokens = Annotated[
    bool | None,
    typer.Option("--count-tokens", help="count prompts exactly: batchrunner[tokens]"),
]
MaxAttempts = Annotated[
    int | None, typer.Option(help="faults of regions after which a job fails  [6]")
]
Timeout = Annotated[float | None, typer.Option(help="seconds for a whole attempt  [300]")]
OutageWait = Annotated[
    float | None, typer.Option(help="seconds that all regions may be down  [600]")
]
Proxy = Annotated[
    str | None,
    typer.Option(metavar="URL", help="go through it; those of the environment are ignored"),
]
CaFile = Annotated[
    str | None, typer.Option(metavar="FILE", help="certificates to trust besides the system's")
]
AllowHosts = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        metavar="HOST",
        help="keys may go to this host too; as often as needed, *.example.com is possible",
    ),
]
TrustEnvFile = Annotated[
    bool | None,
    typer.Option("--trust-env-file", help="though others own it or may write it"),
]
RetryFailed = Annotated[
    bool | None, typer.Option("--retry-failed", help="run permanently failed jobs again")
]
Restart = Annotated[
    bool | None, typer.Option("--restart", help="move earlier results aside and start anew")
]
Repair = Annotated[
    bool | None,
    typer.Option("--repair", help="go on with what is left of damaged results"),
]
AcceptConfigChange = Annotated[
    bool | None,
    typer.Option("--accept-config-change", help="go on though the settings have changed"),
]
Durability = Annotated[
    Literal["strict", "normal", "process"] | None,
    typer.Option(help="sync results at each write, within 200 ms, or never  [normal]"),
]
DiskWait = Annotated[
    float | None, typer.Option(help="seconds that a full disk is waited for  [600]")
]
BadLines = Annotated[
    Literal["fail", "record"] | None,
    typer.Option(help="refuse an input with lines that are no jobs, or record them  [fail]"),
]
Json = Annotated[bool, typer.Option("--json", help="print the summary on stdout")]
Quiet = Annotated[bool, typer.Option("--quiet", help="show no progress")]
MaxCost = Annotated[
    float | None,
    typer.Option(metavar="USD", help="stop, with exit code 7, before answers cost more"),
]
MaxTokensTotal = Annotated[
    int | None,
    typer.Option(metavar="N", help="the same for the tokens of prompts and answers together"),
]
Deadline = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="end by 06:00 or 2026-12-01T06:00, or in 90m: exit code 7"),
]
LogFormat = Annotated[
    Literal["text", "json"] | None,
    typer.Option(help="progress where there is no terminal: lines of text, or of JSON  [text]"),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(metavar="PORT", help="serve Prometheus metrics on 127.0.0.1, for the run"),
]
Telemetry = Annotated[
    bool | None,
    typer.Option(
        "--telemetry", help="traces and metrics by OpenTelemetry: batchrunner[telemetry]"
    ),
]
InputNow = Annotated[
    str | None,
    typer.Option("--input", metavar="FILE", help="default: as the checkpoint names it"),
]
NoControl = Annotated[
    bool | None, typer.Option("--no-control", help="take no orders from batchrunner ctl")
]
Results = Annotated[
    Path, typer.Argument(parser=local, metavar="OUTPUT", help="the results of a run")
]


def taken(arguments: Mapping[str, Any]) -> tuple["Sources", dict[str, Any]]:
    """Where the regions of a command are named, and its settings, out of all its arguments.

    UsageError where two sources are named, or a password would show.
    """
    from ..commands.sources import Sources  # --help must not wait for it
    from ..settings import OPTIONS

    _refuse_password(arguments["proxy"])
    sources = Sources(arguments["env_file"], arguments["config"], arguments["simulate"])
    if sources.scenario is not None and (sources.config or sources.env):
        raise UsageError("--simulate brings its own regions: leave out --config and --env-file")
    return sources, {name: arguments[name] for name in OPTIONS if name in arguments}


def _refuse_password(proxy: str | None) -> None:
    """Every user of the machine would see it."""
    if proxy is not None and "@" in proxy:
        raise UsageError(
            "--proxy: whoever lists processes could read its password: set BATCHRUNNER_PROXY"
        )
