"""How values are spread: what is drawn from, where a run has measured. Pure."""

import math
from dataclasses import dataclass
from statistics import fmean
from typing import Self

from ..histogram import Histogram

LEVELS = 1000  #: values that stand for all of them


@dataclass(frozen=True, slots=True)
class Spread:
    """Values in order, each as likely as any other; there may be none."""

    values: tuple[float, ...] = ()
    count: int = 0  #: how many were measured

    @classmethod
    def of(cls, measured: Histogram) -> Self:
        """A thousand values that are spread like those that were measured."""
        values: list[float] = []
        count, seen = measured.count, 0
        for low, high, many in measured.steps():
            seen += many
            upto = round(LEVELS * seen / count)
            values += [math.sqrt(low * high)] * (upto - len(values))
        return cls(tuple(values), count)

    @property
    def mean(self) -> float:
        """Their mean; zero where there are none."""
        return fmean(self.values) if self.values else 0.0

    def at(self, share: float) -> float:
        """What ``share`` of the values, below 1, do not exceed."""
        return self.values[int(share * len(self.values))]
