"""An amount that must not be exceeded at any moment, and what is set aside of it."""

import math
from dataclasses import dataclass, field


@dataclass(slots=True)
class Account:
    """What is spent, what may yet be spent by what is in flight, and the most that both may be."""

    most: float = math.inf
    spent: float = 0.0
    reserved: float = field(init=False, default=0.0)
    in_flight: int = field(init=False, default=0)

    def allows(self, amount: float) -> bool:
        """Whether so much may be set aside now."""
        return self.spent + self.reserved + amount <= self.most

    def may_allow(self, amount: float) -> bool:
        """Whether it may be when all that is in flight has ended."""
        return self.spent + amount <= self.most

    def begin(self, amount: float) -> None:
        """Set an amount aside."""
        self.in_flight += 1
        self.reserved += amount

    def end(self, expected: float, real: float) -> None:
        """Put what it came to in the place of what was set aside."""
        self.in_flight -= 1
        self.reserved -= expected
        self.spent += real
        if not self.in_flight:  # what adding and taking away has left of nothing
            self.reserved = 0.0

    @property
    def committed(self) -> float:
        """What is spent, or may be before what is in flight has ended."""
        return self.spent + self.reserved
