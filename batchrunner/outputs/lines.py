"""The bytes of a result: one line that certifies itself. Pure.

Theory of operation. A line is one JSON object of fixed shape::

    {"i":…,"fp":"…","custom_id":…,"response":…,"error":…,"region":…,"attempts":[…],
     "cost_usd":…,"request":"…","reused":true,"cfg":"…","crc":"…"}

``cost_usd`` is missing where no price is known or nothing was sent; ``request`` where there was
none; both in lines of earlier versions; ``reused`` where it would be false.

``i`` and ``fp`` come first and ``cfg`` and ``crc`` last, at places that can be found without
parsing, and ``crc`` covers every byte before it. So ``check`` tells a whole line from a torn one
at the speed of a checksum, while any JSON reader can read the same line.

The body of a reply is put in as it came, so two things need care. It may be laid out over many
lines: a raw line end cannot stand inside a JSON string, only between tokens, where it means
nothing, so line ends and the indentation behind them are dropped, and not a digit of the answer
changes. And it may hold keys like ours, ``"error"`` among them: therefore ``failed`` looks for
the *last* such key. What follows the body was written here, where no other key has that name, and
in a string the quotes would be escaped: the last match is ours, whatever the body says. What
precedes the body was written here too, so there the *first* match is ours; between the two stands
the response, which ``taken`` gives to another job without a digit of it being read.
"""

import json
import re
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from ..model import Attempt, Failure, Job, Reply, Result

MAX_LINE = 64 << 20  #: bytes; a longer line is neither written nor read
SHORTEST = 0.001  #: seconds; who waited less for an attempt did not wait
EXCERPT = 2_000  #: characters kept of a body that is not JSON

START = b'{"i":'  #: what every line begins with
# ten digits of an ordinal are the most that a reader may be asked to make room for
_HEAD = re.compile(rb'\{"i":(0|[1-9][0-9]{0,9}),"fp":"([0-9a-f]{16})",')
_LINE_END = re.compile(rb"[\r\n]\s*")
_REQUEST = re.compile(
    rb',"request":"([0-9a-f]{32})"(?:,"reused":true)?(?:,"sanitized":true)?,"cfg":".{8}","crc":".{8}"\}\n\Z'
)
_RESPONSE = re.compile(
    rb'"response":(?:null|\{"status_code":([0-9]+),"request_id":(null|"(?:[^"\\]|\\.)*"),"body":)'
)
_FOOT = 120  #: bytes at the end of a line that hold everything behind the attempts


class LineError(ValueError):
    """A result that cannot be a line: it is too long, or its head would not be read back.

    The caller records a failure without the reply in its place.
    """


def encode(result: Result, cfg: str, cost: float | None = None) -> bytes:
    """The line of a result, with its line end; ``check`` accepts whatever this returns.

    ``cfg`` is 8 hex digits, and ``cost`` what the job cost in US dollars, where it is known. The
    body of an answer is trusted to be JSON, since it has been judged by its content; that of a
    failure is not. Raises ``LineError``.
    """
    record: dict[str, Any] = {
        "i": result.job.ordinal,
        "fp": result.job.fingerprint,
        "custom_id": result.job.id,
        "response": _response(result.reply, trusted=result.failure is None),
        "error": _error(result.failure),
        "region": result.region,
        "attempts": [_attempt(attempt) for attempt in result.attempts],
    }
    if cost is not None:
        record["cost_usd"] = round(cost, 9)
    if result.job.request:
        record["request"] = result.job.request
    if result.reused:
        record["reused"] = True
    record["cfg"] = cfg
    _refuse_unless_hex8(cfg)
    return _seal(_dump(record)[:-1])


def may_begin(text: bytes) -> bool:
    """Whether ``text`` can be the beginning of a line of ours, however short it is."""
    return START.startswith(text[: len(START)])


def check(line: bytes) -> tuple[int, bytes] | None:
    """Ordinal and fingerprint (16 hex digits) of a whole line; None for anything else."""
    if line[-11:] != b'%08x"}\n' % zlib.crc32(line[:-19]):
        return None
    head = _HEAD.match(line)
    if head is None or line[-20:-11] != b'","crc":"' or line[-36:-28] != b',"cfg":"':
        return None
    if line.find(b"\n") != len(line) - 1:
        return None
    ordinal, fingerprint = head.groups()
    return int(ordinal), fingerprint


def decode(line: bytes) -> Mapping[str, Any]:
    """What a line says, for readers; ``ValueError`` if it is no JSON object.

    Integers of more than 64 bits come as floats; in the line itself they are exact.
    """
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:  # stricter than JSON: it takes no lone surrogate
        record = _loads(line)
    if not isinstance(record, dict):
        raise ValueError("a line of results is a JSON object")  # noqa: TRY004 - the caller gave bytes
    return record


