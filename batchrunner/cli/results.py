"""The commands that tell what a run has done."""

from typing import Annotated

import typer

from .app import app
from .options import Results


@app.command()
def status(
    output: Results,
    *,
    json: Annotated[bool, typer.Option("--json", help="print it on stdout as JSON")] = False,
) -> None:
    """Tell what has been done, from the files alone; also while a run goes on."""
    from ..commands.results import status_command

    raise typer.Exit(status_command(output, as_json=json))


@app.command()
def verify(
    output: Results,
    *,
    input_: Annotated[
        str | None,
        typer.Option("--input", metavar="FILE", help="default: as the checkpoint names it"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print it on stdout as JSON")] = False,
) -> None:
    """Check every line again. Exit codes: 0 whole, unique, complete and all answered; 1 jobs
    are missing or failed; 4 not the results of this input; 5 damaged.
    """  # noqa: D205 - it is the help text
    from ..commands.results import verify_command

    raise typer.Exit(verify_command(output, input_, as_json=json))
