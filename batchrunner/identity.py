"""Whether an input and settings are those that results were made from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from .config import Settings
from .errors import IdentityError
from .outputs.done import DoneSet
from .outputs.lines import settings_of
from .outputs.results_file import last_line

SHOWN = 120  #: characters of a value in a message


def is_done(done: DoneSet, ordinal: int, fingerprint: str, noun: str = "line") -> bool:
    """Whether a line of the input is in ``done``; IdentityError where another one is."""
    if ordinal not in done:
        return False
    if done.fingerprint(ordinal) != fingerprint:
        raise IdentityError(
            f"{noun} {ordinal + 1} of the input is not the one that the results have an answer "
            "for: it was edited, moved or removed; choose another --output, or --restart"
        )
    return True


def compare(path: Path, saved: Mapping[str, Any], settings: Settings) -> str | None:
    """None where the results at ``path`` were made with settings that ask for the same.

    Otherwise IdentityError with every difference, or, where the change is accepted, a warning.
    ``saved`` is the checkpoint; where that is gone, the last line tells which settings they were.
    """
    changed = _changes(saved, settings) if saved.get("cfg") else _unnamed_change(path, settings)
    if not changed:
        return None
    if settings.accept_config_change:
        return "\n  ".join([f"{path} holds results of other settings too:", *changed])
    raise IdentityError(
        "\n  ".join([f"{path} was made with other settings:", *changed])
        + "\nuse those again, choose another --output, --restart, or go on with "
        "--accept-config-change: each line keeps the mark of its own settings"
    )


def _changes(saved: Mapping[str, Any], settings: Settings) -> list[str]:
    if saved.get("cfg_fp") == settings.fingerprint:
        return []
    before, now = saved["cfg"], settings.meaning
    return [
        f"{name} was {_shown(before.get(name))}, now {_shown(now.get(name))}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]


def _unnamed_change(path: Path, settings: Settings) -> list[str]:
    """Without a checkpoint: the mark in the last line says that they differ, but not how."""
    line = last_line(path) if path.is_file() else None
    if line is None or settings_of(line) == settings.fingerprint[:8]:
        return []
    return ["which ones cannot be said, because the checkpoint is gone"]


def _shown(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
