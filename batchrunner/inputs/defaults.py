"""What lines are not told to be, and so are by default."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..model import CHAT
from .strict import quoted


class Template(Protocol):
    """What makes messages of a row; the one that does needs Jinja2, and is imported late."""

    def messages(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The messages for ``row``; RefusedError says what the row lacks."""

    def missing(self, there: Sequence[str]) -> str | None:
        """What is wrong with rows that have only the columns that are ``there``."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a job gets where its line does not say."""

    model: str | None = None
    system: str | None = None  #: a template has its own
    temperature: float | None = None
    max_tokens: int | None = None
    path: str = CHAT  #: where lines without a url are posted
    response_format: Mapping[str, Any] | None = None  #: what answers must look like
    template: Template | None = None  #: makes lines to rows
    params: str | None = None  #: the column with a row's own parameters
    id_column: str | None = None  #: an empty one numbers the rows
    fills: bool = field(init=False)  #: whether there is anything that a body may leave open

    def __post_init__(self) -> None:
        given = (self.system, self.temperature, self.max_tokens, self.response_format)
        object.__setattr__(self, "fills", any(value is not None for value in given))

    def missing(self, there: Sequence[str]) -> str | None:
        """What is wrong with a table of these columns; known before one of its rows is read."""
        for option, column in (("--params", self.params), ("--id-column", self.id_column)):
            if column and column not in there:
                return absent(column, option, there)
        return None if self.template is None else self.template.missing(there)


def absent(column: str, where: str, there: Sequence[str]) -> str:
    """The sentence on a column that is named somewhere and is not among those ``there``."""
    names = ", ".join(map(quoted, there))
    has = names if len(names) <= 500 else names[:499] + "…"
    return f"has no column {quoted(column)}, which {where} names; there are: {has or 'none'}"


NO_DEFAULTS = Defaults()
