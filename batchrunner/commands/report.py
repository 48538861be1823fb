"""The HTML report, made again from the files of an output."""

import sys
from contextlib import suppress
from pathlib import Path

from ..errors import UsageError
from ..outputs.disk import disk_error, sibling
from ..outputs.publish import publish
from ..report.figures import figures
from ..report.material import Material
from ..report.page import page
from ..report.recall import recall
from .talk import say, tell

SUFFIX = ".report.html"
OWN = ("", ".checkpoint.json", ".stats.json", ".lock")  #: files that no report may replace


def report_command(output: Path, target: str | None, *, as_json: bool) -> int:
    """Write the report of an output, or print what it is made of; 0 wherever that can be done.

    With ``as_json`` a file is written only where one is named.
    """
    if as_json and target == "-":
        raise UsageError("--json prints on standard output, where the page goes: give -o a file")
    path = _path(output, target)
    material = recall(output)
    if target == "-":
        _print(page(material))
    elif target is not None or not as_json:
        _write(path, material)
    if as_json:
        say(figures(material), [], as_json=True)
    return 0


def _path(output: Path, target: str | None) -> Path:
    """Where the report goes; UsageError where something else is there."""
    path = sibling(output, SUFFIX) if target is None else Path(target)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise UsageError(f"{path} is no regular file: give -o another name")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} does not exist: make it, or give -o another name")
    for suffix in OWN:
        with suppress(FileNotFoundError):
            if sibling(output, suffix).samefile(path):
                raise UsageError(f"{path} belongs to the results: give -o another name")
    return path


def _print(content: bytes) -> None:
    with suppress(OSError):  # who stopped reading has seen enough
        sys.stdout.buffer.write(content)
        sys.stdout.flush()


def _write(path: Path, material: Material) -> None:
    try:
        publish(path, page(material))
    except OSError as error:
        raise disk_error("write", path, error) from error
    tell(f"report: {path}")
