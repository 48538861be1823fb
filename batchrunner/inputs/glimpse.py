"""What can be said of an input as soon as it is open."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .dialect import DELIMITERS
from .opening import open_lines
from .packing import bare
from .shape import Column, Noun, Shape

_SHOWN = 12  # columns that are named
_NAME = 40  # characters of a name


@dataclass(frozen=True, slots=True)
class Glimpse:
    """How an input is read, and what columns it has."""

    path: Path
    noun: Noun
    columns: tuple[Column, ...] | None  #: None: no table
    shape: Shape

    def sentence(self, name: str) -> str:
        """What was found out of the table ``name``, on one line."""
        columns = self.columns or ()
        form = Path(bare(self.path.name)).suffix[1:].lower()
        parts = [{"parquet": "Parquet"}.get(form, form.upper())]
        if self.shape.encoding:
            parts.append(self.shape.encoding.upper())
        if delimiter := self.shape.delimiter:
            parts.append(DELIMITERS.get(delimiter, f"{delimiter!a} between cells"))
        parts.append(f"{len(columns):,} column{'' if len(columns) == 1 else 's'}")
        return f"{name}: {', '.join(parts)}: {_listed(columns)}"


async def glimpse(path: Path, shape: Shape) -> Glimpse:
    """Open ``path``, read its header, and close it again."""
    async with open_lines(path, shape) as lines:
        return Glimpse(path, lines.noun, lines.columns, lines.shape)


def _listed(columns: Sequence[Column]) -> str:
    shown = ", ".join(f"{_cut(column.name)} {column.type}" for column in columns[:_SHOWN])
    more = len(columns) - _SHOWN
    return f"{shown} … and {more:,} more" if more > 0 else shown


def _cut(name: str) -> str:
    return name if len(name) <= _NAME else name[: _NAME - 1] + "…"
