"""What outcomes and codes mean, and what can be done about them: tables of sentences. Pure."""

import re

from .model import CANCELLED, INVALID, OVERTAKEN

#: how an attempt ended, by its outcome
OUTCOMES = {
    "ok": "answered",
    "throttled": "throttled",
    "refused": "refused: the request itself is at fault, no other region was asked",
    "oversized": "larger than this region's whole limit, so another one was asked",
    "barred": "the region does not serve us (key, deployment or address), so it was left out",
    "local": "not sent: this machine was at its own limits; no region is to blame",
    "timeout": "no answer within --timeout; it may have been billed",
    "connect": "no connection: refused, unknown host, or broken off at once",
    "reset": "the connection ended before the answer did; it may have been billed",
    "protocol": "what came back is not HTTP, or larger than any answer; it may have been billed",
    "bad_payload": "status 200, but what it held is no answer",
    "server_error": "the service failed on the way, and another try may do",
    "vector_store_timeout": "the service was too slow to search files, another try may do",
    INVALID: "answered and paid, but not as the schema wants it",
    CANCELLED: "ended by a signal; it may have been billed",
    OVERTAKEN: "slower than the second request elsewhere (--hedge); it may have been billed",
}

#: which limit throttled it, by the cause
CAUSES = {
    "requests": "its limit of requests a minute was used up",
    "tokens": "its limit of tokens a minute was used up",
    "capacity": "the service itself was short of machines, the quota was not used up",
    "other": "it did not say which limit",
}

_RESEND = "nothing to change: it is asked again when the run is started again"
_LENGTH = (
    "shorten the prompt, or lower max_tokens, and run the changed input with another --output"
)
_EDIT = "correct the line of the input, and run the changed input with another --output"

#: what to do about a failure, by its code
REMEDIES = {
    "content_filter": "the service's filter refused the prompt: soften it, or have the filter of "
    "the deployment changed and retry; other regions may have other filters",
    "content_policy_violation": "as content_filter: soften the prompt, or have the filter changed",
    "context_length_exceeded": _LENGTH,
    "string_above_max_length": _LENGTH,
    "too_large": "raise the tokens a minute of a region, or " + _LENGTH,
    "rate_limit_exceeded": _RESEND,
    "invalid_output": "the model never kept to the schema: say in the prompt what is wanted, "
    "relax the schema, raise --max-reasks, or take a larger model; then retry",
    "truncated": "the answer did not fit: raise max_tokens",
    "filtered": "the answer was cut off by the content filter: have the filter of the deployment "
    "changed, or soften the prompt",
    "refusal": "the model would not answer: say in the prompt why it may, then retry",
    "bad_line": _EDIT,
    "unwritable": "the answer is too long for a line of results: lower max_tokens or n",
    "unsupported_parameter": "this model does not take a parameter of the request: " + _EDIT,
    "unsupported_value": "this model does not take a value in the request: " + _EDIT,
    "invalid_request_error": _EDIT,
    "invalid_value": _EDIT,
    "timeout": "raise --timeout if its answer takes so long; else " + _RESEND,
    "connect": "batchrunner doctor says whether the endpoint is right; else " + _RESEND,
    "failed": "the service gave up on it without a reason: retry it",
    **dict.fromkeys(
        (
            *("reset", "protocol", "bad_payload"),
            *("server_error", "vector_store_timeout"),
        ),
        _RESEND,
    ),
}

_STATUS = re.compile(r"http_([1-5][0-9]{2})")


def meaning(outcome: str, cause: str | None = None) -> str:
    """How an attempt ended, in words; those of another version are told as they are."""
    said = OUTCOMES.get(outcome)
    if said is None:
        status = _STATUS.fullmatch(outcome)
        said = f"the region failed with status {status[1]}" if status else outcome
    return f"{said}: {CAUSES.get(cause, cause)}" if cause else said


def remedy(code: str, *, is_retryable: bool) -> str:
    """What to do about a failure."""
    known = REMEDIES.get(code)
    if known is not None:
        return known
    if is_retryable:
        return _RESEND
    return "the message of the service says what it refuses: " + _EDIT
