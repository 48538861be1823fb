"""The nouns: what goes in, what comes back, and what is written down."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from .values import value

#: where jobs are posted, below the base URL
CHAT, RESPONSES, EMBEDDINGS = "/chat/completions", "/responses", "/embeddings"


@value
class Job:
    """One line of the input: a request that must be answered once."""

    ordinal: int  #: 0-based physical line number in the decompressed input
    fingerprint: str  #: BLAKE2b-64 of the raw line, 16 hex digits
    id: str  #: the line's ``custom_id`` or ``id``, else the ordinal
    path: str  #: where it is posted: ``CHAT``, ``RESPONSES`` or ``EMBEDDINGS``
    model: str
    body: bytes  #: the request body, a JSON object without its ``model``
    answer_tokens: int | None = None  #: the most the answer may use; None where it is open
    prompt_tokens: int | None = None  #: None where nobody counted them
    request: str = ""  #: BLAKE2b-128 of path, model and body, 32 hex digits; see ``sameness``


@value
class Reply:
    """What a region sent back."""

    status: int
    headers: Mapping[str, str]  #: looked up in lower case
    body: bytes


class FaultKind(StrEnum):
    """Why there is no reply."""

    TIMEOUT = "timeout"  #: the whole attempt took longer than allowed
    CONNECT = "connect"  #: no connection: refused, unknown host, or TLS broke off
    TLS = "tls"  #: whoever answers there cannot be believed, or speaks no TLS at all
    RESET = "reset"  #: the connection ended before the reply did
    PROTOCOL = "protocol"  #: what came back is not HTTP, or is larger than any answer
    LOCAL = "local"  #: this machine's own limits: too many open files


@value
class Fault:
    """A request that got no reply."""

    kind: FaultKind
    detail: str


@value
class Usage:
    """Tokens that the service says it counted for an answer, and the model that gave it."""

    model: str = ""
    prompt: int = 0
    completion: int = 0
    cached: int = 0  #: the part of the prompt that was cheaper


CANCELLED = "cancelled"  #: the outcome of an attempt that a signal has ended
INVALID = "invalid"  #: … that was answered, and not as the schema wants it
OVERTAKEN = "overtaken"  #: … of one that was slower than the second one, elsewhere


@value
class Attempt:
    """One request sent to one region, and how it ended."""

    region: str
    outcome: str  #: ``ok``, ``throttled``, ``refused`` …, as the verdict names it
    status: int | None  #: None where there was no reply
    seconds: float
    cause: str | None = None  #: which limit throttled it: ``requests``, ``tokens``, ``capacity`` …
    usage: Usage | None = None  #: of an answer that was paid and not taken
    wait: float = 0.0  #: seconds that the job had waited for it: for a region to open, or resting

    def overtaken(self) -> Self:
        """The same, slower than the second one."""
        return type(self)(
            self.region, OVERTAKEN, self.status, self.seconds, self.cause, wait=self.wait
        )


@value
class Failure:
    """Why a job has no answer."""

    code: str
    message: str
    retryable: bool  #: whether starting the run again should try the job again


@value
class Result:
    """The last word on a job: one line of the output."""

    job: Job
    reply: Reply | None  #: the last reply, kept with a failure too where there was one
    attempts: tuple[Attempt, ...]
    failure: Failure | None = None
    usage: Usage | None = None  #: of an answer
    reused: bool = False  #: whether it was taken from the same request, and nothing was sent

    @property
    def region(self) -> str | None:
        """The region that had the last word."""
        return self.attempts[-1].region if self.attempts else None
