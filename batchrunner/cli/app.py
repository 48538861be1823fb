"""The program that the commands belong to."""

import typer

app = typer.Typer(
    name="batchrunner",
    help="Push a file of LLM prompts through every Azure OpenAI quota you own.",
    epilog="Exit codes: 0 all answered, 1 some jobs failed, 2 bad usage or input, 3 disk, "
    "4 other input or settings, 5 damaged results, 6 locked, 7 budget or deadline, "
    "8 no region left, 130/143 interrupted. Start the same command again to resume.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
