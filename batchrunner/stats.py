"""Region usage: a fold over results. Pure; two of them can be added.

The same numbers come from results as they happen, from a results file, or from many machines.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from .examples import Examples
from .histogram import Histogram
from .model import CANCELLED, INVALID, OVERTAKEN, Attempt, Result, Usage
from .policy.answer import usage_of
from .policy.verdict import MAY_BE_BILLED

#: outcomes without an answer, that may have been billed all the same
AMBIGUOUS = (*MAY_BE_BILLED, CANCELLED, OVERTAKEN)


@dataclass(slots=True)
class Tokens:
    """Tokens of the answers of one model."""

    answers: int = 0
    prompt: int = 0
    completion: int = 0
    cached: int = 0
    lengths: Histogram = field(default_factory=Histogram)  #: tokens of its answers

    def add(self, usage: Usage) -> None:
        """Count one answer."""
        self.answers += 1
        self.prompt += usage.prompt
        self.completion += usage.completion
        self.cached += usage.cached
        if usage.completion:
            self.lengths.add(usage.completion)


@dataclass(slots=True)
class RegionUsage:
    """What one region did."""

    calls: int = 0
    ok: int = 0
    failed: int = 0  #: jobs whose failure it had the last word on
    throttled: Counter[str] = field(default_factory=Counter)  #: by cause
    errors: Counter[str] = field(default_factory=Counter)  #: by outcome
    models: dict[str, Tokens] = field(default_factory=dict)
    latency: Histogram = field(default_factory=Histogram)  #: seconds of its answers
    throttled_s: float = 0.0
    peak_in_flight: int = 0

    def add(self, attempt: Attempt) -> None:
        """Count one attempt."""
        self.calls += 1
        if attempt.outcome == "ok":
            self.ok += 1
            self.latency.add(attempt.seconds)
        elif attempt.outcome == "throttled":
            self.throttled[attempt.cause or "other"] += 1
        else:
            self.errors[attempt.outcome] += 1
        if attempt.usage is not None:
            self.answered(attempt.usage)

    def answered(self, usage: Usage) -> None:
        """Count the tokens of one answer."""
        tokens = self.models.get(usage.model)
        if tokens is None:
            tokens = self.models[usage.model] = Tokens()
        tokens.add(usage)

    @property
    def answers(self) -> int:
        """Answers that it gave, and that were paid; also those that broke the schema."""
        return self.ok + self.errors[INVALID]

    @property
    def tokens(self) -> Tokens:
        """Tokens of all models together."""
        total = Tokens()
        for tokens in self.models.values():
            _add(total, tokens)
        return total


@dataclass(slots=True)
class Stats:
    """What all regions did, and what became of the jobs."""

    ok: int = 0
    failed: int = 0
    reasks: int = 0  #: calls for jobs of which an answer had broken the schema
    codes: Counter[str] = field(default_factory=Counter)  #: of the failures
    examples: Examples = field(default_factory=Examples)  #: some of them, by code
    regions: dict[str, RegionUsage] = field(default_factory=dict)
    reused: int = 0  #: jobs for which nothing was sent: the same request had its last word

    def add(self, result: Result) -> None:
        """Take in the last word on one job."""
        failure = result.failure
        code = None if failure is None else failure.code
        self._fold(result.attempts, code, result.usage)
        self.reused += result.reused
        if failure is not None:
            self.examples.add(failure.code, result.job.id, result.region, failure.message)

    def add_line(self, line: Mapping[str, Any]) -> None:
        """Take in a line of a results file, as decoded JSON."""
        attempts = [_attempt(attempt) for attempt in line["attempts"]]
        error = line["error"]
        code = error and error["code"]
        self._fold(attempts, code, None if code else usage_of(line["response"]["body"]))
        self.reused += line.get("reused", False)
        if error:
            self.examples.add(code, line["custom_id"], line["region"], error["message"])

    def add_unread(self, *, is_failure: bool) -> None:
        """Count a job of whose line nothing more is known."""
        self.failed += is_failure
        self.ok += not is_failure

    def add_attempts(self, attempts: Sequence[Attempt]) -> None:
        """Take in the calls for a job that has no last word yet."""
        is_again = False
        for attempt in attempts:
            self.region(attempt.region).add(attempt)
            self.reasks += is_again
            is_again = is_again or attempt.outcome == INVALID

    def withdraw(self, line: Mapping[str, Any]) -> None:
        """Forget that a job failed, since it runs again; what its calls took still counts."""
        code, attempts = line["error"]["code"], line["attempts"]
        self.failed -= 1
        self.codes[code] -= 1
        self.examples.remove(code, line["custom_id"])
        self.reused -= line.get("reused", False)
        if attempts:
            self.region(attempts[-1]["region"]).failed -= 1

    def _fold(self, attempts: Sequence[Attempt], code: str | None, usage: Usage | None) -> None:
        self.add_attempts(attempts)
        last = self.region(attempts[-1].region) if attempts else None
        if code is None:
            self.ok += 1
        else:
            self.failed += 1
            self.codes[code] += 1
        if last is None:
            return
        last.failed += code is not None
        if usage is not None:
            last.answered(usage)

    def region(self, name: str) -> RegionUsage:
        """The usage of one region, which begins with nothing."""
        usage = self.regions.get(name)
        if usage is None:
            usage = self.regions[name] = RegionUsage()
        return usage

    @property
    def answers(self) -> int:
        """Answers that regions gave, taken or not."""
        return sum(region.answers for region in self.regions.values())

    @property
    def calls(self) -> int:
        """Requests sent."""
        return sum(region.calls for region in self.regions.values())

    @property
    def invalid(self) -> int:
        """Answers that were paid and not taken: they broke the schema."""
        return sum(region.errors[INVALID] for region in self.regions.values())

    @property
    def wasted_calls(self) -> int:
        """Requests that brought nothing: throttled, faulty, or to a region that is out.

        An answer that broke the schema is one of them, also where it was the last word on its
        job: unlike a refusal it was paid.
        """
        return self.calls - sum(r.ok + r.errors["refused"] for r in self.regions.values())

    @property
    def ambiguous(self) -> int:
        """Requests without an answer: sent, perhaps billed, and nobody can tell."""
        return sum(r.errors[outcome] for r in self.regions.values() for outcome in AMBIGUOUS)

    @property
    def models(self) -> Counter[str]:
        """How many answers each model behind the names gave."""
        found: Counter[str] = Counter()
        for region in self.regions.values():
            for model, tokens in region.models.items():
                found[model] += tokens.answers
        return found

    def __add__(self, other: Self) -> Self:
        total = type(self)()
        for part in (self, other):
            _add(total, part)
        return total

    def as_json(self) -> dict[str, Any]:
        """All of it, so that ``from_json`` gives an equal one."""
        plain: dict[str, Any] = _plain(self)
        return plain

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """What ``as_json`` gave."""
        stats = cls(
            saved["ok"], saved["failed"], saved.get("reasks", 0), codes=Counter(saved["codes"])
        )
        # earlier versions knew no such things
        stats.reused = saved.get("reused", 0)
        stats.examples = Examples.from_json(saved.get("examples") or {"by_code": {}})
        for name, region in saved["regions"].items():
            stats.regions[name] = RegionUsage(
                calls=region["calls"],
                ok=region["ok"],
                failed=region["failed"],
                throttled=Counter(region["throttled"]),
                errors=Counter(region["errors"]),
                models={model: _tokens(tokens) for model, tokens in region["models"].items()},
                latency=Histogram.from_json(region["latency"]),
                throttled_s=region["throttled_s"],
                peak_in_flight=region["peak_in_flight"],
            )
        return stats


def _attempt(saved: Mapping[str, Any]) -> Attempt:
    """An attempt, as a line has it."""
    usage = saved.get("usage")
    return Attempt(
        saved["region"],
        saved["outcome"],
        saved["status"],
        saved["s"],
        saved.get("cause"),
        None if usage is None else Usage(**usage),
    )


def _tokens(saved: Mapping[str, Any]) -> Tokens:
    lengths = Histogram.from_json(saved.get("lengths") or {"bins": {}})  # earlier ones have none
    return Tokens(**{**saved, "lengths": lengths})


def _add(total: Any, part: Any) -> None:
    """Add the numbers of ``part`` to ``total``, field by field, all the way down."""
    for name in part.__slots__:
        mine, other = getattr(total, name), getattr(part, name)
        if isinstance(mine, Counter):
            mine.update(other)
        elif isinstance(mine, Examples):
            mine.merge(other)
        elif isinstance(mine, dict):
            for key, value in other.items():
                _add(mine.setdefault(key, type(value)()), value)
        elif name == "peak_in_flight":
            setattr(total, name, max(mine, other))
        elif isinstance(mine, int | float):
            setattr(total, name, mine + other)
        else:
            _add(mine, other)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if hasattr(value, "__slots__"):
        return {name: _plain(getattr(value, name)) for name in value.__slots__}
    return value
