"""The command line: a skin. Options in, settings out; then one call, and an exit code."""

import os
import re
import resource
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from .errors import BatchrunnerError, UsageError
from .terminal import printable_lines

_KEY_OPTION = re.compile(r"--([a-z-]*-)?(key|token|secret|password)(=|$)", re.IGNORECASE)


def _local(name: str) -> Path:
    """The results of a run, which are always on this machine."""
    from .inputs.remote import plain, refuse_remote  # --help must not wait for it

    refuse_remote(name, "copy the results here, with their .checkpoint.json, and name the copy")
    return Path(plain(name))


app = typer.Typer(
    name="batchrunner",
    help="Push a file of LLM prompts through every Azure OpenAI quota you own.",
    epilog="Exit codes: 0 all answered, 1 some jobs failed, 2 bad usage or input, 3 disk, "
    "4 other input or settings, 5 damaged results, 6 locked, 8 no region left, "
    "130/143 interrupted. Start the same command again to resume.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def run(  # noqa: PLR0913 - an option each
    input_: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="JSON Lines, CSV, TSV or Parquet, also .gz or .zst; - is standard input; "
            "s3://bucket/rows.csv and the like with batchrunner[remote]",
        ),
    ],
    *,
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="default: INPUT's name .results.jsonl"
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="model of lines that name none")] = None,
    system: Annotated[
        str | None, typer.Option(help="system message of lines that have none")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="temperature of lines that set none")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(help="longest answer of lines that set none")
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="prompt of each row, such as 'Translate: {{ title }}'"),
    ] = None,
    prompt_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="the same, from a file")
    ] = None,
    messages_file: Annotated[
        str | None,
        typer.Option(
            "--messages", metavar="FILE", help="messages of each row: JSON, its texts templates"
        ),
    ] = None,
    params: Annotated[
        str | None,
        typer.Option(
            "--params",
            "--where",
            metavar="COLUMN",
            help="where a row has parameters of its own, as a JSON object",
        ),
    ] = None,
    id_column: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="ids of rows  [custom_id or id]")
    ] = None,
    endpoint: Annotated[
        Literal["chat", "responses", "embeddings"] | None,
        typer.Option(help="what lines without a url ask for  [chat]"),
    ] = None,
    schema_file: Annotated[
        str | None,
        typer.Option(
            "--schema",
            metavar="FILE",
            help="what answers must look like: JSON Schema, or module:PydanticModel",
        ),
    ] = None,
    max_reasks: Annotated[
        int | None, typer.Option(help="times to ask again when an answer breaks the schema  [2]")
    ] = None,
    answer_prefix: Annotated[
        str | None, typer.Option(metavar="TEXT", help="before the names of new columns")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(metavar="TEXT", help="of a CSV file  [found out]")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="of a CSV file  [found out]")
    ] = None,
    reuse: Annotated[
        list[str] | None,
        typer.Option(metavar="RESULTS", help="take answers to the same requests from there"),
    ] = None,
    dedup: Annotated[
        bool | None, typer.Option("--dedup", help="ask once for requests that are the same")
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(help="most jobs in flight, in total  [default: 256]")
    ] = None,
    env_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="keys and endpoints  [default: .env]")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="the same settings as TOML")
    ] = None,
    simulate: Annotated[
        str | None,
        typer.Option(
            metavar="[SCENARIO.toml]", help="run on the embedded simulator: no keys needed"
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="only the first N jobs")] = None,
    strategy: Annotated[
        Literal["balanced", "ordered"] | None, typer.Option(help="which open region  [balanced]")
    ] = None,
    no_fallback: Annotated[
        bool | None, typer.Option("--no-fallback", help="never use plain OpenAI; wait instead")
    ] = None,
    fallback_after: Annotated[
        float | None, typer.Option(help="seconds to wait for Azure before plain OpenAI  [0]")
    ] = None,
    fallback_max_share: Annotated[
        float | None, typer.Option(help="most of the answers that OpenAI may give, 0 to 1  [1]")
    ] = None,
    fallback_max_cost: Annotated[
        float | None, typer.Option(help="most US dollars for plain OpenAI")
    ] = None,
    hedge: Annotated[
        bool | None,
        typer.Option("--hedge", help="ask another Azure region too when an answer is very late"),
    ] = None,
    count_tokens: Annotated[
        bool | None,
        typer.Option("--count-tokens", help="count prompts exactly: batchrunner[tokens]"),
    ] = None,
    max_attempts: Annotated[
        int | None, typer.Option(help="faults of regions after which a job fails  [6]")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="seconds for a whole attempt  [300]")
    ] = None,
    outage_wait: Annotated[
        float | None, typer.Option(help="seconds that all regions may be down  [600]")
    ] = None,
    proxy: Annotated[
        str | None,
        typer.Option(metavar="URL", help="go through it; those of the environment are ignored"),
    ] = None,
    ca_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="certificates to trust besides the system's")
    ] = None,
    allow_hosts: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="HOST",
            help="keys may go to this host too; as often as needed, *.example.com is possible",
        ),
    ] = None,
    trust_env_file: Annotated[
        bool | None,
        typer.Option("--trust-env-file", help="though others own it or may write it"),
    ] = None,
    retry_failed: Annotated[
        bool | None, typer.Option("--retry-failed", help="run permanently failed jobs again")
    ] = None,
    restart: Annotated[
        bool | None, typer.Option("--restart", help="move earlier results aside and start anew")
    ] = None,
    repair: Annotated[
        bool | None,
        typer.Option("--repair", help="go on with what is left of damaged results"),
    ] = None,
    accept_config_change: Annotated[
        bool | None,
        typer.Option("--accept-config-change", help="go on though the settings have changed"),
    ] = None,
    durability: Annotated[
        Literal["strict", "normal", "process"] | None,
        typer.Option(help="sync results at each write, within 200 ms, or never  [normal]"),
    ] = None,
    disk_wait: Annotated[
        float | None, typer.Option(help="seconds that a full disk is waited for  [600]")
    ] = None,
    bad_lines: Annotated[
        Literal["fail", "record"] | None,
        typer.Option(help="refuse an input with lines that are no jobs, or record them  [fail]"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print the summary on stdout")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="show no progress")] = False,
) -> None:
    """Answer every prompt of INPUT. The same command again resumes."""
    options = dict(locals())
    for name in ("input_", "output", "env_file", "config", "simulate", "json", "quiet"):
        del options[name]
    from .commands import Files, run_command  # --help must not wait for it

    if proxy is not None and "@" in proxy:
        raise UsageError(
            "--proxy: whoever lists processes could read its password: set BATCHRUNNER_PROXY"
        )
    if simulate is not None and (config is not None or env_file is not None):
        raise UsageError("--simulate brings its own regions: leave out --config and --env-file")
    files = Files(input_, output, env_file, config, simulate)
    raise typer.Exit(run_command(files, options, as_json=json, quiet=quiet))


@app.command()
def status(
    output: Annotated[
        Path, typer.Argument(parser=_local, metavar="OUTPUT", help="the results of a run")
    ],
    *,
    json: Annotated[bool, typer.Option("--json", help="print it on stdout as JSON")] = False,
) -> None:
    """Tell what has been done, from the files alone; also while a run goes on."""
    from .commands import status_command

    raise typer.Exit(status_command(output, as_json=json))


@app.command()
def verify(
    output: Annotated[
        Path, typer.Argument(parser=_local, metavar="OUTPUT", help="the results of a run")
    ],
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
    from .commands import verify_command

    raise typer.Exit(verify_command(output, input_, as_json=json))


@app.command()
def export(  # noqa: PLR0913 - an option each
    output: Annotated[
        Path, typer.Argument(parser=_local, metavar="OUTPUT", help="the results of a run")
    ],
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
    """Write the rows of the input, in their order, with the answers as new columns.

    There is a column for each property of the schema, or one called answer, and one called error
    where jobs have failed. In CSV a text that a spreadsheet would take for a formula gets an
    apostrophe before it. Exit codes: 0 all rows have answers; 1 some jobs failed; 2 not complete
    (see --partial); 4 not the results of this input; 5 damaged.
    """
    from .commands import export_batch_command, export_command
    from .export import Wanted
    from .tables.formats import target

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


@app.command()
def simulate(
    scenario: Annotated[
        Path | None,
        typer.Argument(metavar="[SCENARIO.toml]", help="default: as --simulate"),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one")] = 8080,
) -> None:
    """Serve Azure OpenAI regions and OpenAI on this machine; prints the .env for them."""
    from .commands import simulate_command

    simulate_command(scenario, port, typer.echo)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with the code of the design's table."""
    _open_missing_descriptors()
    _leave_no_core()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _refuse_keys(given)
        code = app(_name_scenario(given), prog_name="batchrunner", standalone_mode=False)
    except BatchrunnerError as error:
        typer.echo(f"batchrunner: {printable_lines(str(error))}", err=True)
        code = error.exit_code
    except typer.Exit as done:
        code = done.exit_code
    except KeyboardInterrupt:
        code = 130
    except Exception as error:  # noqa: BLE001 - no traceback reaches a user
        code = _unexpected(error)
    _drop_unwritten()
    sys.exit(code)


def _name_scenario(arguments: list[str]) -> list[str]:
    """``--simulate`` without a file means the scenario that comes with the package."""
    follows = [*arguments, ""][1:]
    return [
        "--simulate=" if argument == "--simulate" and not following.endswith(".toml") else argument
        for argument, following in zip(arguments, follows, strict=True)
    ]


def _refuse_keys(arguments: Sequence[str]) -> None:
    """A key on the command line is one that every user of the machine can read."""
    for argument in arguments:
        if _KEY_OPTION.match(argument):
            raise UsageError(
                f"there is no option {argument.partition('=')[0]}: whoever lists processes could "
                "read the key, and the shell keeps it; put it into .env or the environment "
                "(see .env.example), and think of making a new one"
            )


def _leave_no_core() -> None:
    """What is in memory when a process dies, keys among it, is not written to the disk."""
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _unexpected(error: Exception) -> int:
    """Show what click has to say of wrong usage; anything else is a bug, and says so."""
    show = getattr(error, "show", None)
    if show is not None:
        show()
        return int(getattr(error, "exit_code", 2))
    if sys.flags.dev_mode:
        raise error
    typer.echo(
        f"batchrunner: an error of its own: {type(error).__name__}: {error}; what was answered "
        "is safe, and the same command goes on; python -X dev -m batchrunner … tells where it is",
        err=True,
    )
    return BatchrunnerError.exit_code


def _open_missing_descriptors() -> None:
    """A program may be started without standard streams: sockets must not take their place."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r+"))  # noqa: PTH123, SIM115 - for good


def _drop_unwritten() -> None:
    """What a full or closed stream did not take must not change the exit code at the very end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
