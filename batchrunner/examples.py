"""A few failed jobs for each cause, so that a reader sees what it looks like. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

KEPT = 3  #: for each code
LONGEST = 300  #: characters of a message


@dataclass(slots=True)
class Examples:
    """The first failures of each code, as plain JSON: ``id``, ``region`` and ``message``."""

    by_code: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, code: str, id_: str, region: str | None, message: str) -> None:
        """A job failed; it is kept while there are few."""
        kept = self.by_code.setdefault(code, [])
        if len(kept) < KEPT:
            kept.append({"id": id_, "region": region, "message": message[:LONGEST]})

    def remove(self, code: str, id_: str) -> None:
        """That job runs again."""
        kept = self.by_code.get(code, [])
        kept[:] = [example for example in kept if example["id"] != id_]
        if not kept:
            self.by_code.pop(code, None)

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """What a checkpoint holds, which stays as it is."""
        return cls({code: list(kept) for code, kept in saved["by_code"].items()})

    def merge(self, other: Self) -> None:
        """Take in what others saw."""
        for code, examples in other.by_code.items():
            for example in examples:
                self.add(code, example["id"], example["region"], example["message"])
