"""What a reply means: whose fault it is, and what follows.

An outcome is the job's fault (``Refused``, ``Oversized``), the region's (``Faulty``, ``Barred``),
the quota's (``Throttled``: nobody's fault) or this machine's (``Hindered``). Only the region's
faults feed its breaker; only faults use up a job's attempts; being throttled never does.

``judge`` is a pure table over the status, the headers and the body; texts are matched only where
the status alone does not say.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from ..model import CHAT, EMBEDDINGS, RESPONSES, Fault, FaultKind, Reply, Usage
from ..terminal import printable
from ..values import value
from .answer import is_answer, usage_of
from .ratelimit import duration, retry_after

HOUR = 3600.0
CAPACITY_PAUSE = 20.0  #: what the service itself names when it is short of capacity
TOKEN_PAUSE = 60.0  #: the token window is a minute; less would only find it still full
LONGEST_MESSAGE = 500


class Cause(StrEnum):
    """Which limit a 429 speaks of."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    CAPACITY = "capacity"  #: the service is short of machines; our quota is fine
    OTHER = "other"


@value
class Answered:
    """The job is done."""

    usage: Usage
    outcome = "ok"


@dataclass(frozen=True, slots=True)
class Throttled:
    """A limit is reached; leave this quota alone for ``wait`` seconds. Nobody's fault.

    ``asked`` is the wait that the service names for this request, which may be far too short
    where more than one is to follow.
    """

    cause: Cause
    wait: float | None  #: None where the service does not say
    asked: float | None = None
    outcome = "throttled"


@dataclass(frozen=True, slots=True)
class Oversized:
    """The job alone is larger than the region's whole limit; smaller jobs still fit."""

    message: str
    outcome = "oversized"


@dataclass(frozen=True, slots=True)
class Faulty:
    """The region failed; another one, or a later try, may well answer."""

    outcome: str
    message: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The request itself is wrong; no region will ever answer it."""

    code: str
    message: str
    outcome = "refused"


@dataclass(frozen=True, slots=True)
class Barred:
    """The region will not serve us in this run: at all, or not this model."""

    reason: str
    model_only: bool = False
    outcome = "barred"


@dataclass(frozen=True, slots=True)
class Hindered:
    """Our own machine could not send the request; the region is not to blame."""

    message: str
    outcome = "local"


Verdict = Answered | Throttled | Oversized | Faulty | Refused | Barred | Hindered

#: faults after which the service may have answered all the same
MAY_BE_BILLED = frozenset({FaultKind.TIMEOUT, FaultKind.RESET, FaultKind.PROTOCOL})

_CAPACITY = re.compile(r"high demand|temporarily unable|no_capacity|overloaded", re.IGNORECASE)
_TOKENS = re.compile(r"token rate limit|tokens per|\bTPM\b", re.IGNORECASE)
_REQUESTS = re.compile(r"call rate limit|requests per|\bRPM\b", re.IGNORECASE)
_TOO_LARGE = re.compile(r"request too large|larger than", re.IGNORECASE)
_BILLING = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
    }
)
_KEY = re.compile(r"\bsk-[\w*.-]+")  # OpenAI repeats a part of the key that it refuses
_USED_UP = re.compile(r"0|-\d+")
_TRANSIENT = frozenset({408, 409, 424, 425})
_MISSING = {CHAT: "chat completion", RESPONSES: "response", EMBEDDINGS: "embedding"}
#: codes of failed responses that the next try, or another region, may not meet again
_PASSING = frozenset({"server_error", "vector_store_timeout"})
_TOO_OLD = re.compile(r"responses api .*api-version", re.IGNORECASE)
_NO_DEPLOYMENT = frozenset({"DeploymentNotFound", "model_not_found"})
_NEWER = (
    "a dated Azure endpoint answers /responses from api-version 2025-03-01-preview on: set "
    "AZURE_OPENAI_API_VERSION, or end the endpoint with /openai/v1/"
)


@dataclass(frozen=True, slots=True)
class Said:
    """The error that a body carries: ``{"error": {...}}`` or Azure's flat form."""

    code: str
    kind: str
    message: str


def may_be_billed(verdict: Verdict | None) -> bool:
    """Whether a request without an answer may have to be paid; a cancelled one has no verdict."""
    return verdict is None or (isinstance(verdict, Faulty) and verdict.outcome in MAY_BE_BILLED)


def judge(outcome: Reply | Fault, path: str = CHAT) -> Verdict:
    """Say what the outcome of a job that was posted to ``path`` means for it and the region."""
    if isinstance(outcome, Fault):
        return _no_reply(outcome)
    if outcome.status == 200:
        return _answer(outcome, path)
    said = error_in(outcome)
    if path == RESPONSES and _is_too_old(outcome, said):
        return Barred(f"{outcome.status} {said.message} ({_NEWER})", model_only=True)
    return _error(outcome, said)


