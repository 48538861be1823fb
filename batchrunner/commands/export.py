"""Results as tables."""

import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import anyio

from ..errors import Interrupted, UsageError
from ..export import export
from ..signals import listening
from ..tables.batch_output import export_batch
from ..tables.exported import Exported, Wanted
from ..tables.parquet_writer import pyarrow
from ..views.findings import export_lines
from .talk import say


def export_command(output: Path, wanted: Wanted, *, as_json: bool) -> int:
    """Write results and their rows as one table; returns the exit code."""
    if as_json and wanted.target.path is None:
        raise UsageError("--json prints on standard output, where the table goes: give -o a file")
    if wanted.target.format == "parquet":
        arrow = pyarrow()  # its own pools keep what they were given: a tenth of all memory here
        arrow.set_memory_pool(arrow.system_memory_pool())
    try:
        told = anyio.run(_heeding, partial(export, output, wanted))
    except BrokenPipeError:  # who stopped reading has seen enough
        return 0
    return _tell_export(told, as_json=as_json)


def export_batch_command(output: Path, wanted: Wanted, *, as_json: bool) -> int:
    """Write results as the Batch services write theirs; returns the exit code."""
    told = anyio.run(_heeding, partial(export_batch, output, wanted))
    return _tell_export(told, as_json=as_json)


async def _heeding(act: Callable[[], Awaitable[Exported]]) -> Exported:
    """``act``, which a signal ends so that half a file is put away."""
    try:
        async with listening(enabled=True):
            return await act()
    except Interrupted as error:
        error.args = ("interrupted: what was there before is as it was",)
        raise


def _tell_export(told: Exported, *, as_json: bool) -> int:
    with suppress(OSError):
        sys.stderr.write("\n".join([*export_lines(told), ""]))
    if as_json:
        say(told.as_json(), [], as_json=True)
    return told.exit_code
