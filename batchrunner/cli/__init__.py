"""The command line: a skin. Options in, settings out; then one call, and an exit code."""

import gc
import os
import re
import resource
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import typer

from ..commands.talk import complain
from ..errors import BatchrunnerError, UsageError
from ..views import log
from . import (  # noqa: F401 - they add themselves
    ctl,
    doctor,
    export,
    planning,
    report,
    results,
    retrying,
    running,
)
from .app import app

#: Objects more than at the collector's last search that make it search again. What a job is made
#: of is freed as soon as nobody refers to it, and what is imported stays: the usual 700 are
#: exceeded whenever some requests set out together, and a hundred times while the SDK is loaded.
_YOUNG = 10_000

_KEY_OPTION = re.compile(r"--([a-z-]*-)?(key|token|secret|password)(=|$)", re.IGNORECASE)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with the code of the design's table."""
    gc.set_threshold(_YOUNG)
    _open_missing_descriptors()
    _leave_no_core()
    given = list(sys.argv[1:] if arguments is None else arguments)
    with log.within(as_json=log.is_asked(given, os.environ)):
        code = _code(given)
    _drop_unwritten()
    sys.exit(code)


def _code(arguments: Sequence[str]) -> int:
    """Run the command; what goes wrong is said, and has a code."""
    try:
        _refuse_keys(arguments)
        given = _name_scenario(arguments)
        return int(app(given, prog_name="batchrunner", standalone_mode=False) or 0)
    except BatchrunnerError as error:
        complain(str(error), error.exit_code)
        return error.exit_code
    except typer.Exit as done:
        return done.exit_code
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - no traceback reaches a user
        return _unexpected(error)


def _name_scenario(arguments: Sequence[str]) -> list[str]:
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
        code = int(getattr(error, "exit_code", 2))
        if log.spoken() is not None:
            complain(str(error), code)
        else:
            show()
        return code
    if sys.flags.dev_mode:
        raise error
    complain(
        f"an error of its own: {type(error).__name__}: {error}; what was answered "
        "is safe, and the same command goes on; python -X dev -m batchrunner … tells where it is",
        BatchrunnerError.exit_code,
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
