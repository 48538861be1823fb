"""What a region has seen, counted from the service's side."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Tally:
    """The statistics of one region."""

    calls: int = 0  #: that arrived, whatever became of them
    ok: int = 0  #: answered with status 200 and a completion
    throttled: Counter[str] = field(default_factory=Counter)  #: by what refused them
    errors: Counter[str] = field(default_factory=Counter)  #: other refusals, by status
    faults: Counter[str] = field(default_factory=Counter)  #: calls without a proper answer
    refused_keys: int = 0
    abandoned: int = 0  #: cancelled or hung up by the client
    sdk_retries: int = 0  #: calls that the client's library sent again on its own
    charged_tokens: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    in_flight: int = 0
    peak_in_flight: int = 0

    def arrive(self) -> None:
        """A call begins."""
        self.calls += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def snapshot(self) -> dict[str, Any]:
        """Everything by name, as JSON can hold it."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        axes = {"requests": 0, "tokens": 0, "capacity": 0, "other": 0}
        plain["throttled"] = axes | dict(self.throttled)
        plain["errors"], plain["faults"] = dict(self.errors), dict(self.faults)
        return plain
