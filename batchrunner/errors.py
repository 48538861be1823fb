"""Everything that can end a run, and the exit code it ends with.

BatchrunnerError          3  whatever else goes wrong; resumable
├── UsageError            2  bad options, files or settings
│   ├── ConfigError       2  a variable or a setting is missing or wrong
│   └── InputError        2  the input has lines that are no jobs
├── DiskError             3  the disk is full or broken; resumable
├── IdentityError         4  the input or the settings are not those of the results file
├── DamagedError          5  the results file is damaged where it was already safe
├── LockedError           6  another run holds this output
├── NoTargetError         8  no region is left that can serve the remaining jobs; resumable
└── Interrupted         130  a signal came before anything was sent or written (SIGTERM: 143)

A failed *job* is never an exception: it is a line in the results.
"""

from typing import NoReturn


class BatchrunnerError(Exception):
    """A run cannot start or cannot go on; the message says what to do next."""

    exit_code: int = 3


class UsageError(BatchrunnerError):
    """What was asked for cannot be done as asked."""

    exit_code = 2


class ConfigError(UsageError):
    """A variable or a setting is missing or wrong."""


class InputError(UsageError):
    """The input has lines that are no jobs."""


class DiskError(BatchrunnerError):
    """The output could not be written: the disk is full or broken."""

    exit_code = 3


class IdentityError(BatchrunnerError):
    """The input or the settings are not those that the results file was made with."""

    exit_code = 4


class DamagedError(BatchrunnerError):
    """The results file is damaged where it had already been safe on disk."""

    exit_code = 5


class LockedError(BatchrunnerError):
    """Another run is writing this output."""

    exit_code = 6


class NoTargetError(BatchrunnerError):
    """No region is left that can serve the remaining jobs."""

    exit_code = 8


class Interrupted(BatchrunnerError):  # noqa: N818 - it is no error
    """A signal ended a run before anything was sent, or an export before it was whole."""

    exit_code = 130

    def __init__(self, number: int) -> None:
        super().__init__("interrupted before anything was sent")
        self.exit_code = 128 + number


def raise_first(group: BaseExceptionGroup[BatchrunnerError]) -> NoReturn:
    """Raise one of the causes that ended a group of tasks: it says what to do, and is enough."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    raise error from None
