"""What is known of each region before a run: how much it takes, and how fast it answers. Pure.

What the settings say is known to the run too. The rest comes from an earlier run, or from a few
tiny calls; a run would learn it with the first reply.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ..policy.ratelimit import MINUTE, Advertised, Limit
from ..targets import Target
from .latency import Latency

ASSUMED = Latency()

Source = Literal["settings", "earlier run", "probe", "unknown"]


@dataclass(frozen=True, slots=True)
class Known:
    """One region, as far as it is known."""

    requests: Limit | None = None
    tokens: Limit | None = None
    is_named: bool = True  #: whether replies name the time that a limit holds for
    latency: Latency = ASSUMED
    source: Source = "unknown"  #: of the limits
    problem: str = ""  #: why it serves nothing, as a probe found

    @property
    def rpm(self) -> float | None:
        """Requests a minute."""
        return _minutely(self.requests)

    @property
    def tpm(self) -> float | None:
        """Tokens a minute."""
        return _minutely(self.tokens)

    def over(self, factor: float) -> "Known":
        """The same with limits that are so many times smaller."""
        return replace(
            self, requests=_over(self.requests, factor), tokens=_over(self.tokens, factor)
        )


def from_headers(said: Advertised, latency: Latency) -> Known:
    """What the headers of a reply say."""
    requests = said.minute or said.requests
    is_known = requests is not None or said.tokens is not None
    return Known(
        requests, said.tokens, said.minute is None, latency, "probe" if is_known else "unknown"
    )


def from_earlier(rpm: float | None, tpm: float | None, latency: Latency) -> Known:
    """What an earlier run knew at its end."""
    return Known(
        None if rpm is None else Limit(rpm, MINUTE),
        None if tpm is None else Limit(tpm, MINUTE),
        latency=latency,
        source="unknown" if rpm is None and tpm is None else "earlier run",
    )


def known_limits(
    targets: Iterable[Target], earlier: Mapping[str, Known], probed: Mapping[str, Known]
) -> dict[str, Known]:
    """The best that is known of every region: a probe is newer than an earlier run."""
    return {target.name: _best(target, earlier, probed) for target in targets}


def limits_of(target: Target, known: Known) -> tuple[float, float]:
    """Requests and tokens a minute, by the lower of what is set and what is known."""
    rpm = min(target.rpm or math.inf, known.rpm or math.inf)
    return rpm, min(target.tpm or math.inf, known.tpm or math.inf)


def _best(target: Target, earlier: Mapping[str, Known], probed: Mapping[str, Known]) -> Known:
    nothing = Known()
    now, then = probed.get(target.name, nothing), earlier.get(target.name, nothing)
    best = now if now.source != "unknown" else then
    latency = then.latency if then.latency.is_measured else now.latency
    is_set = target.rpm is not None or target.tpm is not None
    source = "settings" if is_set and best.source == "unknown" else best.source
    return replace(best, latency=latency, source=source, problem=now.problem)


def _minutely(limit: Limit | None) -> float | None:
    return None if limit is None else limit.amount * MINUTE / limit.span


def _over(limit: Limit | None, factor: float) -> Limit | None:
    return None if limit is None else Limit(limit.amount / factor, limit.span)
