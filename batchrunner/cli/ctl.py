"""The command that steers a live run."""

from typing import Annotated, Literal

import typer

from .app import app
from .options import Results

Verb = Literal["show", "pause", "resume", "stop", "concurrency", "region", "out", "in"]


@app.command()
def ctl(  # noqa: PLR0913 - an option each
    output: Results,
    what: Annotated[Verb, typer.Argument(help="what to do", show_choices=True)] = "show",
    value: Annotated[
        str | None,
        typer.Argument(metavar="[N|NAME]", help="how many jobs, or which region"),
    ] = None,
    *,
    rpm: Annotated[int | None, typer.Option(metavar="N", help="requests per minute")] = None,
    tpm: Annotated[int | None, typer.Option(metavar="N", help="tokens per minute")] = None,
    concurrency: Annotated[
        int | None, typer.Option(metavar="N", help="most requests in flight in the region")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print the answer on stdout")] = False,
) -> None:
    """Steer the run that writes OUTPUT.

    show | pause | resume | stop | concurrency N | region NAME --rpm N --tpm N --concurrency N |
    out NAME | in NAME
    """
    from ..commands.ctl import ctl_command, wanted

    limits = {"rpm": rpm, "tpm": tpm, "concurrency": concurrency}
    raise typer.Exit(ctl_command(output, wanted(what, value, limits), as_json=json))
