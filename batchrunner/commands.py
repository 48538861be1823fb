"""What the commands do, once their options are read."""

import gc
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import orjson

from .batch import run_async
from .config import Settings, read_settings
from .endpoints import shown
from .environment import load_settings
from .errors import Interrupted, UsageError
from .export import Exported, Wanted, export, export_batch
from .inputs.opening import refuse_shape
from .signals import listening
from .status import as_json as status_json
from .status import status
from .summary import Summary
from .tables.parquet_writer import pyarrow
from .terminal import printable
from .verify import verify
from .views.findings import export_lines, status_lines, verify_lines
from .views.progress import watching
from .views.report import show

if TYPE_CHECKING:
    from .simulator import Scenario  # a run on real regions needs no server

#: Objects more than at the collector's last search that make it search again. What a job is made
#: of is freed as soon as nobody refers to it; the usual 700 are exceeded whenever some requests
#: set out together, and the search took six of a hundred instructions of a run.
YOUNG = 10_000


@dataclass(frozen=True, slots=True)
class Files:
    """The files that a run is about, as the command line names them."""

    input: str
    output: str | None
    env: Path | None
    config: Path | None
    scenario: str | None  #: None: no simulator; empty: the scenario of the package


def run_command(files: Files, options: Mapping[str, Any], *, as_json: bool, quiet: bool) -> int:
    """Run the jobs of a file; returns the exit code."""

    async def answer(settings: Settings) -> Summary:
        if options.get("max_reasks") is not None and not settings.schema_file:
            raise UsageError(
                "--max-reasks is for answers that break a schema: add --schema, or leave it out"
            )
        with watching(quiet=quiet) as watch:
            return await run_async(
                files.input,
                files.output,
                settings,
                watch=watch,
                tell=(lambda _: None) if quiet else _tell,
                catch_signals=True,
            )

    async def main() -> tuple[Summary, dict[str, Any]]:
        if files.scenario is None:
            settings = load_settings(options, files.env, files.config)
            _tell_proxy(settings)
            return await answer(settings), {}
        from .simulator.server import serve

        async with serve(_scenario(files.scenario)) as simulation:
            summary = await answer(read_settings(options, simulation.environ(), {}))
            return summary, {"simulator": simulation.statistics()}

    refuse_shape(files.input, options)
    gc.set_threshold(YOUNG)
    summary, extra = anyio.run(main, backend_options={"use_uvloop": True})
    with suppress(OSError):  # who stopped reading does not change how the run ended
        if quiet and summary.stop is not None:
            sys.stderr.write(f"batchrunner: stopped early: {summary.stop.reason}\n")
        elif not quiet:
            show(summary)
        if as_json:
            sys.stdout.buffer.write(orjson.dumps(summary.as_json() | extra) + b"\n")
            sys.stdout.buffer.flush()
    return summary.exit_code


def status_command(output: Path, *, as_json: bool) -> int:
    """Tell how far a run is; 0 wherever that can be told."""
    summary, writer = status(output)
    _print(status_json(summary, writer), status_lines(summary), as_json=as_json)
    return 0


def verify_command(output: Path, input_: str | None, *, as_json: bool) -> int:
    """Check every line again; returns the exit code."""
    found = anyio.run(verify, output, input_)
    _print(found.as_json(), verify_lines(found), as_json=as_json)
    return found.exit_code


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
        _print(told.as_json(), [], as_json=True)
    return told.exit_code


def _print(content: Mapping[str, Any], lines: Sequence[str], *, as_json: bool) -> None:
    with suppress(OSError):  # who stopped reading does not change the exit code
        text = orjson.dumps(content).decode() if as_json else "\n".join(lines)
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def simulate_command(scenario: Path | None, port: int, announce: Any) -> None:
    """Serve a scenario until interrupted."""
    from .simulator.server import PortError, serve_forever

    loaded = _scenario(str(scenario or ""))
    try:
        anyio.run(serve_forever, loaded, port, announce, backend_options={"use_uvloop": True})
    except PortError as error:
        raise UsageError(str(error)) from None
    except KeyboardInterrupt:
        return


def _tell(line: str) -> None:
    with suppress(OSError):
        sys.stderr.write(f"batchrunner: {printable(line)}\n")


def _tell_proxy(settings: Settings) -> None:
    """Keys and prompts take a way that nobody must overlook."""
    if settings.proxy_url is not None:
        _tell(f"through the proxy {shown(settings.proxy_url)}")


def _scenario(name: str) -> "Scenario":
    from .simulator import ScenarioError, load

    try:
        return load(Path(name) if name else None)
    except ScenarioError as error:
        raise UsageError(str(error)) from None
