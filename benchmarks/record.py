"""What was measured, with all that is needed to measure it again."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any


def save(
    path: Path, rows: list[dict[str, Any]], versions: Mapping[str, Any] | None = None
) -> None:
    """Write the rows, and how they came about; ``versions`` of what else had a part in it."""
    options = " ".join(sys.argv[1:]).replace(f"--json {path}", "").rstrip()
    record: dict[str, Any] = {
        "command": f"python -m benchmarks.{Path(sys.argv[0]).stem} {options}".rstrip(),
        "commit": _commit(),
        "python": platform.python_version(),
        "machine": f"{os.cpu_count()} shared cores, {platform.machine()} {platform.system()}",
    }
    if versions:
        record["versions"] = versions
    record["rows"] = rows
    path.write_text(json.dumps(record, indent=1) + "\n")


def installed(*packages: str) -> dict[str, str]:
    """The versions of ``packages`` in this environment."""
    return {name: version(name) for name in packages}


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return done.stdout.strip()
