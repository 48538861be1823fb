"""What somebody wants to have exported, and what was written. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .formats import Target
from .types import Column


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody wants to have exported."""

    target: Target
    input: Path | str | None = None  #: instead of the file that the checkpoint names
    without_input: bool = False  #: ids and answers only
    id_column: str | None = None  #: what Batch output calls a row; instead of that of the run
    columns: Sequence[str] = ()  #: besides the answer
    prefix: str | None = None  #: instead of that of the run
    partial: bool = False  #: also where rows have no result yet
    harmless: bool = True  #: whether formulas are defused in CSV


@dataclass(slots=True)
class Exported:
    """What was written."""

    output: str
    rows: int = 0
    answered: int = 0
    failed: int = 0
    missing: int = 0  #: rows without a result
    unmatched: int = 0  #: results of Batch output that answer no row
    columns: list[Column] = field(default_factory=list)
    errors: str | None = None  #: the file of the failed ones, beside a Batch file
    hint: str | None = None  #: what to do about failures that lie beside Batch output
    kept: str | None = None  #: a file of that name which was there, when nothing failed

    @property
    def exit_code(self) -> int:
        """1 where rows have failed, else 0."""
        return 1 if self.failed else 0

    def as_json(self) -> dict[str, Any]:
        """All of it, for ``--json``."""
        return {
            "output": self.output,
            "rows": self.rows,
            "answered": self.answered,
            "failed": self.failed,
            "missing": self.missing,
            "unmatched": self.unmatched,
            "columns": {column.name: str(column.type) for column in self.columns},
            "errors": self.errors,
        }
