"""How much of a run plain OpenAI may take.

The fallback costs money that the regions do not, and takes data out of them, so it can be held to
a share of the answers and to an amount of money. Both hold at every moment: a job that is sent
there is counted, with what it may cost at most, before it is sent.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from ..model import Usage
from .account import Account

Price = Callable[[str, Usage], float | None]  #: US dollars for a model and its tokens


def no_price(model: str, usage: Usage) -> float | None:  # noqa: ARG001 - it knows none
    """The price list of those who set no bound to the cost."""
    return None


@dataclass(slots=True, kw_only=True)
class Governor:
    """What the fallback took, and whether it may take more."""

    max_share: float = 1.0  #: of all answers
    money: Account = field(default_factory=Account)  #: US dollars
    price: Price = no_price
    answers: int = 0  #: of all regions
    taken: int = 0  #: of these, by the fallback
    refused: float = field(init=False, default=0.0)  #: what a job may cost that was refused last

    def cost(self, model: str, usage: Usage) -> float:
        """What a job may cost; infinite where a bound is set and no price is known."""
        if math.isinf(self.money.most):
            return 0.0
        price = self.price(model, usage)
        return math.inf if price is None else price

    def allows(self, cost: float) -> bool:
        """Whether the fallback may take one more job, of at most ``cost``."""
        taken, answers = self.taken + self.money.in_flight, self.answers + self.money.in_flight
        return (taken + 1) / (answers + 1) <= self.max_share and self.money.allows(cost)

    def may_allow(self, cost: float) -> bool:
        """Whether the end of what is on its way can make room for a job of at most ``cost``."""
        return self.max_share > 0 and self.money.may_allow(cost)

    def begin(self, cost: float) -> None:
        """The fallback takes a job."""
        self.refused = 0.0
        self.money.begin(cost)

    def end(self, cost: float, *, may_be_billed: bool) -> None:
        """A job of the fallback has ended without an answer."""
        self.money.end(cost, cost if may_be_billed else 0.0)

    def answer(self, model: str, usage: Usage, cost: float) -> None:
        """The fallback answered a job that was expected to cost ``cost`` at most."""
        self.money.end(cost, self.cost(model, usage))
        self.taken += 1

    @property
    def committed(self) -> float:
        """US dollars that are spent, or may be before what is in flight has ended."""
        return self.money.committed

    @property
    def held_back(self) -> str:
        """Which bound is reached, in words; empty while none is."""
        if math.isinf(self.refused):
            return "its cost is bounded, and no price of a model is known"
        if self.committed >= self.money.most:
            return f"its cost reached {self.money.most:g} USD"
        if not self.money.allows(self.refused):
            return f"its cost may exceed {self.money.most:g} USD with one more job"
        if not self.allows(0.0):
            return f"its share reached {self.max_share:.0%}"
        return ""
