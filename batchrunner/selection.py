"""Which failed jobs shall run again: ``code=content_filter,region=westeurope``. Pure.

Terms between commas must all hold; of several selections one is enough. In the values of
``code``, ``region`` and ``status`` a ``*`` stands for anything. An ``id`` is taken as it is: it
comes last, and what follows belongs to it, commas too.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Self

from .errors import UsageError
from .outputs.lines import decode, failed

KEYS = ("code", "region", "status", "id")
NOBODY = "none"  #: the region of a job for which nothing was sent; the status where none came
_SPECIAL = re.compile(r"[\[\]?]")  # a * is enough

Terms = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Selection:
    """Failed jobs that have all terms of one of these; without any, every failed job."""

    either: tuple[Terms, ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """Each of ``--only``; UsageError names what cannot be understood."""
        return cls(tuple(map(_terms, texts)))

    def takes(self, line: bytes) -> bool:
        """Whether a whole line of results is selected; an answer never is."""
        if not failed(line):
            return False
        if not self.either:
            return True
        try:
            found = facts(decode(line))
        except ValueError:  # nested too deeply to be read: nobody can have meant it
            return False
        return any(_holds(terms, found) for terms in self.either)


def facts(record: Mapping[str, Any]) -> dict[str, str]:
    """What a failure can be selected by."""
    attempts, response = record["attempts"], record["response"]
    status = response["status_code"] if response else attempts[-1]["status"] if attempts else None
    return {
        "code": str(record["error"]["code"]),
        "region": NOBODY if record["region"] is None else str(record["region"]),
        "status": NOBODY if status is None else str(status),
        "id": str(record["custom_id"]),
    }


def _terms(text: str) -> Terms:
    found: dict[str, str] = {}
    rest = text
    while rest:
        name, equals, rest = rest.partition("=")
        name = name.strip()
        if name not in KEYS or not equals:
            raise UsageError(
                f"--only {text!a}: {name!a} cannot be selected by; write NAME=VALUE with one of "
                f"{', '.join(KEYS)}"
            )
        value, rest = (rest, "") if name == "id" else _cut(rest)
        if name in found:
            raise UsageError(f"--only {text!a}: {name} stands there twice: write --only for each")
        if not value:
            raise UsageError(f"--only {text!a}: {name} has no value")
        found[name] = value
    if not found:
        raise UsageError(f"--only says nothing: write NAME=VALUE with one of {', '.join(KEYS)}")
    return found


def _cut(rest: str) -> tuple[str, str]:
    """The value before the next comma, and what follows it."""
    value, _, behind = rest.partition(",")
    return value.strip(), behind.strip()


def _holds(terms: Terms, found: Mapping[str, str]) -> bool:
    return all(
        found[name] == wanted if name == "id" else fnmatchcase(found[name], _literal(wanted))
        for name, wanted in terms.items()
    )


def _literal(wanted: str) -> str:
    """A pattern in which only ``*`` means more than itself."""
    return _SPECIAL.sub(lambda special: f"[{special[0]}]" if special[0] != "]" else "]", wanted)
