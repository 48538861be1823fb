"""The main job."""

import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
import orjson

from ..again import Again
from ..batch import run_async
from ..config import Settings
from ..endpoints import shown
from ..errors import UsageError
from ..inputs.opening import refuse_shape
from ..summary import Summary
from ..views import log
from ..views.ending import show
from ..views.progress import watching
from .sources import Files, configured
from .talk import complain, tell


def run_command(
    files: Files,
    options: Mapping[str, Any],
    *,
    as_json: bool,
    quiet: bool,
    again: Again | None = None,
) -> int:
    """Run the jobs of a file, or only those of ``again``; returns the exit code."""
    refuse_shape(files.input, options)
    run = partial(_run, files, options, quiet=quiet, again=again)
    summary, extra = anyio.run(run, backend_options={"use_uvloop": True})
    with suppress(OSError):  # who stopped reading does not change how the run ended
        _tell_end(summary, quiet=quiet)
        if as_json:
            extra |= {} if again is None else {"retry": again.as_json()}
            sys.stdout.buffer.write(orjson.dumps(summary.as_json() | extra) + b"\n")
            sys.stdout.buffer.flush()
    return summary.exit_code


async def _run(
    files: Files, options: Mapping[str, Any], *, quiet: bool, again: Again | None
) -> tuple[Summary, dict[str, Any]]:
    """The run, and what the simulator has seen of it."""
    async with configured(files.sources, options) as (settings, simulation):
        if settings.log_format == "json":
            log.begin()
        _tell_proxy(settings)
        asked = settings if again is None else again.settings(settings)
        _check_reasks(options, asked)
        with watching(quiet=quiet) as watch:
            summary = await run_async(
                files.input,
                files.output,
                asked,
                watch=watch,
                tell=(lambda _: None) if quiet else tell,
                catch_signals=True,
                again=None if again is None else again.selection,
            )
        return summary, {"simulator": simulation.statistics()} if simulation else {}


def _check_reasks(options: Mapping[str, Any], settings: Settings) -> None:
    """UsageError for an option that means nothing without a schema."""
    has_schema = settings.schema_file or settings.answer_schema
    if options.get("max_reasks") is not None and not has_schema:
        raise UsageError(
            "--max-reasks is for answers that break a schema: add --schema, or leave it out"
        )


def _tell_end(summary: Summary, *, quiet: bool) -> None:
    """What the run came to; only that it stopped early where it is to be quiet."""
    if not quiet:
        show(summary)
    elif summary.stop is not None:
        complain(f"stopped early: {summary.stop.reason}", summary.exit_code)


def _tell_proxy(settings: Settings) -> None:
    """Keys and prompts take a way that nobody must overlook."""
    if settings.proxy_url is not None:
        tell(f"through the proxy {shown(settings.proxy_url)}")
