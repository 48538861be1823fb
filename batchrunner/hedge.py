"""When an answer is so late that another region is asked too."""

from dataclasses import dataclass, field

from .histogram import Histogram

ENOUGH = 100  #: answers before one can say what is late
LATE = 0.99  #: of the answers came sooner
LEARNT_EVERY = 50  #: answers


@dataclass(slots=True)
class Hedge:
    """The time within which nearly all answers came."""

    patience: float | None = field(init=False, default=None)  #: seconds; None: not known yet
    _latency: Histogram = field(init=False, default_factory=Histogram)
    _answers: int = field(init=False, default=0)

    def learn(self, seconds: float) -> None:
        """An answer took so long."""
        self._latency.add(seconds)
        self._answers += 1
        if self._answers >= ENOUGH and self._answers % LEARNT_EVERY == 0:
            self.patience = self._latency.quantile(LATE)
