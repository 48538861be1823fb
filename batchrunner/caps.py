"""The most that answers might have used: values of ``max_tokens``, and how often each. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

KEPT = 20  #: values that are told apart; further ones count as the largest


@dataclass(slots=True)
class Caps:
    """Of each model, how many answers were allowed how many tokens."""

    by_model: dict[str, Counter[int]] = field(default_factory=dict)

    def add(self, model: str, cap: int) -> None:
        """An answer of ``model`` might have used ``cap`` tokens."""
        caps = self.by_model.get(model)
        if caps is None:
            caps = self.by_model[model] = Counter()
        caps[cap if cap in caps or len(caps) < KEPT else max(caps)] += 1

    def as_json(self) -> dict[str, dict[str, int]]:
        """All of it, so that ``from_json`` gives an equal one."""
        return {
            model: {str(cap): count for cap, count in caps.items()}
            for model, caps in self.by_model.items()
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """What ``as_json`` gave."""
        return cls(
            {
                model: Counter({int(cap): count for cap, count in caps.items()})
                for model, caps in saved.items()
            }
        )
