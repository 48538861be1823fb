"""The command that says what a run would take."""

from typing import Annotated

import typer

from . import options
from .app import app


@app.command()
def plan(  # noqa: PLR0913 - an option each
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
    like: options.Like = None,
    probe: options.Probe = False,
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
    json: Annotated[bool, typer.Option("--json", help="print it on stdout as JSON")] = False,
    quiet: options.Quiet = False,
) -> None:
    """Say what `run` would take, in time, tokens and money.

    It has the options of `run`, and sends nothing, except to the simulator and with --probe. Exit
    codes: 0 planned; 2 the run could not start; 4 OUTPUT is of other settings or another input.
    """
    sources, given = options.taken(locals())
    from ..commands.plan import plan_command  # --help must not wait for it
    from ..commands.sources import Files
    from ..planning.gather import Wanted

    files = Files(input_, output, sources)
    wanted = Wanted(input_, output, like, probes=probe or simulate is not None)
    raise typer.Exit(plan_command(files, wanted, given, as_json=json, quiet=quiet))
