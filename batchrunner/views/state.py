"""What a live run answers to ``ctl OUTPUT show``, for people. Pure."""

from collections.abc import Mapping
from typing import Any

from ..terminal import printable
from . import words


def state_lines(state: Mapping[str, Any]) -> list[str]:
    """The run in a line, and a line for each region."""
    run = "stopping" if state["stopping"] else "paused" if state["paused"] else "running"
    head = (
        f"{run}: {state['done']:,} of {state['total']:,} jobs, {state['failed']:,} failed; "
        f"{state['in_flight']:,} in flight of at most {state['concurrency']:,}, "
        f"{state['waiting']:,} wait for a region"
    )
    regions = [_region(name, region) for name, region in state["regions"].items()]
    return [printable(line) for line in (head, *regions, state["note"]) if line]


def _region(name: str, region: Mapping[str, Any]) -> str:
    opens = f" {words.duration(region['opens_in_s'])}" if region["opens_in_s"] else ""
    reason = f" ({region['reason']})" if region["reason"] else ""
    parts = [
        f"{name}: {region['state']}{opens}{reason}",
        f"{region['in_flight']:,} in flight of at most {region['concurrency']:,}",
        _limit(region["rpm"], "requests"),
        _limit(region["tpm"], "tokens"),
    ]
    if region["shares_with"]:
        parts.append(f"its quota shared with {', '.join(region['shares_with'])}")
    return ", ".join(filter(None, parts))


def _limit(amount: float | None, unit: str) -> str:
    return "" if amount is None else f"{amount:,.0f} {unit} per minute"
