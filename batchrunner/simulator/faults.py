"""What can go wrong in a region, and when."""

import math
import random
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .latency import Natural, Positive, Share

Status = Annotated[int, Field(ge=400, le=599)]


class Fault(BaseModel):
    """Something that happens to a share of the calls between two moments.

    Moments are seconds since the first call that the simulator got.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: str
    since: Natural = Field(default=0.0, alias="from")
    until: Positive = math.inf
    rate: Share = 1.0

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "Fault":
        if self.until <= self.since:
            raise ValueError("'until' must be later than 'from'")
        return self


class Outage(Fault):
    """The gateway answers everything with an error, before it looks at anything."""

    kind: Literal["outage"]
    status: Status = 503


class Error(Fault):
    """An admitted call fails after the time its answer would have taken."""

    kind: Literal["error"]
    status: Status = 500


class Reset(Fault):
    """The connection is reset, at once or in the middle of the answer."""

    kind: Literal["reset"]
    where: Literal["start", "body"] = "start"


class Hang(Fault):
    """The call is taken and never answered; after an hour the connection is reset."""

    kind: Literal["hang"]
    seconds: Positive = 3600.0


class Garbage(Fault):
    """A call is answered with status 200 and something that is no completion."""

    kind: Literal["garbage"]
    shape: Literal["html", "empty", "broken", "object", "null"] = "html"


class Slow(Fault):
    """Answers take longer."""

    kind: Literal["slow"]
    factor: Positive


class Trickle(Fault):
    """Answers arrive in small pieces over so many seconds."""

    kind: Literal["trickle"]
    seconds: Positive


class Limits(Fault):
    """Both limits of the region's quota are multiplied; its rate does not matter."""

    kind: Literal["limits"]
    factor: Positive


class RetryAfter(Fault):
    """Throttled calls are told to wait for so long, whatever is true."""

    kind: Literal["retry-after"]
    seconds: Natural = 86400.0


class Filter(Fault):
    """The content filter refuses the prompt; with a marker only prompts that contain it."""

    kind: Literal["filter"]
    marker: str = ""


class Refusal(Fault):
    """The call is refused for one of the reasons that a kind names.

    ``capacity``: 429, high demand; ``key``: 401; ``forbidden``: 403; ``missing``: 404, no such
    deployment; ``context``: 400, the prompt is too long; ``billing``: 429, no money is left.
    """

    kind: Literal["capacity", "key", "forbidden", "missing", "context", "billing"]


AnyFault = Annotated[
    Outage
    | Error
    | Reset
    | Hang
    | Garbage
    | Slow
    | Trickle
    | Limits
    | RetryAfter
    | Filter
    | Refusal,
    Field(discriminator="kind"),
]


#: The class of every kind.
KINDS: dict[str, type[Fault]] = {
    kind: fault
    for fault in get_args(get_args(AnyFault)[0])
    for kind in get_args(fault.model_fields["kind"].annotation)
}

F = TypeVar("F", bound=Fault)


class Troubles:
    """The faults that one call meets."""

    def __init__(self, faults: Sequence[AnyFault], now: float, chance: random.Random) -> None:
        """Chance is asked about every fault, whether its time has come or not.

        What a call draws afterwards is then the same with and without the fault.
        """
        lucky = [fault for fault in faults if fault.rate >= 1 or chance.random() < fault.rate]
        self._met = [fault for fault in lucky if fault.since <= now < fault.until]

    def find(self, kind: type[F]) -> F | None:
        """The first fault of a class."""
        for fault in self._met:
            if isinstance(fault, kind):
                return fault
        return None

    def refusal(self, *kinds: str) -> Refusal | None:
        """The first refusal for one of the named reasons."""
        for fault in self._met:
            if isinstance(fault, Refusal) and fault.kind in kinds:
                return fault
        return None

    def filters(self, text: str) -> bool:
        """Whether a content filter refuses the text."""
        return any(isinstance(fault, Filter) and fault.marker in text for fault in self._met)

    def __bool__(self) -> bool:
        return bool(self._met)


def limit_factor(faults: Iterable[AnyFault], now: float) -> float:
    """What the limits are multiplied with at ``now``."""
    factors = (f.factor for f in faults if isinstance(f, Limits) and f.since <= now < f.until)
    return math.prod(factors)
