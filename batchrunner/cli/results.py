"""The commands that tell what a run has done."""

from typing import Annotated

import typer

from .app import app
from .options import InputNow, Results


@app.command()
def status(
    output: Results,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", help="look again and again, until the run has ended")
    ] = False,
    every: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="between two looks")
    ] = 1.0,
    json: Annotated[bool, typer.Option("--json", help="print it on stdout as JSON")] = False,
) -> None:
    """Tell what has been done, also while a run goes on."""
    from ..commands.results import status_command

    if follow:
        from ..commands.follow import follow_command

        raise typer.Exit(follow_command(output, every, as_json=json))
    raise typer.Exit(status_command(output, as_json=json))


@app.command()
def explain(  # noqa: PLR0913 - an option each
    output: Results,
    id_: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="the job's custom_id; #7 is the seventh line"),
    ] = None,
    *,
    line: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="the job of this line of the input")
    ] = None,
    input_: InputNow = None,
    answer: Annotated[bool, typer.Option("--answer", help="show the answer too")] = False,
    json: Annotated[bool, typer.Option("--json", help="print it on stdout as JSON")] = False,
) -> None:
    """Tell everything about one job.

    Its attempts, waits, tokens and cost, and what to do.
    """
    from ..commands.explain import explain_command
    from ..explain import Wanted

    wanted = Wanted(id_, line, input_)
    raise typer.Exit(explain_command(output, wanted, answer=answer, as_json=json))


@app.command()
def verify(
    output: Results,
    *,
    input_: InputNow = None,
    json: Annotated[bool, typer.Option("--json", help="print it on stdout as JSON")] = False,
) -> None:
    """Check every line again.

    Exit codes: 0 whole, unique, complete and all answered; 1 jobs are missing or failed; 4 not the
    results of this input; 5 damaged.
    """
    from ..commands.results import verify_command

    raise typer.Exit(verify_command(output, input_, as_json=json))
