"""The program that the commands belong to."""

from typing import Any

import typer
from typer.core import TyperGroup

#: as somebody meets them: before, while and after a run
ORDER = (
    *("run", "plan", "doctor"),
    *("status", "ctl"),
    *("explain", "retry", "verify", "export", "report"),
    "simulate",
)


class Ordered(TyperGroup):
    """Tells its commands in their own order, whichever module was imported first."""

    def list_commands(self, _: Any) -> list[str]:
        """Their names."""
        return sorted(self.commands, key=ORDER.index)


app = typer.Typer(
    name="batchrunner",
    cls=Ordered,
    help="Push a file of LLM prompts through every Azure OpenAI quota you own.",
    epilog="Exit codes: 0 all answered, 1 some jobs failed, 2 bad usage or input, 3 disk, "
    "4 other input or settings, 5 damaged results, 6 locked, 7 budget or deadline, "
    "8 no region left, 130/143 interrupted. Start the same command again to resume.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
