"""Where the results of an input go, and by which name the input is known."""

import os
from contextlib import suppress
from pathlib import Path

from .errors import UsageError
from .inputs.packing import bare
from .inputs.remote import check_address, file_name, is_remote, plain, refuse_remote, shown

RESULTS = ".results.jsonl"


def output_path(input_: str, output: Path | str | None) -> Path:
    """Where the results go; UsageError for what can be no results file."""
    if output is None and input_ == "-":
        raise UsageError("standard input has no name to derive the output from: give --output")
    if output is None:
        return _beside(input_)
    if str(output) == "-":
        raise UsageError("results cannot be resumed on standard output: give --output a file")
    refuse_remote(
        output,
        "results are appended line by line and locked, which needs a local --output; copy it"
        " there when the run has ended",
    )
    path = Path(plain(output))
    if path.is_dir():
        raise UsageError(f"{path} is a directory: give --output a file in it")
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise UsageError(f"{path} is no regular file: give --output another name")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} does not exist: make it, or choose another --output")
    return path


def _beside(input_: str) -> Path:
    """The results of an input; in the current directory where it has to be fetched."""
    if not is_remote(input_):
        return Path(input_).with_name(Path(bare(Path(input_).name)).stem + RESULTS)
    check_address(input_)
    name = file_name(input_)
    if not name:
        raise UsageError(f"{shown(input_)} names no file: give the whole path of the input")
    return Path(Path(bare(name)).stem + RESULTS)


def refuse_same(source: Path, output: Path) -> None:
    """The results must not be written over the input."""
    with suppress(FileNotFoundError):
        if output.samefile(source):
            raise UsageError(f"{output} is the input: give --output another file")


def known_as(input_: str) -> str | None:
    """Where the input can be found again; nothing that is a secret."""
    if input_ == "-":
        return None
    return shown(input_) if is_remote(input_) else os.path.abspath(input_)  # noqa: PTH100 - links stay
