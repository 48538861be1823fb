"""The command that runs failed jobs again."""

from typing import Annotated

import typer

from . import options
from .app import app

Only = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE,…",
        help="which failed jobs: code, region, status or id, such as code=content_filter,"
        "region=eastus or code=http_5*; given twice, either  [all]",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="tell how many would run, send nothing")]


@app.command()
def retry(  # noqa: PLR0913 - an option each
    output: options.Results,
    *,
    only: Only = None,
    input_: options.InputNow = None,
    dry_run: DryRun = False,
    max_reasks: options.MaxReasks = None,
    concurrency: options.Concurrency = None,
    env_file: options.EnvFile = None,
    config: options.Config = None,
    simulate: options.Simulate = None,
    strategy: options.Strategy = None,
    no_fallback: options.NoFallback = None,
    fallback_after: options.FallbackAfter = None,
    fallback_max_share: options.FallbackMaxShare = None,
    fallback_max_cost: options.FallbackMaxCost = None,
    hedge: options.Hedge = None,
    count_tokens: options.CountTokens = None,
    max_attempts: options.MaxAttempts = None,
    timeout: options.Timeout = None,
    outage_wait: options.OutageWait = None,
    proxy: options.Proxy = None,
    ca_file: options.CaFile = None,
    allow_hosts: options.AllowHosts = None,
    trust_env_file: options.TrustEnvFile = None,
    max_cost: options.MaxCost = None,
    max_tokens_total: options.MaxTokensTotal = None,
    deadline: options.Deadline = None,
    log_format: options.LogFormat = None,
    metrics_port: options.MetricsPort = None,
    telemetry: options.Telemetry = None,
    durability: options.Durability = None,
    disk_wait: options.DiskWait = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Run failed jobs of OUTPUT again, all or a selection.

    Asks what was asked before.
    """
    sources, given = options.taken(locals())
    from ..commands.retry import Which, retry_command  # --help must not wait for it

    which = Which(output, only or (), input_, dry_run)
    raise typer.Exit(retry_command(which, sources, given, as_json=json, quiet=quiet))
