"""The columns of a row that are more than data, where a template makes a request of it.

They are two: the one with the row's id, and the one with parameters of its request.
"""

from collections.abc import Mapping
from typing import Any

from .bodies import Body
from .defaults import absent
from .request import INPUT_OF, REFUSED
from .strict import RefusedError, kind, load, quoted

Row = Mapping[str, Any]

_IDS = ("custom_id", "id")


def id_column(row: Row, wanted: str | None) -> str | None:
    """The column with the id: the one that is ``wanted``, or one of the usual names."""
    if wanted is None:
        return next((name for name in _IDS if name in row), None)
    if wanted and wanted not in row:
        raise RefusedError(absent(wanted, "--id-column", list(row)))
    return wanted or None


def params_of(row: Row, column: str, path: str) -> Body:
    """The fields that the row adds to its request."""
    if column not in row:
        raise RefusedError(absent(column, "--params", list(row)))
    params = _object(row[column], quoted(column))
    own = INPUT_OF[path]
    if own in params:
        raise RefusedError(f"{quoted(column)}: {own} comes from the template, not from --params")
    for field in params:
        if field in REFUSED:
            raise RefusedError(f"{quoted(column)}: {field} {REFUSED[field]}")
    return params


def _object(value: Any, column: str) -> Body:
    """An object of JSON, or its text."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return {}
    if isinstance(value, dict):
        return dict(value)
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        found = "another text" if isinstance(value, str) else kind(value)
        raise RefusedError(
            f'{column} must be an object of JSON such as {{"temperature": 0}}; it is {found}'
        )
    try:
        return load(value.strip().encode())
    except RefusedError as refused:
        raise RefusedError(f"{column} {refused}") from None
