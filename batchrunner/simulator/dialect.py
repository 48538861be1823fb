"""How a service speaks: the nouns and the wording that Azure OpenAI and plain OpenAI differ in."""

import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from .limits import Decision, Gauge
from .order import Complaint, Operation, Order
from .scenario import Target

Header = tuple[bytes, bytes]
Json = dict[str, Any]

#: What a call larger than the limit is told to wait: a day, which would not help either.
NEVER = 86400.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it arrived."""

    method: str
    headers: Mapping[bytes, bytes]
    body: bytes
    route: "Route"
    api_version: str | None
    gone: Callable[[], Awaitable[None]]  #: returns when the client has hung up


@dataclass(frozen=True, slots=True)
class Route:
    """What a path says."""

    target: str  #: the first part: which region
    operation: Operation = Operation.CHAT
    deployment: str | None = None  #: only dated paths name it
    dated: bool = False
    known: bool = True  #: False is a path that no service has


@dataclass(frozen=True, slots=True)
class Problem:
    """An answer that is no completion."""

    status: int
    body: Json | None  #: None is an empty body
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """What a throttled call is told about when to come again."""

    seconds: int  #: as the message says it
    headers: tuple[Header, ...] = ()


class Dialect(ABC):
    """One service's wording."""

    @abstractmethod
    def refuses_key(self, headers: Mapping[bytes, bytes]) -> Problem | None:
        """What a call with these headers is told if its key is no good."""

    @abstractmethod
    def wrong_key(self, key: str) -> Problem:
        """The key is not known."""

    @abstractmethod
    def forbidden(self) -> Problem:
        """The caller is not let in, whatever its key."""

    @abstractmethod
    def no_route(self) -> Problem:
        """There is no such path."""

    @abstractmethod
    def wrong_method(self, method: str) -> Problem:
        """The path is there, for another method."""

    @abstractmethod
    def no_deployment(self, name: str) -> Problem:
        """There is no such deployment or model."""

    @abstractmethod
    def throttled(self, call: Call, model: str, decision: Decision, wait: Wait) -> Problem:
        """A limit is used up, or the call is larger than it."""

    @abstractmethod
    def high_demand(self, wait: Wait) -> Problem:
        """There is no room, whatever the quota says."""

    @abstractmethod
    def billing(self) -> Problem:
        """The account cannot pay."""

    @abstractmethod
    def filtered(self) -> Problem:
        """The prompt is not answered because of what it says."""

    @abstractmethod
    def failed(self, status: int) -> Problem:
        """The service broke down with this status."""

    @abstractmethod
    def limit_headers(self, decision: Decision) -> list[Header]:
        """What the limits and their remainders look like now."""

    @abstractmethod
    def headers(self, request_id: int, milliseconds: int) -> list[Header]:
        """What every answer carries that did not fail at the gateway."""

    @abstractmethod
    def gateway_headers(self, request_id: int) -> list[Header]:
        """What answers carry that the gateway gives without the service."""

    @abstractmethod
    def decorate(self, completion: Json) -> Json:
        """Add what only this service puts into a chat completion."""

    def too_old(self) -> Problem:
        """The api-version does not know the path yet."""
        return self.no_route()

    def bad(self, complaint: Complaint) -> Problem:
        """The request itself is wrong."""
        return Problem(
            400,
            error(
                complaint.message,
                kind="invalid_request_error",
                param=complaint.param,
                code=complaint.code,
            ),
        )

    def too_long(self, order: Order, context: int) -> Problem:
        """The prompt has more tokens than the model reads."""
        tokens = max(order.prompt_tokens, context + 1)
        given = "messages" if order.operation is Operation.CHAT else "input"
        message = (
            f"Input tokens exceed the configured limit of {context} tokens. Your {given} "
            f"resulted in {tokens} tokens. Please reduce the length of the {given}."
        )
        return self.bad(Complaint(message, given, "context_length_exceeded"))


def error(message: str, *, kind: str | None, param: str | None, code: str | None) -> Json:
    """The usual body of an error."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def wait_to_tell(target: Target, seconds: float, clock: float, forced: float | None) -> Wait:
    """What a target tells a throttled call that would pass after so many seconds.

    ``forced`` is what a fault says instead; ``clock`` is the time of day, for dates.
    """
    true = NEVER if math.isinf(seconds) else seconds
    policy = target.retry_after if forced is None else forced
    whole = max(1, math.ceil(true - 1e-6))
    if isinstance(policy, int | float):
        told = round(policy)
        exact = 0 if told <= 1 else told * 1000
        return Wait(told, _retry_after(str(told), str(exact)))
    match policy:
        case "none":
            return Wait(whole)
        case "minus-one":
            return Wait(whole, _retry_after("-1", "-1"))
        case "date":
            return Wait(whole, _retry_after(formatdate(math.ceil(clock + true), usegmt=True)))
        case "honest":
            return Wait(whole, _retry_after(str(whole), str(math.ceil(true * 1000 - 1e-3))))


def gauges(decision: Decision) -> Sequence[tuple[str, Gauge]]:
    """The axes that are limited, by name."""
    axes = (("requests", decision.requests), ("tokens", decision.tokens))
    return [(name, gauge) for name, gauge in axes if gauge is not None]


def _retry_after(seconds: str, milliseconds: str | None = None) -> tuple[Header, ...]:
    plain = (b"retry-after", seconds.encode())
    return (plain, (b"retry-after-ms", milliseconds.encode())) if milliseconds else (plain,)
