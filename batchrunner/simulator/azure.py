"""How Azure OpenAI speaks."""

import math
from collections.abc import Mapping

import orjson

from .dialect import Call, Dialect, Header, Json, Problem, Wait, error, gauges
from .limits import Axis, Decision
from .order import Operation
from .scenario import Region

_SAFE = {"filtered": False, "severity": "safe"}
_CATEGORIES = {"hate": _SAFE, "self_harm": _SAFE, "sexual": _SAFE, "violence": _SAFE}
_PROMPT_FILTER = orjson.Fragment(
    orjson.dumps(
        [
            {
                "prompt_index": 0,
                "content_filter_results": {
                    **_CATEGORIES,
                    "jailbreak": {"filtered": False, "detected": False},
                },
            }
        ]
    )
)
_CHOICE_FILTER = orjson.Fragment(orjson.dumps(_CATEGORIES))

#: What a call is called; the name for responses is a guess after the others.
_NAMES = {
    Operation.CHAT: "ChatCompletions_Create",
    Operation.RESPONSES: "Responses_Create",
    Operation.EMBEDDINGS: "Embeddings_Create",
}
_WORDS = {Axis.REQUESTS: "call", Axis.TOKENS: "token"}
_QUOTA_URL = "https://aka.ms/oai/quotaincrease"


