"""What the Batch services of OpenAI and Azure write: results without our marks.

A line names its request by ``custom_id`` alone and certifies nothing. Such a file is read, never
written to: by ``status`` and ``export``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..inputs.packing import bare
from .checkpoint import checkpoint_path
from .lines import check, decode, may_begin
from .places import opened
from .results_file import physical_lines


def is_foreign(path: Path) -> bool:
    """Whether the first line of ``path`` is one of a Batch service.

    Raises UsageError where there is no file, or where it is of neither kind: its first line is
    not, and no run left a checkpoint beside it.
    """
    first = _first_line(path)
    if may_begin(first) or check(first):
        return False
    if _read(first) is not None:
        return True
    if not checkpoint_path(path).exists():
        raise UsageError(
            f"{path} is no file of results: its first line is neither one of a run nor one of the "
            "Batch output of OpenAI or Azure (custom_id, response, error)"
        )
    return False


def errors_of(path: Path) -> Path:
    """Where the failures of Batch output at ``path`` are: beside the answers."""
    name = bare(path.name)
    return path.with_name(f"{Path(name).stem}.errors.jsonl{path.name[len(name) :]}")


def beside(path: Path) -> str | None:
    """What to do where failures lie beside the answers at ``path``, which are read alone."""
    errors = errors_of(path)
    if not errors.exists():
        return None
    return (
        f"{errors} lies beside {path.name} and is not counted: put both into one file, "
        "with cat, and name that"
    )


def refuse(path: Path, why: str) -> None:
    """UsageError where the first line of ``path`` is one of a Batch service."""
    first = _first_line(path)
    if not may_begin(first) and _read(first) is not None:
        raise UsageError(f"{path} is Batch output of OpenAI or Azure: {why}")


def records(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Every line with the offset that it begins at, shaped as ours are.

    Raises UsageError where a line is none of a Batch service.
    """
    offset = 0
    with opened(path) as file:
        for number, line in enumerate(physical_lines(file), 1):
            if line.strip():
                record = _read(line)
                if record is None:
                    raise UsageError(
                        f"line {number} of {path} is no line of Batch output (custom_id, "
                        "response, error): fetch the file again"
                    )
                yield offset, record
            offset += len(line)


def read(line: bytes) -> Mapping[str, Any]:
    """A line that ``records`` has seen before."""
    record = _read(line)
    if record is None:
        raise UsageError("the Batch output was changed while it was read: run this again")
    return record


def _first_line(path: Path) -> bytes:
    with opened(path) as file:
        return next(physical_lines(file), b"")


def _read(line: bytes) -> Mapping[str, Any] | None:
    try:
        record = decode(line)
    except ValueError:
        return None
    response, error = record.get("response"), record.get("error")
    if not isinstance(record.get("custom_id"), str) or not (response or error):
        return None
    if not isinstance(response or {}, dict) or not isinstance(error or {}, dict):
        return None
    return {
        "custom_id": record["custom_id"],
        "response": response,
        "error": _error(response, error),
        "region": None,
        "attempts": [],
    }


def _error(
    response: Mapping[str, Any] | None, error: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Why a request has no answer; None where it has one."""
    body = (response or {}).get("body")
    status = (response or {}).get("status_code")
    if response is not None and not error and status == 200 and isinstance(body, dict):
        return None
    told = error or (body.get("error") if isinstance(body, dict) else None)
    if not isinstance(told, dict):
        told = {}
    return {
        "code": str(told.get("code") or f"http_{status}"),
        "message": str(told.get("message") or told.get("code") or f"status {status}"),
        "retryable": False,
    }
