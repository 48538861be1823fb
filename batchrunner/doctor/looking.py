"""Where variables come from, and what this machine allows: read here, judged elsewhere."""

import logging
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..environment import ENV_FILE, read_env_file
from ..ownership import Access, access
from ..terminal import printable
from .surroundings import Surroundings


def look_around(env_file: Path | None = None, *, trusted: bool = False) -> Surroundings:
    """Those of this process; ConfigError as for every file with keys."""
    path = env_file or ENV_FILE
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Surroundings(
        process=dict(os.environ),
        file=read_env_file(env_file, trusted=trusted),
        path=printable(str(path)),
        is_readable=path.exists() and access(path.stat()) is not Access.NONE,
        open_files=None if most == resource.RLIM_INFINITY else most,
    )


@contextmanager
def hushed() -> Iterator[None]:
    """What reading settings would say on standard error is among the cautions instead."""
    log = logging.getLogger("batchrunner")
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before
