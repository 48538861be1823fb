"""How much all runs of an output may cost, and how many tokens they may use.

Both bounds hold at every moment: before a job is sent, the most that it is expected to cost and
to use is set aside; when it has ended, what it really used takes the place of that. What may have
been billed without an answer counts as spent, in full.

Prompts are estimated, and half of the estimates are too small. So what is set aside for a prompt
is stretched by the most that one of the last prompts exceeded its estimate. An answer whose length
nobody bounds is expected to be as long as the mean of the others: what it uses beyond that can
exceed the bound, and nothing else can.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from ..model import Usage
from .account import Account
from .verdict import Answered, Verdict, may_be_billed

Price = Callable[[str, str, Usage], float | None]  #: US dollars by region, model and its tokens

LARGEST_STRETCH = 2.0
FORGOTTEN = 0.005  #: of the stretch, with every answer


class Need(NamedTuple):
    """The most that a job is expected to cost in a region, and to use."""

    cost: float  #: US dollars; infinite where no price is known
    tokens: float
    prompt: float  #: tokens of the prompt, as estimated


@dataclass(slots=True, kw_only=True)
class Budget:
    """What is spent, and whether one more job may be sent.

    ``money`` is in US dollars, ``tokens`` those of prompts and answers together; both begin with
    what earlier runs took.
    """

    price: Price
    money: Account = field(default_factory=Account)
    tokens: Account = field(default_factory=Account)
    _stretch: float = field(init=False, default=1.0)

    def need(self, region: str, model: str, usage: Usage) -> Need:
        """What has to be set aside for a job that is expected to use ``usage`` at most."""
        prompt = math.ceil(usage.prompt * self._stretch)
        tokens = prompt + usage.completion
        cost = self.price(region, model, Usage(model, prompt, usage.completion))
        if cost is None:
            cost = math.inf if math.isfinite(self.money.most) else 0.0
        return Need(cost, tokens, usage.prompt)

    def allows(self, need: Need) -> bool:
        """Whether a job may be sent now."""
        return self.money.allows(need.cost) and self.tokens.allows(need.tokens)

    def may_allow(self, need: Need) -> bool:
        """Whether the end of what is on its way can make room for a job."""
        return self.money.may_allow(need.cost) and self.tokens.may_allow(need.tokens)

    def begin(self, need: Need) -> None:
        """A job is sent."""
        self.money.begin(need.cost)
        self.tokens.begin(need.tokens)

    def settle(self, region: str, model: str, need: Need, verdict: Verdict | None) -> None:
        """A job has ended: put what it came to in the place of what was set aside for it."""
        if isinstance(verdict, Answered):
            self.answer(region, model, verdict.usage, need)
        else:
            self.end(need, may_be_billed=may_be_billed(verdict))

    def end(self, need: Need, *, may_be_billed: bool) -> None:
        """A job has ended without an answer."""
        cost, tokens = (need.cost, need.tokens) if may_be_billed else (0.0, 0.0)
        self._end(need, cost, tokens)

    def answer(self, region: str, model: str, usage: Usage, need: Need) -> None:
        """A job was answered; where the service does not say what was used, it is all of it."""
        if not (usage.prompt or usage.completion):
            self._end(need, need.cost, need.tokens)
            return
        cost = self.price(region, usage.model or model, usage)
        self._end(need, need.cost if cost is None else cost, usage.prompt + usage.completion)
        self._learn(need.prompt, usage.prompt)

    def refusal(self, model: str, need: Need) -> str:
        """Why a job of ``need`` will never be sent, and what to do, in words."""
        if math.isinf(need.cost):
            return (
                f"no price of {model!r} is known, and --max-cost is set: "
                "set AZURE_OPENAI_PRICE_n (OPENAI_PRICE) and run the same command again"
            )
        cost, tokens = self.committed
        if not self.money.may_allow(need.cost):
            return (
                f"--max-cost {self.money.most:g}: the runs cost up to {cost:.4g} USD, and the "
                f"next job up to {need.cost:.2g}: raise it and run the same command again"
            )
        return (
            f"--max-tokens-total {self.tokens.most:,.0f}: the runs use up to {tokens:,.0f}, and "
            f"the next job up to {need.tokens:,.0f}: raise it and run the same command again"
        )

    @property
    def committed(self) -> tuple[float, float]:
        """US dollars and tokens that are spent, or may be before what is in flight has ended."""
        return self.money.committed, self.tokens.committed

    def _end(self, need: Need, cost: float, tokens: float) -> None:
        self.money.end(need.cost, cost)
        self.tokens.end(need.tokens, tokens)

    def _learn(self, expected: float, real: float) -> None:
        over = min(LARGEST_STRETCH, real / expected) if expected > 0 else 1.0
        self._stretch = max(over, 1 + (self._stretch - 1) * (1 - FORGOTTEN))
