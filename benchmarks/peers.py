"""Other programs, each in a virtual environment of its own, outside this tree."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

#: contender -> what pip installs for it
PINNED = {
    "litellm": ("litellm==1.110.2", "openai==3.57.0"),
    "async_batch_llm": ("async-batch-llm[openai]==0.28.0", "openai==3.57.0"),
}
_TOLD = ("litellm", "async-batch-llm", "openai", "httpx2", "httpx", "aiohttp")
_MARK = "installed.json"


def default_place() -> Path:
    """Where environments are kept from one run to the next."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "batchrunner-benchmarks"


def interpreter(name: str, place: Path) -> Path | None:
    """The Python that has ``name``, installed if need be; None, and said so, where it cannot."""
    home = place / name
    python = home / "bin" / "python"
    wanted = list(PINNED[name])
    if _installed(home) == wanted:
        return python
    print(f"installing {', '.join(wanted)} into {home}", file=sys.stderr)
    try:
        venv.create(home, clear=True, with_pip=True)
        subprocess.run(  # noqa: S603 - pinned above
            [python, "-m", "pip", "install", "--quiet", *wanted],
            check=True,
            stderr=subprocess.PIPE,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        print(f"SKIPPED: {name} cannot be installed: {said[-1000:]}", file=sys.stderr)
        return None
    (home / _MARK).write_text(json.dumps(wanted))
    return python


def versions(python: Path) -> dict[str, str]:
    """What is installed there of what matters."""
    done = subprocess.run(  # noqa: S603 - ours
        [python, "-m", "pip", "list", "--format", "json"], check=True, capture_output=True
    )
    return {row["name"]: row["version"] for row in json.loads(done.stdout) if row["name"] in _TOLD}


def _installed(home: Path) -> object:
    try:
        return json.loads((home / _MARK).read_text())
    except (OSError, ValueError):
        return None
