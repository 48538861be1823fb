"""How plain OpenAI speaks."""

import math
from collections.abc import Mapping

from .dialect import Call, Dialect, Header, Json, Problem, Wait, error, gauges
from .limits import Axis, Decision
from .scenario import OpenAI

_ORGANISATION = "org-simulated"


class PlainOpenAI(Dialect):
    """Plain OpenAI's wording."""

    def __init__(self, target: OpenAI) -> None:
        self._target = target
        self._static: list[Header] = [
            (b"content-type", b"application/json"),
            (b"openai-organization", _ORGANISATION.encode()),
            (b"openai-version", b"2020-10-01"),
        ]

    def refuses_key(self, headers: Mapping[bytes, bytes]) -> Problem | None:
        """Bearer keys only."""
        scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer":
            message = (
                "You didn't provide an API key. You need to provide your API key in an "
                "Authorization header using Bearer auth."
            )
            return _invalid(401, message, None)
        if key == self._target.key.encode():
            return None
        return self.wrong_key(key.decode("latin-1"))

    def wrong_key(self, key: str) -> Problem:
        """The key is not known; part of it is repeated."""
        shown = f"{key[:8]}{'*' * 8}{key[-4:]}" if len(key) > 12 else "*" * len(key)
        message = (
            f"Incorrect API key provided: {shown}. "
            "You can find your API key at https://platform.openai.com/account/api-keys."
        )
        return _invalid(401, message, "invalid_api_key")

    def forbidden(self) -> Problem:
        """The country is not served."""
        return Problem(
            403,
            error(
                "Country, region, or territory not supported",
                kind="request_forbidden",
                param=None,
                code="unsupported_country_region_territory",
            ),
        )

    def no_route(self) -> Problem:
        """No such path."""
        return _invalid(404, "Invalid URL: there is no such path.", None)

    def wrong_method(self, method: str) -> Problem:
        """The path knows POST only."""
        return _invalid(405, f"Not allowed to {method} here. (HINT: use POST)", None)

    def no_deployment(self, name: str) -> Problem:
        """No such model, or not for this account."""
        message = f"The model `{name}` does not exist or you do not have access to it."
        return _invalid(404, message, "model_not_found")

    def throttled(self, call: Call, model: str, decision: Decision, wait: Wait) -> Problem:  # noqa: ARG002  # Azure's wording needs it
        """A limit is used up, or the call is larger than it."""
        axis = decision.axis or Axis.REQUESTS
        minutely = "tokens per min (TPM)" if axis is Axis.TOKENS else "requests per min (RPM)"
        gauge = decision.tokens if axis is Axis.TOKENS else decision.requests
        limit = gauge.limit if gauge else 0
        used = limit - gauge.remaining if gauge else 0
        place = f"for {model} in organization {_ORGANISATION} on {minutely}"
        if decision.too_large:
            message = (
                f"Request too large {place}: Limit {limit}, Requested {decision.asked}. "
                "The input or output tokens must be reduced in order to run successfully."
            )
        else:
            message = (
                f"Rate limit reached {place}: Limit {limit}, Used {used}, "
                f"Requested {decision.asked}. Please try again in "
                f"{go_duration(decision.wait)}."
            )
        headers = () if decision.too_large else wait.headers
        body = error(message, kind=axis.value, param=None, code="rate_limit_exceeded")
        return Problem(429, body, headers)

    def high_demand(self, wait: Wait) -> Problem:
        """The service is full."""
        message = "The server is overloaded or not ready yet. Please slow down and try again."
        body = error(message, kind="rate_limit_error", param=None, code="slow_down")
        return Problem(429, body, wait.headers)

    def billing(self) -> Problem:
        """The account has no money left."""
        message = (
            "You exceeded your current quota, please check your plan and billing details. For "
            "more information on this error, read the docs."
        )
        body = error(message, kind="insufficient_quota", param=None, code="insufficient_quota")
        return Problem(429, body)

    def filtered(self) -> Problem:
        """The prompt breaks the usage policy."""
        message = (
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy. "
            "Please try again with a different prompt."
        )
        body = error(message, kind="invalid_request_error", param="prompt", code="invalid_prompt")
        return Problem(400, body)

    def failed(self, status: int) -> Problem:
        """The service broke down."""
        if status == 503:
            message = "The engine is currently overloaded, please try again later"
            kind, code = "service_unavailable_error", "server_is_overloaded"
            return Problem(503, error(message, kind=kind, param=None, code=code))
        message = "The server had an error while processing your request. Sorry about that!"
        return Problem(status, error(message, kind="server_error", param=None, code=None))

    def limit_headers(self, decision: Decision) -> list[Header]:
        """Limits a minute, whatever they are counted over, and resets as Go writes durations."""
        if self._target.headers == "none":
            return []
        made: list[Header] = []
        for name, gauge in gauges(decision):
            axis = name.encode()
            limit = math.floor(gauge.limit * 60 / gauge.window)
            made.append((b"x-ratelimit-limit-" + axis, b"%d" % limit))
            if self._target.headers == "all":
                made += (
                    (b"x-ratelimit-remaining-" + axis, b"%d" % gauge.remaining),
                    (b"x-ratelimit-reset-" + axis, go_duration(gauge.reset).encode()),
                )
        return made

    def headers(self, request_id: int, milliseconds: int) -> list[Header]:
        """An id, and how long the call took."""
        return [
            *self._static,
            (b"x-request-id", b"req_%032x" % request_id),
            (b"openai-processing-ms", b"%d" % milliseconds),
        ]

    def gateway_headers(self, request_id: int) -> list[Header]:
        """The gateway gives an id too."""
        return [
            (b"content-type", b"application/json"),
            (b"x-request-id", b"req_%032x" % request_id),
        ]

    def decorate(self, completion: Json) -> Json:
        """A fingerprint and the tier."""
        completion["system_fingerprint"] = "fp_5170a7ed00"
        completion["service_tier"] = "default"
        return completion


def go_duration(seconds: float) -> str:
    """A duration as Go writes it, in whole milliseconds: ``12ms``, ``3.5s``, ``1h2m3s``."""
    milliseconds = math.ceil(seconds * 1000 - 1e-3)
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds > 0 else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def _invalid(status: int, message: str, code: str | None) -> Problem:
    return Problem(status, error(message, kind="invalid_request_error", param=None, code=code))
