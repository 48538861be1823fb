"""The command that makes a table of results."""

from typing import Annotated, Literal

import typer

from .app import app
from .options import Results


@app.command()
def export(  # noqa: PLR0913 - an option each
    output: Results,
    *,
    table: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="TABLE",
            help=".csv, .tsv, .jsonl (each also .gz or .zst) or .parquet; - is standard output",
        ),
    ],
    format_: Annotated[
        Literal["csv", "tsv", "jsonl", "parquet"] | None,
        typer.Option("--format", help="instead of what the name ends in"),
    ] = None,
    as_: Annotated[
        Literal["table", "batch"],
        typer.Option("--as", help="batch: lines as the OpenAI Batch service writes them"),
    ] = "table",
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAMES",
            help="more new columns, with commas: region, model, prompt_tokens, "
            "completion_tokens, cached_tokens, cost_usd, finish_reason, attempts, error, "
            "error_code, reused",
        ),
    ] = None,
    answer_prefix: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="before the names of new columns  [that of the run]"),
    ] = None,
    input_: Annotated[
        str | None,
        typer.Option("--input", metavar="FILE", help="default: as the checkpoint names it"),
    ] = None,
    id_column: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="where the input holds the ids of Batch output  [custom_id or id, else numbers]",
        ),
    ] = None,
    without_input: Annotated[
        bool, typer.Option("--without-input", help="only ids and new columns")
    ] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="also rows that have no result yet, with no cells")
    ] = False,
    no_defuse: Annotated[
        bool,
        typer.Option("--no-defuse", help="leave texts that a spreadsheet takes for formulas"),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="print a summary on stdout")] = False,
) -> None:
    """Write the rows of the input with the answers as new columns.

    Rows keep their order. There is a column for each property of the schema, or one called answer,
    and one called error where jobs have failed. In CSV a text that a spreadsheet would take for a
    formula gets an apostrophe before it. Exit codes: 0 all rows have answers; 1 some jobs failed;
    2 not complete (see --partial); 4 not the results of this input; 5 damaged.
    """
    from ..commands.export import export_batch_command, export_command
    from ..tables.exported import Wanted
    from ..tables.formats import target

    wanted = Wanted(
        target=target(table, format_),
        input=input_,
        without_input=without_input,
        id_column=id_column,
        columns=[name.strip() for names in columns or () for name in names.split(",")],
        prefix=answer_prefix,
        partial=partial,
        harmless=not no_defuse,
    )
    command = export_batch_command if as_ == "batch" else export_command
    raise typer.Exit(command(output, wanted, as_json=json))
