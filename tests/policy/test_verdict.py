"""What every reply that was seen in the wild means, word for word as it was recorded."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.model import Fault, FaultKind, Reply, Usage
from batchrunner.policy.answer import usage_of
from batchrunner.policy.verdict import (
    Answered,
    Barred,
    Cause,
    Faulty,
    Hindered,
    Oversized,
    Refused,
    Throttled,
    judge,
)
from tests.policy.builders import completion, error, reply

DATE = "Mon, 02 Nov 2026 12:00:00 GMT"

# --- bodies, word for word

OLD = (
    "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version "
    "2024-08-01-preview have exceeded {} rate limit of your current OpenAI S0 pricing tier. "
    "Please retry after {} seconds. Please go here: https://aka.ms/oai/quotaincrease if you "
    "would like to further increase the default rate limit."
)
TRIAL = (
    " For Free Account customers, upgrade to Pay as you Go here: https://aka.ms/429TrialUpgrade."
)
CURRENT = (
    "Your requests to dep for gpt-4o in Sweden Central have exceeded the {} rate limit for your "
    "current AIServices S0 pricing tier. This request was for ChatCompletions_Create under Azure "
    "OpenAI API version 2024-10-21. Please retry after 60 seconds. To increase your default rate "
    "limit, visit: https://aka.ms/oai/quotaincrease."
)
SHORT = "Rate limit is exceeded. Try again in 2 seconds."
NO_AXIS = "Your requests to dep have exceeded rate limit."
CAPACITY = (
    "The system is currently experiencing high demand and cannot process your request. Your "
    "request exceeds the maximum usage size allowed during peak load."
)
UNABLE = "The service is temporarily unable to process your request. Please try again later."
RATE = (
    "Rate limit reached for gpt-4o-mini in organization org-x on {}: Limit 100000, Used 96749, "
    "Requested 19126. Please try again in {}."
)
TOO_LARGE = (
    "Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, "
    "Requested 30601. The input or output tokens must be reduced in order to run successfully."
)
CONTEXT = (
    "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300007 "
    "tokens. Please reduce the length of the messages."
)
OLD_CONTEXT = "This model's maximum context length is 128000 tokens."
FILTERED = (
    "The response was filtered due to the prompt triggering Azure OpenAI's content management "
    "policy. Please modify your prompt and retry."
)
PARAMETER = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
    "'max_completion_tokens' instead."
)
VALUE = "Unsupported value: 'temperature' does not support 0.2 with this model."
BAD_KEY = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a "
    "valid key for an active subscription and use a correct regional API endpoint for your "
    "resource."
)
EXPIRED = (
    "Unauthorized. Access token is missing, invalid, audience is incorrect "
    "(https://cognitiveservices.azure.com), or have expired."
)
ROLE = "The principal `x` lacks the required data action `y` to perform `POST /openai/z`."
NETWORK = "Access denied due to Virtual Network/Firewall rules."
KEYS_OFF = "Key based authentication is disabled for this resource."
BLOCKED = "Your resource has been temporarily blocked because we detected behavior."
NO_DEPLOYMENT = (
    "The API deployment for this resource does not exist. If you created the deployment within "
    "the last 5 minutes, please wait a moment and try again."
)
NO_MODEL = "The model `x` does not exist or you do not have access to it."
SORRY = "The server had an error processing your request. Sorry about that!"


RECORDED = {
    # 429, Azure
    "429 tokens, old": (
        reply(429, error(OLD.format("token", 22), "429")),
        Throttled(Cause.TOKENS, 22, 22),
    ),
    "429 tokens, old, free account": (
        reply(429, error(OLD.format("token", 22) + TRIAL, "429")),
        Throttled(Cause.TOKENS, 22, 22),
    ),
    "429 calls, old": (
        reply(429, error(OLD.format("call", 9), "429")),
        Throttled(Cause.REQUESTS, 9, 9),
    ),
    "429 tokens, current": (
        reply(429, error(CURRENT.format("token"), "RateLimitReached")),
        Throttled(Cause.TOKENS, 60, 60),
    ),
    "429 calls, current": (
        reply(429, error(CURRENT.format("call"), "RateLimitReached")),
        Throttled(Cause.REQUESTS, 60, 60),
    ),
    "429 short": (reply(429, error(SHORT, "429")), Throttled(Cause.OTHER, 2, 2)),
    "429 without an axis": (reply(429, error(NO_AXIS, "429")), Throttled(Cause.OTHER, None)),
    "429 for a day": (
        reply(429, error(OLD.format("token", 86400), "429")),
        Oversized(OLD.format("token", 86400)),
    ),
    "429 capacity": (
        reply(429, error(CAPACITY + " Please retry after 25 seconds.")),
        Throttled(Cause.CAPACITY, 25, 25),
    ),
    "429 capacity, no wait": (reply(429, error(CAPACITY)), Throttled(Cause.CAPACITY, 20)),
    "429 capacity, header": (
        reply(429, error(CAPACITY), retry_after="7"),
        Throttled(Cause.CAPACITY, 7, 7),
    ),
    "429 temporarily unable": (reply(429, error(UNABLE)), Throttled(Cause.CAPACITY, 20)),
    "429 provisioned": (
        reply(429, error("", "429"), retry_after_ms="1700"),
        Throttled(Cause.OTHER, 1.7, 1.7),
    ),
    "429 empty": (reply(429), Throttled(Cause.OTHER, None)),
    "429 with headers of tokens": (
        reply(
            429,
            error(OLD.format("token", 1), "429"),
            retry_after="1",
            retry_after_ms="0",
            x_ratelimit_limit_requests="5",
            x_ratelimit_limit_tokens="5000",
            x_ratelimit_remaining_requests="4",
            x_ratelimit_remaining_tokens="0",
            x_ratelimit_renewalperiod_requests="60",
            x_ratelimit_renewalperiod_tokens="60",
            x_ratelimit_reset_requests="12",
            x_ratelimit_reset_tokens="0",
            x_ratelimit_type="Tokens",
        ),
        Throttled(Cause.TOKENS, 60, 1),
    ),
    "429 of 2023": (
        reply(429, error("busy", "429"), policy_id="DeploymentRatelimit-Token"),
        Throttled(Cause.TOKENS, 60),
    ),
    # 429, OpenAI
    "429 OpenAI tokens": (
        reply(
            429,
            error(RATE.format("tokens per min (TPM)", "9.525s"), "rate_limit_exceeded", "tokens"),
        ),
        Throttled(Cause.TOKENS, 9.525, 9.525),
    ),
    "429 OpenAI requests": (
        reply(
            429,
            error(
                RATE.format("requests per min (RPM)", "6m0s"), "rate_limit_exceeded", "requests"
            ),
        ),
        Throttled(Cause.REQUESTS, 360, 360),
    ),
    "429 OpenAI for 114 hours": (
        reply(429, error(RATE.format("requests per day (RPD)", "114h2m3.5s"))),
        Oversized(RATE.format("requests per day (RPD)", "114h2m3.5s")),
    ),
    "429 OpenAI too large": (
        reply(429, error(TOO_LARGE, "rate_limit_exceeded", "tokens")),
        Oversized(TOO_LARGE),
    ),
    "429 OpenAI slow down": (
        reply(429, error("Slow down", "slow_down", "rate_limit_error")),
        Throttled(Cause.OTHER, None),
    ),
    **{
        f"429 OpenAI {code}": (
            reply(429, error("No money", code, "insufficient_quota"), retry_after="1"),
            Barred("429 No money"),
        )
        for code in (
            "insufficient_quota",
            "credit_balance_exhausted",
            "organization_spend_limit_exceeded",
            "project_spend_limit_exceeded",
            "organization_usage_limit_exceeded",
        )
    },
    "429 OpenAI billing by its code alone": (
        reply(429, error("No money", "credit_balance_exhausted")),
        Barred("429 No money"),
    ),
    "429 OpenAI billing by its type alone": (
        reply(429, error("No money", None, "insufficient_quota")),
        Barred("429 No money"),
    ),
    # 401, 403, 404
    "401 key": (reply(401, error(BAD_KEY, "401")), Barred(f"401 {BAD_KEY}")),
    "401 token, flat": (
        reply(401, {"statusCode": 401, "message": EXPIRED}),
        Barred(f"401 {EXPIRED}"),
    ),
    "401 role": (reply(401, error(ROLE, "PermissionDenied")), Barred(f"401 {ROLE}")),
    "401 OpenAI repeats the key": (
        reply(
            401,
            error("Incorrect API key provided: sk-proj-ab**_yz. Look it up.", "invalid_api_key"),
        ),
        Barred("401 Incorrect API key provided: sk-… Look it up."),
    ),
    "403 network": (
        reply(403, error(NETWORK, "403"), policy_id="ThrowExceptionDueToTrafficDenied"),
        Barred(f"403 {NETWORK}"),
    ),
    "403 key auth off": (
        reply(403, error(KEYS_OFF, "AuthenticationTypeDisabled")),
        Barred(f"403 {KEYS_OFF}"),
    ),
    "403 suspended": (reply(403, error(BLOCKED)), Barred(f"403 {BLOCKED}")),
    "404 deployment": (
        reply(404, error(NO_DEPLOYMENT, "DeploymentNotFound")),
        Barred(f"404 {NO_DEPLOYMENT}", model_only=True),
    ),
    "404 route": (
        reply(404, error("Resource not found", "404")),
        Barred("404 Resource not found", model_only=True),
    ),
    "404 OpenAI model": (
        reply(404, error(NO_MODEL, "model_not_found")),
        Barred(f"404 {NO_MODEL}", model_only=True),
    ),
    # the request's own fault
    "400 filter": (
        reply(
            400,
            error(
                FILTERED,
                "content_filter",
                param="prompt",
                status=400,
                innererror={"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}},
            ),
        ),
        Refused("content_filter", FILTERED),
    ),
    "400 invalid prompt": (
        reply(400, error("repetitive patterns", "invalid_prompt", "invalid_request_error")),
        Refused("invalid_prompt", "repetitive patterns"),
    ),
    "400 context": (
        reply(400, error(CONTEXT, "context_length_exceeded", "invalid_request_error")),
        Refused("context_length_exceeded", CONTEXT),
    ),
    "400 context, older": (
        reply(400, error(OLD_CONTEXT, "context_length_exceeded")),
        Refused("context_length_exceeded", OLD_CONTEXT),
    ),
    "400 unsupported parameter": (
        reply(400, error(PARAMETER, "unsupported_parameter")),
        Refused("unsupported_parameter", PARAMETER),
    ),
    "400 unsupported value": (
        reply(400, error(VALUE, "unsupported_value")),
        Refused("unsupported_value", VALUE),
    ),
    "400 without a code": (reply(400, error("Bad")), Refused("http_400", "Bad")),
    "413": (reply(413, b"too big"), Refused("http_413", "too big")),
    "422": (reply(422, error("Not so", "422")), Refused("422", "Not so")),
    "431": (reply(431), Refused("http_431", "(empty)")),
    # the region's fault
    "408": (
        reply(408, error("The operation was timeout.", "Timeout")),
        Faulty("http_408", "The operation was timeout."),
    ),
    "409": (reply(409, error("Locked")), Faulty("http_409", "Locked")),
    "424": (reply(424, error("Dependency")), Faulty("http_424", "Dependency")),
    "425": (reply(425, error("Early")), Faulty("http_425", "Early")),
    "500": (reply(500, error(SORRY, None, "server_error")), Faulty("http_500", SORRY)),
    "502": (reply(502, b"<html>\n  Bad Gateway"), Faulty("http_502", "<html> Bad Gateway")),
    "503 Azure": (
        reply(503, error(UNABLE, "InternalServerError"), retry_after="3"),
        Faulty("http_503", UNABLE),
    ),
    "503 OpenAI": (
        reply(503, error("Busy", "server_is_overloaded", "service_unavailable_error")),
        Faulty("http_503", "Busy"),
    ),
    "504": (
        reply(504, b"upstream request timeout"),
        Faulty("http_504", "upstream request timeout"),
    ),
    "529": (reply(529, error("Overloaded")), Faulty("http_529", "Overloaded")),
    "600": (reply(600), Faulty("http_600", "(empty)")),
    # neither an answer nor an error
    "0": (reply(0), Faulty("http_0", "(empty)")),
    "101": (reply(101), Faulty("http_101", "(empty)")),
    "201": (reply(201, completion()), Faulty("http_201", orjson.dumps(completion()).decode())),
    "204": (reply(204), Faulty("http_204", "(empty)")),
    **{
        str(status): (
            reply(status, location="https://elsewhere"),
            Barred(
                f"{status} answers with a redirect: the endpoint is not the service's own",
            ),
        )
        for status in (300, 301, 302, 307, 308, 399)
    },
}


@pytest.mark.parametrize(("outcome", "verdict"), RECORDED.values(), ids=RECORDED)
def test_a_recorded_reply_means(outcome, verdict):
    assert judge(outcome) == verdict


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        (FaultKind.TIMEOUT, Faulty("timeout", "60 s")),
        (FaultKind.CONNECT, Faulty("connect", "60 s")),
        (FaultKind.RESET, Faulty("reset", "60 s")),
        (FaultKind.PROTOCOL, Faulty("protocol", "60 s")),
        (FaultKind.LOCAL, Hindered("60 s")),
        (FaultKind.TLS, Barred("60 s")),
    ],
)
def test_no_reply_is_the_regions_fault_unless_it_is_this_machines(kind, verdict):
    assert judge(Fault(kind, "60 s")) == verdict


@pytest.mark.parametrize("kind", FaultKind)
def test_what_an_exception_says_is_shown_on_one_line_and_without_escapes(kind):
    shown = str(judge(Fault(kind, "Bad status line: \x1b]0;x\x07\r\n\u202e sk-abc123")))

    assert shown.isprintable()
    assert "sk-abc123" not in shown


def test_every_kind_of_verdict_has_the_name_that_results_carry():
    named = [
        Answered(Usage()),
        Throttled(Cause.OTHER, None),
        Oversized(""),
        Faulty("http_500", ""),
        Refused("400", ""),
        Barred(""),
        Hindered(""),
    ]

    assert [verdict.outcome for verdict in named] == [
        "ok",
        "throttled",
        "oversized",
        "http_500",
        "refused",
        "barred",
        "local",
    ]


# --- how long to wait

CALLS, TOKENS = error("call rate limit"), error("token rate limit")
WAITS = {
    # the longest of everything that is positive
    "milliseconds": (CALLS, {"retry_after_ms": "1500"}, 1.5),
    "the other spelling of milliseconds": (CALLS, {"x_ms_retry_after_ms": "1500"}, 1.5),
    "seconds": (CALLS, {"retry_after": "7"}, 7),
    "fractional seconds": (CALLS, {"retry_after": "0.5"}, 0.5),
    "a date, from the reply's own": (
        CALLS,
        {"retry_after": "Mon, 02 Nov 2026 12:00:30 GMT", "date": DATE},
        30,
    ),
    "a date alone": (CALLS, {"retry_after": "Mon, 02 Nov 2026 12:00:30 GMT"}, None),
    "a date that is over": (
        CALLS,
        {"retry_after": "Mon, 02 Nov 2026 11:00:00 GMT", "date": DATE},
        None,
    ),
    "a date beyond the calendar": (
        CALLS,
        {"retry_after": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "date": DATE},
        None,
    ),
    "words": (error("call rate limit. Please retry after 9 seconds."), {}, 9),
    "the reset of its own axis": (CALLS, {"x_ratelimit_reset_requests": "12"}, 12),
    "not the reset of the other axis": (CALLS, {"x_ratelimit_reset_tokens": "40"}, None),
    "a Go duration": (CALLS, {"x_ratelimit_reset_requests": "1m2.5s"}, 62.5),
    "the longest is the header": (
        error("call rate limit: retry after 3 seconds"),
        {"retry_after": "5", "retry_after_ms": "4000", "x_ratelimit_reset_requests": "2"},
        5,
    ),
    "the longest is in milliseconds": (CALLS, {"retry_after": "5", "retry_after_ms": "6000"}, 6),
    "the longest is the reset": (
        CALLS,
        {"retry_after": "5", "x_ratelimit_reset_requests": "20"},
        20,
    ),
    "the longest is in words": (
        error("call rate limit: retry after 30 seconds"),
        {"retry_after": "5"},
        30,
    ),
    # what cannot be true
    **{
        f"a lie: {lie}": (CALLS, {"retry_after": lie, "retry_after_ms": lie}, None)
        for lie in ("-1", "0", "nan", "inf", "-inf", "1e400", "soon", "", "-0.5")
    },
    "a lie beside the truth": (CALLS, {"retry_after": "-1", "retry_after_ms": "250"}, 0.25),
    # tokens: a second is not believed
    "tokens, no wait": (TOKENS, {}, 60),
    "tokens, one second": (TOKENS, {"retry_after": "1"}, 60),
    "tokens, one second and no milliseconds": (
        TOKENS,
        {"retry_after": "1", "retry_after_ms": "0"},
        60,
    ),
    "tokens, less than a second": (TOKENS, {"retry_after_ms": "120"}, 60),
    "tokens, a second and a bit": (TOKENS, {"retry_after": "1.1"}, 1.1),
    "tokens, one second but a reset": (
        TOKENS,
        {"retry_after": "1", "x_ratelimit_reset_tokens": "30"},
        30,
    ),
    "tokens, a reset before the period": (
        TOKENS,
        {"x_ratelimit_reset_tokens": "0.3", "x_ratelimit_renewalperiod_tokens": "60"},
        0.3,
    ),
    "tokens, the renewal period": (
        TOKENS,
        {"retry_after": "1", "x_ratelimit_renewalperiod_tokens": "10"},
        10,
    ),
    "tokens, lies all over": (
        TOKENS,
        {
            "retry_after": "-1",
            "x_ratelimit_reset_tokens": "-1",
            "x_ratelimit_renewalperiod_tokens": "0",
        },
        60,
    ),
    "requests, one second is believed": (CALLS, {"retry_after": "1"}, 1),
}


@pytest.mark.parametrize(("body", "headers", "wait"), WAITS.values(), ids=WAITS)
def test_a_throttled_quota_is_left_alone_for(body, headers, wait):
    verdict = judge(reply(429, body, **headers))

    assert isinstance(verdict, Throttled)
    assert verdict.wait == (None if wait is None else pytest.approx(wait))


@pytest.mark.parametrize(
    ("headers", "wait", "asked"),
    [
        ({}, 60, None),
        ({"retry_after": "1"}, 60, 1),
        ({"retry_after": "5", "x_ratelimit_reset_tokens": "22"}, 22, 5),
        ({"retry_after": "30", "x_ratelimit_reset_tokens": "22"}, 30, 30),
        ({"x_ratelimit_reset_tokens": "22"}, 22, None),
    ],
)
def test_what_was_asked_for_is_kept_beside_what_is_believed(headers, wait, asked):
    assert judge(reply(429, TOKENS, **headers)) == Throttled(Cause.TOKENS, wait, asked)


@pytest.mark.parametrize("wait", ["3600", "86400", "411000"])
@pytest.mark.parametrize("body", [CALLS, TOKENS, error(SHORT)])
def test_who_asks_for_hours_means_this_job_and_not_the_region(body, wait):
    assert isinstance(judge(reply(429, body, retry_after=wait)), Oversized)
    assert isinstance(judge(reply(429, body, retry_after="3599")), Throttled)


# --- which limit

AXES = {
    "the words come first": (error("call rate limit", "429", "requests"), {}, Cause.REQUESTS),
    "then the header that names it": (error(), {"x_ratelimit_type": "Tokens"}, Cause.TOKENS),
    "or names requests": (error(), {"x_ratelimit_type": "Requests"}, Cause.REQUESTS),
    "or the policy": (error(), {"policy_id": "DeploymentRatelimit-Request"}, Cause.REQUESTS),
    "or the type": (error("", None, "tokens"), {}, Cause.TOKENS),
    "an invalid request is no request limit": (
        error("", None, "invalid_request_error"),
        {},
        Cause.OTHER,
    ),
    "then what is used up": (error(), {"x_ratelimit_remaining_tokens": "0"}, Cause.TOKENS),
    "or overdrawn": (error(), {"x_ratelimit_remaining_tokens": "-1"}, Cause.TOKENS),
    "or requests are used up": (error(), {"x_ratelimit_remaining_requests": "0"}, Cause.REQUESTS),
    "tokens before requests": (
        error(),
        {"x_ratelimit_remaining_requests": "0", "x_ratelimit_remaining_tokens": "0"},
        Cause.TOKENS,
    ),
    "what remains names nothing": (
        error(),
        {"x_ratelimit_remaining_requests": "4", "x_ratelimit_remaining_tokens": "10"},
        Cause.OTHER,
    ),
    "capacity before all": (
        error(CAPACITY),
        {"x_ratelimit_type": "Tokens", "x_ratelimit_remaining_tokens": "0"},
        Cause.CAPACITY,
    ),
    "capacity by its code": (error("Sorry", "no_capacity"), {}, Cause.CAPACITY),
}


@pytest.mark.parametrize(("body", "headers", "cause"), AXES.values(), ids=AXES)
def test_the_limit_that_was_hit_is_found(body, headers, cause):
    verdict = judge(reply(429, body, **headers))

    assert isinstance(verdict, Throttled)
    assert verdict.cause is cause


# --- 200


@pytest.mark.parametrize(
    "body",
    [
        completion(content="Hi"),
        completion("length", content="Hi, I"),
        completion("content_filter"),
        completion("content_filter", content=None),
        completion(content=None, refusal="I cannot help with that."),
        completion("tool_calls", content=None, tool_calls=[]),
        completion(content=""),
        completion(content="\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")),
        {"choices": [{"message": {}}]},
        {"choices": [{"message": {}}, None]},
    ],
)
def test_a_choice_with_a_message_is_an_answer_however_it_ends(body):
    assert isinstance(judge(reply(200, body)), Answered)


def test_an_answer_says_what_it_used():
    usage = {
        "prompt_tokens": 12,
        "completion_tokens": 34,
        "prompt_tokens_details": {"cached_tokens": 8},
    }

    assert judge(reply(200, completion(usage=usage))) == Answered(Usage("gpt-4o-mini", 12, 34, 8))


@pytest.mark.parametrize(
    ("answer", "usage"),
    [
        ({}, Usage()),
        ({"model": None, "usage": None}, Usage()),
        ({"model": "m", "usage": []}, Usage("m")),
        ({"usage": {"prompt_tokens": -1, "completion_tokens": None}}, Usage()),
        ({"usage": {"prompt_tokens": "7", "completion_tokens": 1.5}}, Usage()),
        ({"usage": {"prompt_tokens": 7, "prompt_tokens_details": None}}, Usage(prompt=7)),
        ({"usage": {"prompt_tokens_details": {"cached_tokens": -5}}}, Usage()),
        (
            {"usage": {"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 9}}},
            Usage(prompt=7, cached=7),
        ),
        ({"usage": {"prompt_tokens": 2**64 - 1, "completion_tokens": 10**12}}, Usage()),
        ({"model": ["m"]}, Usage()),
        ({"model": "m" * 1000}, Usage("m" * 256)),
    ],
)
def test_usage_that_cannot_be_true_counts_as_nothing(answer, usage):
    assert usage_of(answer) == usage


ODD = {
    "html": b"<html><body>Sign in</body></html>",
    "empty": b"",
    "blank": b" \n ",
    "an empty object": b"{}",
    "null": b"null",
    "a number": b"7",
    "text": b'"Hi"',
    "a list": b'[{"choices":[]}]',
    "broken JSON": b'{"choices":[{"mess',
    "an error": orjson.dumps(error("Sorry", "500")),
    "no choices": b'{"choices":[]}',
    "null choices": b'{"choices":null}',
    "choices by name": b'{"choices":{"0":{"message":{}}}}',
    "choices in words": b'{"choices":"abc"}',
    "a null choice": b'{"choices":[null]}',
    "no message": b'{"choices":[{"finish_reason":"stop"}]}',
    "a null message": b'{"choices":[{"message":null}]}',
    "a message in words": b'{"choices":[{"message":"Hi"}]}',
    "NaN": b'{"choices":[{"message":{"content":NaN}}]}',
    "bad UTF-8": b'{"choices":[{"message":{"content":"\xff\xfe"}}]}',
    "half a surrogate": b'{"choices":[{"message":{"content":"\\ud800"}}]}',
    "deep nesting": b'{"choices":' + b"[" * 100_000,
    "deep and closed": b"[" * 100_000 + b"]" * 100_000,
    "a number of 10,000 digits": b'{"choices":[{"message":{}}],"usage":' + b"9" * 10_000 + b"}",
    "a byte order mark": b"\xef\xbb\xbf" + orjson.dumps(completion(content="Hi")),
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
def test_a_200_that_holds_no_completion_is_the_regions_fault(body):
    verdict = judge(reply(200, body))

    assert isinstance(verdict, Faulty)
    assert verdict.outcome == "bad_payload"
    assert len(verdict.message) < 300


def test_a_fault_shows_the_beginning_of_what_came_instead_on_one_line():
    verdict = judge(reply(200, b"<html>\r\n  <title>Sign\tin</title>" + b" more" * 1000))

    assert verdict.message.startswith("a 200 that holds no chat completion: <html> <title>Sign in")
    assert "\n" not in verdict.message


# --- errors in odd shapes


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "(empty)"),
        (b"<h1>Not\n here</h1>", "<h1>Not here</h1>"),
        ({"error": "plain words"}, "plain words"),
        ({"error": None, "message": "flat words"}, "flat words"),
        ({"message": "flat words"}, "flat words"),
        ({"error": {"code": "x"}}, '{"error":{"code":"x"}}'),
        ({"error": {"message": 5}}, "5"),
        (["a", "list"], "['a', 'list']"),
        (b"null", "None"),
        (b"\xff\xfe", "��"),
        (error("x" * 10_000), "x" * 500),
        ({"error": "x" * 10_000}, "x" * 500),
    ],
)
def test_a_refusal_in_any_shape_says_something_and_not_too_much(body, message):
    verdict = judge(reply(400, body))

    assert isinstance(verdict, Refused)
    assert verdict.message == message


NESTED = b"[" * 1000 + b"]" * 1000  # what JSON readers take and what Python cannot write


@pytest.mark.parametrize("status", [200, 307, 400, 401, 404, 429, 503])
@pytest.mark.parametrize(
    "shape",
    [
        *(b"%b", b'{"error":%b}', b'{"error":{"message":%b}}', b'{"message":%b}'),
        *(b'{"error":{"code":%b}}', b'{"error":{"type":%b}}', b'{"error":[%b]}'),
        *(b'{"choices":[{"message":{}}],"model":%b}', b'{"choices":[{"message":{}}],"usage":%b}'),
    ],
)
def test_nesting_is_only_odd(status, shape):
    assert len(str(judge(reply(status, shape % NESTED)))) < 1500


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500])
@pytest.mark.parametrize("key", ["sk-abc123", "sk-proj-a_b*****yz", "sk-svcacct-Ab-9"])
@pytest.mark.parametrize(
    "shape",
    [
        error,
        lambda text: error(text, "insufficient_quota"),
        lambda text: {"message": text},
        lambda text: {"error": text},
        lambda text: [text],
        lambda text: text.encode(),
        lambda text: error("too long " * 54 + text),
    ],
    ids=["error", "billing", "flat", "words", "list", "no JSON", "at the end"],
)
def test_a_key_that_is_repeated_is_never_passed_on(status, key, shape):
    verdict = judge(reply(status, shape(f"Incorrect API key provided: {key}. request too large")))

    assert key[3:] not in str(verdict)


NAMES = st.sampled_from(
    ["error", "message", "code", "type", "choices", "usage", "prompt_tokens", "model", "x"]
)
BYTES = st.binary(max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
TEXT = st.text(max_size=12) | st.sampled_from(
    ["-1", "0", "nan", "inf", "1", "6m0s", DATE, "1e999"]
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "retry-after",
            "retry-after-ms",
            "date",
            "x-ratelimit-reset-tokens",
            "x-ratelimit-reset-requests",
            "x-ratelimit-renewalperiod-tokens",
            "x-ratelimit-remaining-tokens",
            "x-ratelimit-type",
            "policy-id",
        ]
    ),
    TEXT,
)


@given(
    status=st.integers(0, 700) | st.sampled_from([200, 401, 429]),
    headers=HEADERS,
    body=BYTES | JSON.map(lambda value: orjson.dumps(value, default=str)),
)
def test_whatever_comes_there_is_a_verdict_and_its_wait_is_a_wait(status, headers, body):
    verdict = judge(Reply(status, headers, body))

    assert isinstance(verdict, Answered) <= (status == 200)
    if isinstance(verdict, Throttled):
        assert verdict.wait is None or 0 < verdict.wait < 3600
