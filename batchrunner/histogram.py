"""How large the values were: counts in bins that grow by five percent. Pure."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

STEP = math.log(1.05)  #: values are kept to within five percent
LEAST = 1e-4  #: smaller ones count as this


@dataclass(slots=True)
class Histogram:
    """Positive values, of which only the size is kept."""

    bins: Counter[int] = field(default_factory=Counter)

    def add(self, value: float) -> None:
        """Count one value."""
        self.bins[math.floor(math.log(max(value, LEAST)) / STEP)] += 1

    @property
    def count(self) -> int:
        """How many values there are."""
        return self.bins.total()

    def quantile(self, share: float) -> float | None:
        """What ``share`` of the values do not exceed; None before the first."""
        left = share * self.bins.total()
        for bin_, count in sorted(self.bins.items()):
            left -= count
            if left <= 0:
                return float(f"{math.exp((bin_ + 0.5) * STEP):.3g}")
        return None

    def steps(self) -> list[tuple[float, float, int]]:
        """From where to where each bin that holds any reaches, and how many, in order."""
        return [
            (math.exp(bin_ * STEP), math.exp((bin_ + 1) * STEP), count)
            for bin_, count in sorted(self.bins.items())
            if count
        ]

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """What a checkpoint holds; JSON has only texts for keys."""
        return cls(Counter({int(bin_): count for bin_, count in saved["bins"].items()}))