def failed(line: bytes) -> bool:
    """Whether a whole line holds a failure. No JSON is parsed."""
    return not line.startswith(b"null", line.rfind(b',"error":') + 9)


def retryable(line: bytes) -> bool:
    """Whether a whole line holds a failure that may end otherwise next time."""
    error = line.rfind(b',"error":') + 9
    return line.startswith(b"{", error) and b',"retryable":true},"region":' in line[error:]


def batch_line(line: bytes) -> bytes:
    """A whole line as the Batch services write theirs; the body stays as it is, to the digit."""
    begin = line.index(b',"custom_id":')
    error = line.rfind(b',"error":')
    found = orjson.loads(line[error + 9 : line.index(b',"region":', error)])
    if found is not None:
        del found["retryable"]
    name = b'{"id":"batch_req_%d"' % int(_HEAD.match(line)[1])  # type: ignore[index]
    return b'%b%b,"error":%b}\n' % (name, line[begin:error], orjson.dumps(found))


def settings_of(line: bytes) -> str:
    """The 8 hex digits that stand for the settings a whole line was made with."""
    return line[-28:-20].decode()


def request_in(line: bytes) -> bytes | None:
    """What a whole line answers, 32 hex digits; None for bad input and earlier versions."""
    found = _REQUEST.search(line, max(0, len(line) - _FOOT))
    return found and found[1]


def taken(line: bytes, job: Job) -> Result:
    """The last word on ``job``, for which nothing was sent: that of a whole line."""
    found, error = _RESPONSE.search(line), line.rfind(b',"error":')
    if found is None:
        raise ValueError("not a whole line of results")
    reply = None
    if found[1] is not None:
        request_id = orjson.loads(found[2])
        headers = {} if request_id is None else {"x-request-id": request_id}
        reply = Reply(int(found[1]), headers, line[found.end() : error - 1])
    said = orjson.loads(line[error + 9 : line.index(b',"region":', error)])
    failure = said and Failure(said["code"], said["message"], said["retryable"])
    return Result(job, reply, (), failure, reused=True)


def _seal(sealed: bytes) -> bytes:
    line = b'%b,"crc":"%08x"}\n' % (sealed, zlib.crc32(sealed))
    if len(line) > MAX_LINE:
        raise LineError(f"the line of a result would have {len(line)} bytes, {MAX_LINE} at most")
    if not _HEAD.match(line):
        raise LineError("the ordinal or the fingerprint of a job could not be read back")
    return line


@lru_cache
def _refuse_unless_hex8(cfg: str) -> None:
    if not re.fullmatch("[0-9a-f]{8}", cfg):
        raise LineError(f"cfg is 8 hex digits, not {cfg!r}")


def _dump(record: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(record)
    except TypeError:  # a lone surrogate in some text: it has no UTF-8
        cfg = record.pop("cfg")
        return orjson.dumps({**_clean(record), "sanitized": True, "cfg": cfg})


def _clean(value: Any) -> Any:
    """The same value with U+FFFD in place of every lone surrogate."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {key: _clean(member) for key, member in value.items()}
        case list():
            return [_clean(member) for member in value]
        case _:
            return value


def _response(reply: Reply | None, *, trusted: bool) -> dict[str, Any] | None:
    if reply is None:
        return None
    headers, body = reply.headers, reply.body
    return {
        "status_code": reply.status,
        "request_id": headers.get("x-request-id") or headers.get("apim-request-id"),
        "body": _one_line(body) if trusted or _is_json(body) else _excerpt(body),
    }


def _error(failure: Failure | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    return {"code": failure.code, "message": failure.message, "retryable": failure.retryable}


def _attempt(attempt: Attempt) -> dict[str, Any]:
    record: dict[str, Any] = {
        "region": attempt.region,
        "outcome": attempt.outcome,
        "status": attempt.status,
        "s": round(attempt.seconds, 3),
    }
    if attempt.wait >= SHORTEST:
        record["wait"] = round(attempt.wait, 3)
    if attempt.cause is not None:
        record["cause"] = attempt.cause
    if (usage := attempt.usage) is not None:
        record["usage"] = {
            "model": usage.model,
            "prompt": usage.prompt,
            "completion": usage.completion,
            "cached": usage.cached,
        }
    return record


def _one_line(body: bytes) -> orjson.Fragment:
    if b"\n" in body or b"\r" in body:
        body = _LINE_END.sub(b"", body)
    return orjson.Fragment(body)


def _is_json(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True


def _excerpt(body: bytes) -> str:
    return body[: 4 * EXCERPT].decode("utf-8", "replace")[:EXCERPT]


def _loads(line: bytes) -> Any:
    try:
        return json.loads(line)
    except RecursionError:
        raise ValueError("a line of results is nested too deeply") from None
