"""Plain OpenAI answers as OpenAI does."""

import asyncio

import pytest

from batchrunner.simulator.plain import go_duration
from tests.simulator.talk import chat, plain, quick, simulator


async def test_an_answer_has_nothing_of_azure():
    heard = await plain(simulator(openai=quick()))

    assert heard.json["model"] == "gpt-4o-mini-2024-07-18"
    assert heard.json["service_tier"] == "default"
    assert "prompt_filter_results" not in heard.json
    assert not [name for name in heard.headers if "ms" in name.split("-")[:2]]
    assert heard.headers["x-request-id"].startswith("req_")


async def test_limits_are_told_a_minute_and_resets_as_durations():
    app = simulator(openai=quick(rpm=600, request_window=1, tpm=60_000))
    await plain(app)
    await asyncio.sleep(0.25)
    headers = (await plain(app)).headers

    assert headers["x-ratelimit-limit-requests"] == "600"
    assert headers["x-ratelimit-remaining-requests"] == "8"
    assert headers["x-ratelimit-reset-requests"] == "750ms"
    assert headers["x-ratelimit-reset-tokens"] == "59.75s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.012, "12ms"),
        (0.0121, "13ms"),
        (1, "1s"),
        (3.5, "3.5s"),
        (59.9999, "1m0s"),
        (360, "6m0s"),
        (3723.5, "1h2m3.5s"),
    ],
)
def test_durations_are_written_as_go_does(seconds, text):
    assert go_duration(seconds) == text


@pytest.mark.parametrize(
    ("call", "status", "code", "words"),
    [
        ({"key": "sk-abcdefgh12345678"}, 401, "invalid_api_key", "sk-abcde********5678"),
        ({"body": {"model": "gpt-9", **chat()}}, 404, "model_not_found", "`gpt-9`"),
        ({"body": chat()}, 400, None, "model parameter"),
        ({"method": "GET"}, 405, None, "GET"),
        ({"body": {"model": "gpt-4o", **chat("[[filter]]")}}, 400, "invalid_prompt", "flagged"),
    ],
)
async def test_what_is_wrong_is_told_as_openai_tells_it(call, status, code, words):
    app = simulator(openai=quick(deployments=["gpt-4o", "gpt-4o-mini"]))
    heard = await plain(app, call.pop("body", None), **call)

    assert (heard.status, heard.code) == (status, code)
    assert words in heard.message


@pytest.mark.parametrize(
    ("limits", "kind", "words"),
    [
        ({"rpm": 1}, "requests", "requests per min (RPM): Limit 1, Used 1, Requested 1."),
        ({"tpm": 130}, "tokens", "tokens per min (TPM): Limit 130, Used 123, Requested 123."),
    ],
)
async def test_a_used_up_limit_says_how_much(limits, kind, words):
    app = simulator(openai=quick(**limits))
    await plain(app)
    await asyncio.sleep(20)
    error = (await plain(app)).json["error"]

    assert (error["type"], error["code"]) == (kind, "rate_limit_exceeded")
    assert words in error["message"]
    assert "try again in 40s" in error["message"]


async def test_a_call_larger_than_the_limit_is_told_so_and_not_to_wait():
    app = simulator(openai=quick(tpm=1000))
    heard = await plain(app, {"model": "gpt-4o", **chat(max_tokens=5000)})

    assert heard.code == "rate_limit_exceeded"
    assert "Request too large for gpt-4o" in heard.message
    assert "Limit 1000, Requested 5003" in heard.message
    assert "retry-after" not in heard.headers


async def test_money_that_is_used_up_is_another_429():
    app = simulator(openai=quick(faults=[{"kind": "billing"}]))
    heard = await plain(app)

    assert (heard.status, heard.code) == (429, "insufficient_quota")
    assert "retry-after" not in heard.headers


async def test_a_scenario_without_openai_does_not_answer_for_it():
    assert (await plain(simulator(quick()))).status == 404