class Azure(Dialect):
    """One Azure region's wording."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._keys = {region.key.encode(), b"Bearer " + region.key.encode()}
        self._location = region.location or region.name
        self._static: list[Header] = [
            (b"content-type", b"application/json"),
            (b"x-ms-region", self._location.encode()),
            (b"x-ms-rai-invoked", b"true"),
            (b"x-content-type-options", b"nosniff"),
            (b"strict-transport-security", b"max-age=31536000; includeSubDomains; preload"),
        ]

    def refuses_key(self, headers: Mapping[bytes, bytes]) -> Problem | None:
        """The key counts in either header; other bearer tokens are told what is wrong."""
        if headers.get(b"api-key") == self._region.key.encode():
            return None
        bearer = headers.get(b"authorization", b"")
        if bearer in self._keys and bearer.startswith(b"Bearer "):
            return None
        match bearer:
            case b"Bearer expired":
                return _stale_token()
            case b"Bearer norole":
                return _no_role()
            case _ if self._region.entra and bearer.startswith(b"Bearer ") and len(bearer) > 7:
                return None
        return self.wrong_key("")

    def wrong_key(self, key: str) -> Problem:  # noqa: ARG002  # Azure does not repeat it
        """The key is not this resource's."""
        message = (
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to "
            "provide a valid key for an active subscription and use a correct regional API "
            "endpoint for your resource."
        )
        return _coded(401, "401", message)

    def forbidden(self) -> Problem:
        """The network is not allowed in."""
        problem = _coded(403, "403", "Access denied due to Virtual Network/Firewall rules.")
        policy = ((b"policy-id", b"ThrowExceptionDueToTrafficDenied"),)
        return Problem(problem.status, problem.body, policy)

    def no_route(self) -> Problem:
        """No such path, or no api-version."""
        return _coded(404, "404", "Resource not found")

    def too_old(self) -> Problem:
        """Responses came with a later version."""
        message = (
            "Azure OpenAI Responses API is enabled only for api-version 2025-03-01-preview and "
            "later"
        )
        return _coded(400, "BadRequest", message)

    def wrong_method(self, method: str) -> Problem:
        """The path knows POST only."""
        return _coded(405, "405", f"The {method} method is not allowed.")

    def no_deployment(self, name: str) -> Problem:  # noqa: ARG002  # Azure does not repeat it
        """The resource has no such deployment."""
        message = (
            "The API deployment for this resource does not exist. If you created the deployment "
            "within the last 5 minutes, please wait a moment and try again."
        )
        return _coded(404, "DeploymentNotFound", message)

    def throttled(self, call: Call, model: str, decision: Decision, wait: Wait) -> Problem:
        """A limit is used up; the words depend on the age of the region."""
        axis = decision.axis or Axis.REQUESTS
        style = self._region.body
        kind = (b"x-ratelimit-type", axis.value.capitalize().encode())
        version, name = call.api_version or "v1", _NAMES[call.route.operation]
        headers = (*wait.headers, kind) if style == "current" else wait.headers
        if style == "empty":
            return Problem(429, None, headers)
        if style == "short":
            message = f"Rate limit is exceeded. Try again in {wait.seconds} seconds."
            return Problem(429, _coded(429, "429", message).body, headers)
        if style == "old":
            message = (
                f"Requests to the {name} Operation under Azure OpenAI API version {version} have "
                f"exceeded {_WORDS[axis]} rate limit of your current OpenAI S0 "
                f"pricing tier. Please retry after {wait.seconds} seconds. Please go here: "
                f"{_QUOTA_URL} if you would like to further increase the default rate limit."
            )
            return Problem(429, _coded(429, "429", message).body, headers)
        message = (
            f"Your requests to {call.route.deployment or model} for {model} in {self._location} "
            f"have exceeded the {_WORDS[axis]} rate limit for your current AIServices S0 pricing "
            f"tier. This request was for {name} under Azure OpenAI API version "
            f"{version}. Please retry after {wait.seconds} seconds. To increase your default "
            f"rate limit, visit: {_QUOTA_URL}."
        )
        return Problem(429, _coded(429, "RateLimitReached", message).body, headers)

    def high_demand(self, wait: Wait) -> Problem:
        """The service is full, whatever the quota says."""
        message = (
            "The system is currently experiencing high demand and cannot process your request. "
            "Your request exceeds the maximum usage size allowed during peak load. Please retry "
            f"after {wait.seconds} seconds."
        )
        return Problem(429, _coded(429, "429", message).body, wait.headers)

    def billing(self) -> Problem:
        """The resource has been blocked."""
        return _coded(403, "403", "The resource has been temporarily blocked.")

    def filtered(self) -> Problem:
        """The content filter refused the prompt."""
        message = (
            "The response was filtered due to the prompt triggering Azure OpenAI's content "
            "management policy. Please modify your prompt and retry."
        )
        body = error(message, kind=None, param="prompt", code="content_filter")
        body["error"]["status"] = 400
        body["error"]["innererror"] = {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {
                **_CATEGORIES,
                "jailbreak": {"detected": True, "filtered": True},
            },
        }
        return Problem(400, body)

    def failed(self, status: int) -> Problem:
        """The service broke down."""
        match status:
            case 408:
                return _coded(408, "Timeout", "The operation was timeout.")
            case 503:
                message = (
                    "The service is temporarily unable to process your request. "
                    "Please try again later."
                )
                return _coded(503, "InternalServerError", message)
            case _:
                message = "The server had an error processing your request. Sorry about that!"
                body = error(message, kind="server_error", param=None, code=None)
                return Problem(status, body)

    def limit_headers(self, decision: Decision) -> list[Header]:
        """Bare seconds, and the period after which each limit is renewed."""
        if self._region.headers == "none":
            return []
        made: list[Header] = []
        for name, gauge in gauges(decision):
            axis = name.encode()
            made.append((b"x-ratelimit-limit-" + axis, b"%d" % gauge.limit))
            if self._region.headers == "all":
                period = math.ceil(gauge.window)
                made += (
                    (b"x-ratelimit-remaining-" + axis, b"%d" % gauge.remaining),
                    (b"x-ratelimit-reset-" + axis, b"%d" % math.ceil(gauge.reset - 1e-6)),
                    (b"x-ratelimit-renewalperiod-" + axis, b"%d" % period),
                )
        return made

    def headers(self, request_id: int, milliseconds: int) -> list[Header]:
        """Two ids, where the call was, and how long it took."""
        return [
            *self._static,
            (b"x-request-id", _uuid(request_id)),
            (b"apim-request-id", _uuid(request_id ^ 0xA91)),
            (b"x-envoy-upstream-service-time", b"%d" % milliseconds),
        ]

    def gateway_headers(self, request_id: int) -> list[Header]:
        """The gateway gives only its own id."""
        return [
            (b"content-type", b"application/json"),
            (b"apim-request-id", _uuid(request_id ^ 0xA91)),
        ]

    def decorate(self, completion: Json) -> Json:
        """What the content filter saw."""
        for choice in completion["choices"]:
            choice["content_filter_results"] = _CHOICE_FILTER
        completion["prompt_filter_results"] = _PROMPT_FILTER
        return completion


def _coded(status: int, code: str, message: str) -> Problem:
    return Problem(status, {"error": {"code": code, "message": message}})


def _stale_token() -> Problem:
    message = (
        "Unauthorized. Access token is missing, invalid, audience is incorrect "
        "(https://cognitiveservices.azure.com), or have expired."
    )
    return Problem(401, {"statusCode": 401, "message": message})


def _no_role() -> Problem:
    message = (
        "The principal lacks the required data action "
        "`Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action` to "
        "perform `POST /openai/deployments/{deployment-id}/chat/completions` operation."
    )
    return _coded(401, "PermissionDenied", message)


def _uuid(number: int) -> bytes:
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}".encode()