def _no_reply(fault: Fault) -> Verdict:
    detail = _printable(fault.detail)
    match fault.kind:
        case FaultKind.LOCAL:
            return Hindered(detail)
        case FaultKind.TLS:
            return Barred(detail)
        case kind:
            return Faulty(kind.value, detail)


def _answer(reply: Reply, path: str) -> Verdict:
    try:
        body = orjson.loads(reply.body)
    except ValueError:
        body = None
    if is_answer(path, body):
        return Answered(usage_of(body))
    if path == RESPONSES and isinstance(body, dict) and body.get("status") == "failed":
        return _failed(reply, error_in(reply))
    return Faulty("bad_payload", f"a 200 that holds no {_MISSING[path]}: {_sample(reply.body)}")


def _failed(reply: Reply, said: Said) -> Verdict:
    """A response that failed although its status is 200: its error says why."""
    if said.code == "rate_limit_exceeded":
        return _throttled(reply, said)
    if said.code in _PASSING:
        return Faulty(said.code, said.message)
    return Refused(said.code or "failed", said.message)


def _error(reply: Reply, said: Said) -> Verdict:
    match reply.status:
        case 429:
            return _throttled(reply, said)
        case 401 | 403:
            return Barred(f"{reply.status} {said.message}")
        case 404:
            return Barred(f"404 {said.message}", model_only=True)
        case status if 300 <= status < 400:
            return Barred(
                f"{status} answers with a redirect: the endpoint is not the service's own"
            )
        case status if status in _TRANSIENT or status >= 500 or status < 300:
            return Faulty(f"http_{status}", said.message)
        case status:
            return Refused(said.code or f"http_{status}", said.message)


def _is_too_old(reply: Reply, said: Said) -> bool:
    """Whether a region has no /responses at all, which is its settings' fault and not the job's.

    Some regions say so in words and with 400, others know no such path.
    """
    if reply.status == 404:
        return said.code not in _NO_DEPLOYMENT
    return reply.status == 400 and _TOO_OLD.search(said.message) is not None


def _throttled(reply: Reply, said: Said) -> Verdict:
    if not _BILLING.isdisjoint((said.code, said.kind)):
        return Barred(f"429 {said.message}")
    cause = _cause(reply, said)
    asked = max(retry_after(reply.headers, said.message), default=None)
    wait = _wait(reply, cause, asked)
    if _TOO_LARGE.search(said.message) or (wait is not None and wait >= HOUR):
        return Oversized(said.message)
    return Throttled(cause, wait, asked)


def _cause(reply: Reply, said: Said) -> Cause:
    """Which limit it was: the words first, then the headers that name it, then what is used up."""
    if _CAPACITY.search(said.message) or _CAPACITY.search(said.code):
        return Cause.CAPACITY
    named = " ".join(reply.headers.get(name, "") for name in ("x-ratelimit-type", "policy-id"))
    hint = f"{said.kind} {named}".lower()
    if _TOKENS.search(said.message) or "token" in hint:
        return Cause.TOKENS
    if _REQUESTS.search(said.message) or "request" in hint.replace("invalid_request", ""):
        return Cause.REQUESTS
    for cause in (Cause.TOKENS, Cause.REQUESTS):
        if _USED_UP.fullmatch(reply.headers.get(f"x-ratelimit-remaining-{cause}", "")):
            return cause
    return Cause.OTHER


def _wait(reply: Reply, cause: Cause, asked: float | None) -> float | None:
    """The longest wait that the reply speaks of.

    A token limit that asks for a second or less is not believed: its window is a minute.
    """
    headers = reply.headers
    reset = duration(headers.get(f"x-ratelimit-reset-{cause}"))
    wait = max((seconds for seconds in (asked, reset) if seconds), default=None)
    if cause is Cause.TOKENS and (wait is None or wait <= 1):
        return reset or duration(headers.get("x-ratelimit-renewalperiod-tokens")) or TOKEN_PAUSE
    if cause is Cause.CAPACITY and wait is None:
        return CAPACITY_PAUSE
    return wait


def error_in(reply: Reply) -> Said:
    """The error of a reply, fit to be shown; where it has none, the beginning of its body."""
    try:
        body = orjson.loads(reply.body)
    except ValueError:
        return Said("", "", _sample(reply.body))
    error = body.get("error") or body if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return Said("", "", _in_words(error))
    message = _in_words(error.get("message") or _sample(reply.body))
    code, kind = (_in_words(error.get(name) or "") for name in ("code", "type"))
    return Said(code, kind, message)


def _in_words(value: Any) -> str:
    """What stands where a text should be."""
    try:
        return _printable(str(value))
    except RecursionError:
        return "(nested too deeply to be shown)"


def _sample(body: bytes) -> str:
    """The beginning of a body that is no JSON, on one line."""
    return _printable(" ".join(body[:200].decode("utf-8", "replace").split())) or "(empty)"


def _printable(text: str) -> str:
    """What may be shown and written down: on one line, of bounded length, without a key."""
    plain = printable(text[: 2 * LONGEST_MESSAGE])
    return _KEY.sub("sk-…", plain)[:LONGEST_MESSAGE]
