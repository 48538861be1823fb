"""Which columns the new table has. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import InputError, UsageError
from ..prices import PriceList
from .reader import ANSWER, EMBEDDED, EXTRAS, Reader
from .schema import answer_columns, type_of
from .types import Column

ERROR = "error"
OF_JOB = "job_"  #: what a column besides the answers begins with where its name is taken


def reader(
    schema: Mapping[str, Any] | None,
    extras: Sequence[str],
    *,
    texts: bool,
    embeddings: bool,
    prices: PriceList,
) -> Reader:
    """What reads the new columns from a result.

    ``texts`` and ``embeddings`` say which kinds of answers there are, where no schema does.
    """
    if unknown := [name for name in extras if name not in EXTRAS]:
        raise UsageError(f"--columns: there is no {unknown[0]!r}; known: {', '.join(EXTRAS)}")
    return Reader(
        columns_of_answers(schema, texts=texts, embeddings=embeddings),
        list(dict.fromkeys(extras)),
        structured=schema is not None and answer_columns(schema) is not None,
        parsed=schema is not None,
        prices=prices,
    )


def columns_of_answers(
    schema: Mapping[str, Any] | None, *, texts: bool, embeddings: bool
) -> list[Column]:
    """The columns that answers stand in, before anything is put before their names."""
    if schema is None:
        return [ANSWER] * (texts or not embeddings) + [EMBEDDED] * embeddings
    columns = answer_columns(schema)
    return [Column(ANSWER.name, type_of(schema, schema))] if columns is None else list(columns)


def check_free(given: Iterable[str], answers: Sequence[Column], prefix: str) -> None:
    """Refuse a table that has a column of such a name, before anything is paid for."""
    taken = frozenset(given)
    for name in (prefix + column.name for column in answers):
        if name in taken:
            raise InputError(
                f"the table has a column {name!a}, and the answers would stand in one of that"
                " name: rename it, or use --answer-prefix"
            )


def new_columns(given: Sequence[Column], reader: Reader, prefix: str) -> list[Column]:
    """The new columns under their names; UsageError where an answer's is taken.

    The others give way: ``error`` becomes ``job_error``.
    """
    taken = {column.name for column in given}
    columns: list[Column] = []
    for answer in reader.answers:
        name = prefix + answer.name
        if name in taken:
            raise UsageError(
                f"there would be two columns {name!r}: nothing was written; "
                "give the new ones other names: --answer-prefix new_"
            )
        columns.append(Column(name, answer.type))
    taken |= {column.name for column in columns}
    for extra in reader.extras:
        name = extra
        while prefix + name in taken:
            name = OF_JOB + name
        taken.add(prefix + name)
        columns.append(Column(prefix + name, EXTRAS[extra]))
    return columns
