"""What is found out about one region: from its settings and the replies to its calls. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from ..model import EMBEDDINGS, Fault, Reply, Usage
from ..policy.answer import usage_of
from ..policy.verdict import error_in
from ..terminal import printable
from . import asking, remedies
from .asking import Ask
from .diagnosis import Diagnosis, diagnose
from .limits import Limits
from .place import Place

LONGEST_HEADER = 64
NO_MODEL = "no_model"
SCHEMA_VERSION = "2024-08-01-preview"  #: the first dated version whose answers follow a schema


class Mark(StrEnum):
    """How a region fares, in a word."""

    OK = "ok"
    WARNING = "warning"  #: it works, and there is something to know
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Call:
    """One tiny call, and what came of it."""

    ask: Ask
    outcome: Reply | Fault
    seconds: float


@dataclass(frozen=True, slots=True)
class Schema:
    """Whether answers follow a JSON schema, as far as one answer can tell."""

    support: str  #: ``yes``, ``no`` or ``unknown``
    why: str = ""


UNKNOWN = Schema("unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """One region, after its tiny calls."""

    name: str
    kind: str  #: ``azure`` or ``openai``
    host: str
    auth: str  #: ``key`` or ``entra``
    deployment: str | None  #: what was asked for: a deployment, or a model of plain OpenAI
    api_version: str  #: a dated version, or ``v1``
    works: bool
    outcome: str  #: as attempts of a run name it; ``no_model`` where nothing was sent
    reason: str = ""  #: why it does not work, or what there is to know
    remedy: str = ""
    status: int | None = None  #: of the last reply
    seconds: float | None = None  #: that the last call took, the connection included
    calls: int = 0
    usage: Usage = field(default_factory=Usage)  #: of the answer: its model, and what it cost
    schema: Schema = UNKNOWN
    limits: Limits = field(default_factory=Limits)
    region: str | None = None  #: where the service says that it is
    signs: tuple[str, ...] = ()  #: of spillover, and of provisioned throughput

    @property
    def mark(self) -> Mark:
        """How it fares, in a word."""
        if not self.works:
            return Mark.FAILED
        return Mark.WARNING if self.remedy else Mark.OK

    @property
    def model(self) -> str | None:
        """The model that answered, with its version."""
        return self.usage.model or None


def unasked(place: Place) -> Examination:
    """A region that nobody says what to ask for."""
    remedy = remedies.missing_model(place)
    found = Diagnosis(works=False, outcome=NO_MODEL, reason=remedies.NO_MODEL, remedy=remedy)
    return _examination(place, found)


def examination(place: Place, calls: Sequence[Call]) -> Examination:
    """What the calls to a region tell, of which there is at least one."""
    last = calls[-1]
    found = diagnose(last.outcome, place)
    headers = last.outcome.headers if isinstance(last.outcome, Reply) else {}
    limits = Limits.of(headers)
    return _examination(
        place,
        found,
        status=last.outcome.status if isinstance(last.outcome, Reply) else None,
        seconds=last.seconds,
        calls=len(calls),
        usage=_usage(last.outcome) if found.outcome == "ok" else Usage(),
        schema=_schema(place, calls, is_answered=found.outcome == "ok"),
        limits=limits,
        region=printable(headers.get("x-ms-region", ""))[:LONGEST_HEADER] or None,
        signs=tuple(_signs(place, headers, limits, found.outcome)),
    )


def _examination(place: Place, found: Diagnosis, **more: Any) -> Examination:
    target = place.target
    return Examination(
        name=target.name,
        kind=target.kind,
        host=place.host,
        auth=target.auth,
        deployment=place.called,
        api_version=place.api_version,
        works=found.works,
        outcome=found.outcome,
        reason=found.reason,
        remedy=found.remedy,
        **more,
    )


def _usage(outcome: Reply | Fault) -> Usage:
    if isinstance(outcome, Fault):
        return Usage()
    usage = usage_of(orjson.loads(outcome.body))
    return Usage(printable(usage.model), usage.prompt, usage.completion, usage.cached)


def _schema(place: Place, calls: Sequence[Call], *, is_answered: bool) -> Schema:
    if place.path == EMBEDDINGS:
        return Schema("unknown", "embeddings have none")
    refusals = [call.outcome for call in calls[:-1] if isinstance(call.outcome, Reply)]
    about = [one for one in refusals if asking.is_about_schema(one)]
    if about:
        return Schema("no", _too_old(place) or error_in(about[-1]).message)
    last = calls[-1].outcome
    if not is_answered or isinstance(last, Fault):
        return UNKNOWN
    return _followed(last)


def _followed(reply: Reply) -> Schema:
    """Whether an answer follows the schema that it was asked with."""
    complaint = asking.asked().complaint(reply.body)
    if complaint is None:
        return Schema("yes")
    if complaint.is_final:  # it took the schema, and did not come to use it
        return Schema("yes", f"accepted; {printable(complaint.message)[:LONGEST_HEADER]}")
    return Schema("no", "it is accepted, and the answer does not follow it")


def _too_old(place: Place) -> str:
    version = place.api_version
    if version == "v1" or version[:10] >= SCHEMA_VERSION[:10]:
        return ""
    return f"{place.name('api_version')} {version} is older than {SCHEMA_VERSION}"


def _signs(place: Place, headers: Mapping[str, str], limits: Limits, outcome: str) -> list[str]:
    """What else headers tell of the deployment."""
    found = [
        f"spillover: {name.lower()}"
        for name in headers
        if name.lower().startswith("x-ms-spillover") and name.isascii()
    ]
    answering = printable(headers.get("x-ms-deployment-name", ""))[:LONGEST_HEADER]
    if answering and answering != place.called:
        found.append(f"deployment {answering} answered")
    if outcome == "ok" and limits.is_silent:
        found.append("no limits advertised: provisioned throughput, or a gateway drops them")
    if outcome == "throttled" and limits.is_silent and "retry-after-ms" in headers:
        found.append("retry-after-ms without limits: provisioned throughput")
    return [sign[: LONGEST_HEADER + 40] for sign in found]
