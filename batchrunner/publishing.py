"""What a run says of itself in files: when it begins, and when it has ended.

The order at the end matters: the results are synced and counted, then the statistics and the
report are published, and the checkpoint that calls them complete comes last.
"""

from dataclasses import replace

import anyio.to_thread
import orjson

from .config import Settings
from .ledger import Ledger
from .outputs.disk import disk_error
from .summary import RUNNING, Stop, Summary
from .supervisor import Supervisor


def _summarise(supervisor: Supervisor, settings: Settings, stop: Stop | None) -> Summary:
    progress, ledger = supervisor.progress(), supervisor.ledger
    return Summary(
        progress=progress,
        output=ledger.path,
        wall_s=ledger.wall_before + progress.wall_s,
        cost_usd=progress.cost_usd,
        configured=tuple(target.name for target in settings.targets),
        stop=stop,
        steered=tuple(ledger.steered),
        warnings=tuple(ledger.warnings),
    )


async def announce(supervisor: Supervisor, settings: Settings) -> None:
    """Say that a run goes on, before anything is sent: the disk must be able to take that."""
    ledger = supervisor.ledger
    try:
        await _publish(_summarise(supervisor, settings, Stop(0, RUNNING)), ledger)
        await ledger.save(wall_s=0.0)
    except OSError as error:
        raise disk_error("publish the statistics of", ledger.path, error) from error


async def _publish(summary: Summary, ledger: Ledger) -> None:
    """Say in ``OUTPUT.stats.json`` how far the run is."""
    content = orjson.dumps(summary.as_json(), option=orjson.OPT_INDENT_2) + b"\n"
    await ledger.publish(".stats.json", content)


async def conclude(supervisor: Supervisor, settings: Settings) -> Summary:
    """Publish the statistics and the report, then the checkpoint that says whether all is done."""
    ledger = supervisor.ledger
    ledger.warnings += ledger.drift()
    await ledger.journal.sync()
    summary = _summarise(supervisor, settings, supervisor.stopped or _missing(supervisor))
    supervisor.watch(summary.progress)
    try:
        await _publish(summary, ledger)
        summary = await _report(summary, ledger)
        wall_s = summary.progress.wall_s
        await ledger.save(wall_s=wall_s, complete=summary.complete, is_running=False)
    except OSError as error:
        return _unpublished(summary, ledger, error)
    return summary


async def _report(summary: Summary, ledger: Ledger) -> Summary:
    """Write ``OUTPUT.report.html``; whatever goes wrong with it is a warning and nothing more."""
    try:
        from .report.gather import gather  # late: not before the first request
        from .report.page import page

        material = gather(summary, ledger)
        await ledger.publish(".report.html", await anyio.to_thread.run_sync(page, material))
    except Exception as error:  # noqa: BLE001 - a picture of the run must not change how it ends
        why = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        warning = f"the report could not be written ({why}): batchrunner report {ledger.path}"
        return replace(summary, warnings=[*summary.warnings, warning])
    return summary


def _missing(supervisor: Supervisor) -> Stop | None:
    """That every job has its line is not taken for granted."""
    missing = supervisor.total - supervisor.ledger.journal.records
    if missing <= 0:
        return None
    return Stop(
        3,
        f"{missing:,} jobs have no result, though nothing stopped them: "
        "look whether the input is still whole, and run the same command again",
    )


def _unpublished(summary: Summary, ledger: Ledger, error: OSError) -> Summary:
    """The results are safe; only the files beside them could not be written."""
    trouble = disk_error("publish the statistics of", ledger.path, error)
    return replace(
        summary,
        stop=summary.stop or Stop(trouble.exit_code, f"all results are safe, but {trouble}"),
        warnings=[*summary.warnings, str(trouble)],
    )
