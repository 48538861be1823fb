"""All that was found out, as one value: what it comes to, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..prices import price
from .caution import Caution
from .examination import Examination


@dataclass(frozen=True, slots=True)
class Findings:
    """Every region after its tiny calls, and what is suspicious besides."""

    regions: Sequence[Examination]
    cautions: Sequence[Caution] = ()

    @property
    def working(self) -> int:
        """How many regions work."""
        return sum(region.works for region in self.regions)

    @property
    def exit_code(self) -> int:
        """0: every region works; 1: some do not; 8: none does."""
        if self.working == len(self.regions):
            return 0
        return 1 if self.working else 8

    @property
    def calls(self) -> int:
        """What was sent, to all regions."""
        return sum(region.calls for region in self.regions)

    @property
    def tokens(self) -> int:
        """What the services say that all answers used."""
        return sum(region.usage.prompt + region.usage.completion for region in self.regions)

    @property
    def cost_usd(self) -> float | None:
        """What the answers cost in US dollars; None where a model has no known price."""
        answers = [region for region in self.regions if region.model]
        costs = [price(one.usage.model, one.usage, one.kind) for one in answers]
        known = [cost for cost in costs if cost is not None]
        return round(sum(known), 6) if len(known) == len(costs) else None

    def as_json(self) -> dict[str, Any]:
        """The same for programs; the keys are those of ``docs/doctor.md``."""
        return {
            "works": self.exit_code == 0,
            "exit_code": self.exit_code,
            "working": self.working,
            "calls": self.calls,
            "tokens": self.tokens,
            "cost_usd": self.cost_usd,
            "regions": [_region(region) for region in self.regions],
            "warnings": [asdict(caution) for caution in self.cautions],
        }


def _region(found: Examination) -> dict[str, Any]:
    limits = found.limits
    return {
        "name": found.name,
        "kind": found.kind,
        "mark": found.mark.value,
        "works": found.works,
        "outcome": found.outcome,
        "reason": found.reason or None,
        "remedy": found.remedy or None,
        "host": found.host,
        "auth": found.auth,
        "deployment": found.deployment,
        "api_version": found.api_version,
        "status": found.status,
        "seconds": None if found.seconds is None else round(found.seconds, 3),
        "calls": found.calls,
        "tokens": found.usage.prompt + found.usage.completion,
        "model": found.model,
        "schema": found.schema.support,
        "schema_why": found.schema.why or None,
        "rpm": limits.rpm,
        "tpm": limits.tpm,
        "requests_left": limits.requests_left,
        "tokens_left": limits.tokens_left,
        "headers": dict(limits.headers),
        "region": found.region,
        "signs": list(found.signs),
    }
