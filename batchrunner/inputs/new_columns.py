"""The columns that answers will stand in, beside those of the table. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InputError
from .shape import Column


def answer_names(schema: Mapping[str, Any] | None, prefix: str) -> tuple[str, ...]:
    """What the columns of the answers are called."""
    fields = (schema or {}).get("properties") or ("answer",)
    return tuple(prefix + name for name in fields)


def check_new_columns(
    columns: Sequence[Column] | None, schema: Mapping[str, Any] | None, prefix: str
) -> None:
    """Refuse a table that has a column of such a name, before anything is paid for."""
    taken = {column.name for column in columns or ()}
    for name in answer_names(schema, prefix):
        if name in taken:
            raise InputError(
                f"the table has a column {name!a}, and the answers would stand in one of that"
                " name: rename it, or use --answer-prefix"
            )
