"""The command that asks every region whether it works."""

from typing import Annotated, Literal

import typer

from . import options
from .app import app


@app.command()
def doctor(  # noqa: PLR0913 - an option each
    *,
    model: Annotated[
        str | None, typer.Option(help="what to ask for  [each region's deployment]")
    ] = None,
    endpoint: Annotated[
        Literal["chat", "responses", "embeddings"] | None, typer.Option(help="to try  [chat]")
    ] = None,
    env_file: options.EnvFile = None,
    config: options.Config = None,
    simulate: options.Simulate = None,
    timeout: Annotated[
        float | None, typer.Option(help="seconds for all calls to one region  [20]")
    ] = None,
    no_fallback: options.NoFallback = None,
    proxy: options.Proxy = None,
    ca_file: options.CaFile = None,
    allow_hosts: options.AllowHosts = None,
    trust_env_file: options.TrustEnvFile = None,
    json: Annotated[bool, typer.Option("--json", help="print it on stdout as JSON")] = False,
) -> None:
    """See whether every region works, by a tiny call to each.

    Tells of key, deployment, limits, latency, model and JSON schema.

    Exit codes: 0 every region works; 1 some do not; 8 none does.
    """
    sources, given = options.taken(locals())
    from ..commands.doctor import doctor_command  # --help must not wait for it

    raise typer.Exit(doctor_command(sources, given, as_json=json))
