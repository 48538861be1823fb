"""One piece of advice. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MUCH = 10  #: times that something must have happened before it is no accident
ENOUGH = 50  #: answers, below which little can be told


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen, and what to do about it."""

    kind: str
    title: str  #: what was seen, as a short sentence
    detail: str  #: the figures that it rests on
    remedy: str  #: what to do
    figures: Mapping[str, Any] = field(default_factory=dict)  #: the same, for programs

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "kind": self.kind,
            "title": self.title,
            "detail": self.detail,
            "remedy": self.remedy,
            "figures": dict(self.figures),
        }
