"""Scenarios from files, and the one that comes with the package."""

from importlib import resources
from pathlib import Path

from .scenario import Scenario, ScenarioError, parse


def load(path: Path | None = None) -> Scenario:
    """The scenario of a file; without one, the scenario that comes with the package."""
    if path is None:
        shipped = resources.files(__package__) / "default.toml"
        return parse(shipped.read_text(encoding="utf-8"), "default.toml")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: this is not UTF-8 text; save it as UTF-8") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise ScenarioError(f"{path}: {reason}; give the path of a scenario in TOML") from error
    return parse(text, str(path))
