"""What has been done for an output, from its files alone: nothing is locked, nothing changed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import UsageError
from .ledger import restore
from .outputs import checkpoint, foreign
from .outputs.lock import holder
from .policy.answer import usage_of
from .prices import PriceList
from .stats import RegionUsage, Stats, Tokens
from .summary import Progress, Stop, Summary

BATCH = "batch"  #: in the place of a region, for the Batch output of a service


def status(output: Path) -> tuple[Summary, str | None]:
    """The numbers as they are now, and the process that is writing, where there is one.

    The checkpoint is read first and the lines behind it are added, so a run that goes on only
    makes the numbers newer. The Batch output of a service is counted too. Raises UsageError where
    there are no results.
    """
    if foreign.is_foreign(output):
        return _of_batch(output), None
    writer = holder(output)
    saved = checkpoint.load(checkpoint.checkpoint_path(output)).fields or {}
    try:
        stats = restore(output, saved)
    except FileNotFoundError:
        raise UsageError(f"{output} does not exist: name the results of a run") from None
    except OSError as error:
        raise UsageError(f"{output} cannot be read: {error.strerror}") from None
    done = stats.ok + stats.failed
    total = max(done, (saved.get("input") or {}).get("jobs") or 0)
    prices = PriceList.recall(saved)
    progress = Progress(total=total, resumed=0, wall_s=0.0, stats=stats, regions=(), prices=prices)
    summary = Summary(
        progress=progress,
        output=output,
        wall_s=saved.get("wall_s") or 0.0,
        cost_usd=progress.cost_usd,
        configured=tuple(prices.providers),
        stop=None if saved.get("complete") else Stop(0, _unfinished(saved, writer)),
    )
    return summary, writer


def _of_batch(output: Path) -> Summary:
    """What the Batch output of OpenAI or Azure counts up to."""
    stats, service = Stats(), RegionUsage()
    for _, record in foreign.records(output):
        service.calls += 1
        if record["error"]:
            stats.failed += 1
            service.failed += 1
            stats.codes[record["error"]["code"]] += 1
        else:
            stats.ok += 1
            service.ok += 1
            usage = usage_of(record["response"]["body"])
            service.models.setdefault(usage.model, Tokens()).add(usage)
    stats.regions[BATCH] = service
    left = foreign.beside(output)
    prices = PriceList({BATCH: "openai"})
    progress = Progress(stats.ok + stats.failed, 0, 0.0, stats, (), prices=prices)
    return Summary(
        progress=progress,
        output=output,
        wall_s=0.0,
        cost_usd=progress.cost_usd,
        configured=(BATCH,),
        stop=None if left is None else Stop(0, left),
    )


def as_json(summary: Summary, writer: str | None) -> dict[str, Any]:
    """As ``OUTPUT.stats.json``, and who is writing; how a region is just now stands in no file."""
    content = summary.as_json() | {"running": writer}
    for region in content["regions"].values():
        del region["state"]
    return content


def _unfinished(saved: Mapping[str, Any], writer: str | None) -> str:
    if writer is not None:
        return f"running: {writer}"
    if not saved:
        return "without a checkpoint: run the same command again to go on"
    return "not finished: run the same command again to go on"
