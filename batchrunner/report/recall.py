"""What a report is made of, from the files of an output alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from ..caps import Caps
from ..outputs import checkpoint
from ..outputs.disk import DISK, sibling
from ..status import status
from ..timeline import Timeline
from .material import Known, Material

LARGEST = 16 << 20  #: bytes of OUTPUT.stats.json that are read


def recall(output: Path) -> Material:
    """The material of an output, ended or not; nothing is locked, nothing changed.

    The numbers are those of ``status``; what only a newer version keeps is left out where it is
    not there. Batch output of a service has neither times nor regions. Raises UsageError where
    there are no results.
    """
    summary, _ = status(output)
    saved = checkpoint.load(checkpoint.checkpoint_path(output)).fields or {}
    progress = summary.progress
    return Material(
        output=output.name,
        total=progress.total,
        wall_s=summary.wall_s,
        stats=progress.stats,
        costs=summary.cost_usd,
        stop=None if summary.stop is None else summary.stop.reason,
        prices=progress.prices,
        timeline=Timeline.from_json(saved["timeline"]) if "timeline" in saved else Timeline(),
        caps=Caps.from_json(saved.get("caps") or {}),
        answered_by=saved.get("answered_by") or {},
        concurrency=saved.get("concurrency"),
        configured=summary.configured,
        known=_known(sibling(output, ".stats.json")),
    )


def _known(path: Path) -> dict[str, Known]:
    """States and limits of regions, as ``OUTPUT.stats.json`` names them; nothing without it."""
    try:
        with DISK.reader(path) as file:
            content = orjson.loads(file.read(LARGEST))
        regions = content["regions"].items()
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return {}  # it is for people and other programs, who may have changed it
    return {name: _of_region(row) for name, row in regions if isinstance(row, dict)}


def _of_region(row: Mapping[str, Any]) -> Known:
    rpm, tpm = (
        value if isinstance(value := row.get(axis), int | float) else None
        for axis in ("rpm", "tpm")
    )
    return Known(str(row.get("state") or ""), rpm, tpm)
