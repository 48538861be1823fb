"""The command that draws what a run did."""

from typing import Annotated

import typer

from .app import app
from .options import Results


@app.command()
def report(
    output: Results,
    *,
    target: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="- is standard output  [OUTPUT.report.html]",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="print what the report is made of on stdout as JSON")
    ] = False,
) -> None:
    """Make the HTML report again, also while a run goes on.

    One file that loads nothing: throughput, closings, latency, quotas, cost, failures, and advice.
    """
    from ..commands.report import report_command

    raise typer.Exit(report_command(output, target, as_json=json))
