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
    told = _told(sibling(output, ".stats.json"))
    return Material.of(
        summary,
        timeline=Timeline.from_json(saved["timeline"]) if "timeline" in saved else Timeline(),
        caps=Caps.from_json(saved.get("caps") or {}),
        answered_by=saved.get("answered_by") or {},
        concurrency=saved.get("concurrency"),
        known=_known(saved.get("regions")) or _known(told.get("regions")),
        warnings=_warnings(told),
    )


def _told(path: Path) -> dict[str, Any]:
    """What ``OUTPUT.stats.json`` says; nothing without it."""
    try:
        with DISK.reader(path) as file:
            content = orjson.loads(file.read(LARGEST))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _known(regions: Any) -> dict[str, Known]:
    """States and limits of regions; the file is for people too, who may have changed it."""
    rows = regions.items() if isinstance(regions, dict) else ()
    return {name: _of_region(row) for name, row in rows if isinstance(row, dict)}


def _warnings(told: Mapping[str, Any]) -> list[str]:
    """What the last run that ended said that should be known."""
    said = told.get("warnings")
    return [text for text in said if isinstance(text, str)] if isinstance(said, list) else []


def _of_region(row: Mapping[str, Any]) -> Known:
    rpm, tpm = (
        value if isinstance(value := row.get(axis), int | float) else None
        for axis in ("rpm", "tpm")
    )
    return Known(str(row.get("state") or ""), rpm, tpm)
