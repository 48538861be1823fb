"""What is known of one job, put together from its line of results and its line of the input."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .inputs.jsonl import BadLine
from .meanings import meaning, remedy
from .model import Job, Usage
from .policy.answer import usage_of
from .policy.choices import choices
from .prices import PriceList


@dataclass(slots=True)
class Explanation:
    """What is known of one job."""

    output: Path
    id: str
    ordinal: int
    noun: str = "line"
    input: str | None = None  #: the file in which its line was found
    asked: Job | BadLine | None = None  #: what that line asks for
    record: Mapping[str, Any] | None = None  #: its line of results
    settings: str = ""  #: the mark of the settings it was asked with
    saved: Mapping[str, Any] = field(default_factory=dict)  #: the checkpoint
    writer: str | None = None  #: the process that writes the output now
    is_left_out: bool = False  #: behind the last line that --limit lets through
    notes: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """``answered``, ``failed``, ``not done yet`` or ``left out``."""
        if self.record is None:
            return "left out" if self.is_left_out else "not done yet"
        return "answered" if self.record["error"] is None else "failed"

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """Each with its meaning; ``wait`` is how long the job had waited for it."""
        record = self.record or {}
        return [
            {"wait": 0.0, **each, "meaning": meaning(each["outcome"], each.get("cause"))}
            for each in record.get("attempts", ())
        ]

    @property
    def response(self) -> Mapping[str, Any]:
        """The last reply; empty where there was none."""
        return (self.record or {}).get("response") or {}

    @property
    def usage(self) -> Usage | None:
        """What the answer used; None where there is no answer."""
        body = self.response.get("body")
        is_answer = self.state == "answered" and isinstance(body, dict)
        return usage_of(body) if is_answer and isinstance(body, dict) else None

    @property
    def rejected(self) -> list[tuple[str, Usage]]:
        """What answers used that were paid and not taken, with their regions."""
        return [(a["region"], Usage(**a["usage"])) for a in self.attempts if a.get("usage")]

    @property
    def cost_usd(self) -> float | None:
        """What all of it cost; None where a price is not known."""
        record = self.record or {}
        if record.get("cost_usd") is not None:
            return float(record["cost_usd"])
        paid = list(self.rejected)
        if self.usage is not None and record.get("region") is not None:  # else it was reused
            paid.append((record["region"], self.usage))
        prices = PriceList.recall(self.saved)
        costs = [prices.answer(region, usage.model, usage) for region, usage in paid]
        known = [cost for cost in costs if cost is not None]
        return round(sum(known), 9) if len(known) == len(costs) else None

    @property
    def endings(self) -> list[str]:
        """Why each answer ended, where the service says."""
        body = self.response.get("body")
        return [choice.end for choice in choices(body) if choice.end]

    @property
    def texts(self) -> list[str]:
        """The answers."""
        return [choice.said for choice in choices(self.response.get("body"))]

    @property
    def error(self) -> dict[str, Any] | None:
        """Why it has no answer, and what to do about that."""
        error = (self.record or {}).get("error")
        if error is None:
            return None
        return {**error, "remedy": remedy(error["code"], is_retryable=error["retryable"])}

    def as_json(self) -> dict[str, Any]:
        """All of it but the texts."""
        record, usage, job = self.record or {}, self.usage, self.asked
        rejected = [usage for _, usage in self.rejected]
        return {
            "output": str(self.output),
            "id": self.id,
            self.noun: self.ordinal + 1,
            "state": self.state,
            "running": self.writer,
            "input": self.input,
            "model_asked": job.model if isinstance(job, Job) else None,
            "model": usage.model if usage else None,
            "region": record.get("region"),
            "attempts": self.attempts,
            "error": self.error,
            "status": self.response.get("status_code"),
            "request_id": self.response.get("request_id"),
            "finish_reasons": self.endings,
            "tokens": _tokens([usage] if usage else []),
            "rejected_tokens": _tokens(rejected),
            "cost_usd": self.cost_usd,
            "reused": bool(record.get("reused")),
            "request": record.get("request"),
            "settings": self.settings or None,
            "notes": self.notes,
        }


def _tokens(usages: Sequence[Usage]) -> dict[str, int]:
    return {
        name: sum(getattr(usage, name) for usage in usages)
        for name in ("prompt", "cached", "completion")
    }
