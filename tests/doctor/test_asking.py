"""How little is asked, what is asked instead, and what that tells of schemas and limits."""

import pytest

from batchrunner.doctor.asking import MOST_CALLS, first, instead
from batchrunner.doctor.limits import Limits
from batchrunner.model import CHAT, EMBEDDINGS, RESPONSES, Fault, FaultKind
from tests.doctor.clinic import LIMITS, answer, asked, error, examined, place

NO_SCHEMA = error(
    400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported.", None
)
NO_BOUND = error(400, "Unrecognized request argument supplied: max_completion_tokens", None)
NO_ROOM = error(400, "Could not finish the message because max_tokens was reached.", None)


def bounds(calls):
    return [(call.ask.has_schema, call.ask.bound, call.ask.room) for call in calls]


def test_one_call_asks_for_everything():
    calls = asked(place(), answer())

    assert bounds(calls) == [(True, "max_completion_tokens", 256)]
    assert calls[0].ask.body["response_format"]["json_schema"]["strict"] is True


def test_what_an_old_service_refuses_is_left_out_one_by_one():
    calls = asked(place(), NO_BOUND, NO_SCHEMA, answer("ok"))

    assert bounds(calls) == [
        (True, "max_completion_tokens", 256),
        (True, "max_tokens", 256),
        (False, "max_tokens", 256),
    ]
    assert calls[2].ask.body.keys() == {"messages", "max_tokens"}


def test_a_model_that_needs_room_gets_it_once():
    calls = asked(place(), NO_ROOM, NO_ROOM, answer())

    assert [call.ask.room for call in calls] == [256, 2048]


def test_no_answer_can_make_it_ask_for_ever():
    ask, refusals = first(CHAT), 0
    everything = error(400, "response_format max_completion_tokens could not finish the message")
    while (ask := instead(ask, everything)) is not None:
        refusals += 1

    assert refusals == MOST_CALLS


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_only_a_refused_request_is_asked_in_another_way(status):
    assert instead(first(CHAT), error(status, "response_format")) is None
    assert instead(first(CHAT), Fault(FaultKind.TIMEOUT, "response_format")) is None
    assert instead(first(EMBEDDINGS), NO_SCHEMA) is None


def test_a_response_is_not_kept_by_the_service():
    body = first(RESPONSES).body

    assert (body["store"], body["text"]["format"]["type"]) == (False, "json_schema")
    assert first(EMBEDDINGS).body == {"input": "ok"}


SCHEMAS = {
    "follows it": ([answer()], "yes", ""),
    "ignores it": ([answer("Ok, here you are.")], "no", "does not follow it"),
    "cut off": ([answer("", finish="length")], "yes", "accepted; the answer was cut off"),
    "refused": ([NO_SCHEMA, answer("ok")], "no", "'json_schema' is not supported"),
    "refused, then throttled": ([NO_SCHEMA, error(429, "call rate limit")], "no", "json_schema"),
    "no bound, then fine": ([NO_BOUND, answer()], "yes", ""),
    "failed": ([error(503, "later")], "unknown", ""),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_an_answer_tells_of_schemas(name):
    outcomes, support, why = SCHEMAS[name]
    found = examined(place(), *outcomes)

    assert found.schema.support == support
    assert why in found.schema.why


def test_a_version_older_than_schemas_is_named_as_the_reason():
    found = examined(place(api_version="2024-06-01"), NO_SCHEMA, answer("ok"))

    assert (found.works, found.calls) == (True, 2)
    assert (
        found.schema.why
        == "AZURE_OPENAI_API_VERSION_1 2024-06-01 is older than 2024-08-01-preview"
    )


def test_limits_are_told_for_a_minute_whatever_their_window():
    limits = Limits.of(LIMITS)

    assert (limits.rpm, limits.tpm) == (600, 60000)
    assert (limits.requests_left, limits.tokens_left) == (99, 59700)
    assert limits.headers["x-ratelimit-reset-requests"] == "usable"
    assert limits.headers["x-ratelimit-renewalperiod-tokens"] == "absent"


def test_a_limit_without_a_window_is_a_minute_s():
    assert Limits.of({"x-ratelimit-limit-requests": "500"}).rpm == 500


USES = {
    "-1": "unusable (-1)",
    "nan": "unusable (nan)",
    "": "unusable ()",
    "\x1b[31m": "unusable ( [31m)",
    "9" * 99: f"unusable ({'9' * 24})",
    "12": "usable",
}


@pytest.mark.parametrize("text", USES)
def test_every_header_is_said_to_be_of_use_or_not(text):
    limits = Limits.of({"x-ratelimit-limit-tokens": text})

    assert limits.headers["x-ratelimit-limit-tokens"] == USES[text]
    assert limits.headers["x-ratelimit-limit-requests"] == "absent"
    assert (limits.tpm is None) is (text != "12")


def test_resets_may_be_seconds_or_durations_and_what_is_left_may_be_nothing():
    limits = Limits.of(
        {
            "x-ratelimit-reset-tokens": "6m0s",
            "x-ratelimit-reset-requests": "0s",
            "x-ratelimit-remaining-tokens": "0",
            "x-ratelimit-remaining-requests": "-1",
        }
    )

    assert [use for use in limits.headers.values() if use == "usable"] == ["usable"] * 3
    assert (limits.tokens_left, limits.requests_left) == (0, None)


SIGNS = {
    "spillover": (
        answer(headers={**LIMITS, "x-ms-spillover-from-ptu1": "true"}),
        "spillover: x-ms-spillover-from-ptu1",
    ),
    "another deployment": (
        answer(headers={**LIMITS, "x-ms-deployment-name": "standard"}),
        "deployment standard answered",
    ),
    "no limits": (answer(headers={}), "no limits advertised"),
    "provisioned": (error(429, "busy", retry_after_ms="300"), "provisioned throughput"),
}


@pytest.mark.parametrize("name", SIGNS)
def test_signs_of_spillover_and_of_provisioned_throughput(name):
    outcome, sign = SIGNS[name]

    assert [one for one in examined(place(), outcome).signs if sign in one]
    assert examined(place(), answer()).signs == ()
