"""The commands that send jobs, and the regions to try them on."""

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .app import app


@app.command()
def run(  # noqa: PLR0913 - an option each
    input_: options.Input,
    *,
    output: options.Output = None,
    model: options.Model = None,
    system: options.System = None,
    temperature: options.Temperature = None,
    max_tokens: options.MaxTokens = None,
    prompt: options.Prompt = None,
    prompt_file: options.PromptFile = None,
    messages_file: options.MessagesFile = None,
    params: options.Params = None,
    id_column: options.IdColumn = None,
    endpoint: options.Endpoint = None,
    schema_file: options.SchemaFile = None,
    max_reasks: options.MaxReasks = None,
    answer_prefix: options.AnswerPrefix = None,
    delimiter: options.Delimiter = None,
    encoding: options.Encoding = None,
    reuse: options.Reuse = None,
    dedup: options.Dedup = None,
    concurrency: options.Concurrency = None,
    env_file: options.EnvFile = None,
    config: options.Config = None,
    simulate: options.Simulate = None,
    limit: options.Limit = None,
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
    retry_failed: options.RetryFailed = None,
    restart: options.Restart = None,
    repair: options.Repair = None,
    accept_config_change: options.AcceptConfigChange = None,
    max_cost: options.MaxCost = None,
    max_tokens_total: options.MaxTokensTotal = None,
    deadline: options.Deadline = None,
    log_format: options.LogFormat = None,
    metrics_port: options.MetricsPort = None,
    telemetry: options.Telemetry = None,
    no_control: options.NoControl = None,
    durability: options.Durability = None,
    disk_wait: options.DiskWait = None,
    bad_lines: options.BadLines = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Answer every prompt of INPUT. The same command again resumes."""
    sources, given = options.taken(locals())
    from ..commands.run import run_command  # --help must not wait for it
    from ..commands.sources import Files

    files = Files(input_, output, sources)
    raise typer.Exit(run_command(files, given, as_json=json, quiet=quiet))


@app.command()
def simulate(
    scenario: Annotated[
        Path | None,
        typer.Argument(metavar="[SCENARIO.toml]", help="default: as --simulate"),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one")] = 8080,
) -> None:
    """Serve Azure OpenAI regions and OpenAI on this machine.

    Prints the .env for them.
    """
    from ..commands.simulate import simulate_command

    simulate_command(scenario, port, typer.echo)
