"""An Azure region answers as Azure does."""

import asyncio

import pytest

from batchrunner.simulator import prompt_digest
from tests.simulator.talk import azure, chat, quick, raw, simulator, v1


async def test_an_answer_has_the_shape_of_a_completion():
    body = (await azure(simulator(quick()), chat("Tell me about rain"))).json

    assert body["object"] == "chat.completion"
    assert body["model"] == "gpt-4o-mini-2024-07-18"
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["choices"][0]["message"]["role"] == "assistant"
    assert body["choices"][0]["content_filter_results"]["hate"]["filtered"] is False
    assert body["prompt_filter_results"][0]["prompt_index"] == 0
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == 0


async def test_an_answer_proves_which_prompt_it_answers():
    app = simulator(quick())
    prompts = [f"prompt {number}" for number in range(50)]
    heard = await asyncio.gather(*(azure(app, chat(prompt)) for prompt in prompts))

    for prompt, one in zip(prompts, heard, strict=True):
        assert one.text.startswith(f'{prompt_digest(prompt)} You asked: "{prompt}"')


async def test_both_forms_of_path_and_both_headers_are_known():
    app = simulator(quick())

    assert (await azure(app)).status == 200
    assert (await v1(app)).status == 200
    assert (await azure(app, key="", headers={"authorization": "Bearer k1"})).status == 200


@pytest.mark.parametrize(("api", "dated", "new"), [("dated", 200, 404), ("v1", 404, 200)])
async def test_a_region_may_know_one_form_only(api, dated, new):
    app = simulator(quick(api=api))

    assert ((await azure(app)).status, (await v1(app)).status) == (dated, new)


async def test_deployment_names_are_decoded():
    app = simulator(quick(deployments=["m 1/2%"]))

    assert (await azure(app, deployment="m%201%2F2%25")).status == 200


async def test_a_deployment_may_stand_for_a_model():
    app = simulator(quick(deployments={"chat": "gpt-4o"}))

    assert (await azure(app, deployment="chat")).json["model"] == "gpt-4o-2024-11-20"
    assert (await v1(app, {"model": "chat", **chat()})).json["model"] == "gpt-4o-2024-11-20"


@pytest.mark.parametrize(
    ("call", "status", "code", "words"),
    [
        ({"key": "wrong"}, 401, "401", "invalid subscription key"),
        ({"key": "", "headers": {"authorization": "Bearer norole"}}, 401, "PermissionDenied", ""),
        ({"key": "", "headers": {"authorization": "k1"}}, 401, "401", "invalid subscription key"),
        ({"deployment": "gpt-9"}, 404, "DeploymentNotFound", "does not exist"),
        ({"query": ""}, 404, "404", "Resource not found"),
        ({"method": "GET"}, 405, "405", "GET"),
        ({"body": b'{"messages": ['}, 400, None, "could not parse the JSON body"),
        ({"body": b"[]"}, 400, None, "expected an object"),
        ({"body": {}}, 400, "missing_required_parameter", "'messages'"),
        ({"body": {"messages": []}}, 400, "empty_array", "minimum length 1"),
        ({"body": {"messages": "hi"}}, 400, None, "expected an array"),
        ({"body": {"messages": [{"role": "boss"}]}}, 400, "invalid_value", "messages[0].role"),
        ({"body": chat(max_tokens=0)}, 400, "invalid_value", "max_tokens"),
        ({"body": chat(n="two")}, 400, "invalid_value", "'n'"),
        ({"body": chat(stream=True)}, 400, "unsupported_value", "stream"),
        ({"body": chat("please [[filter]] me")}, 400, "content_filter", "management policy"),
        ({"body": chat("[[too-long]]")}, 400, "context_length_exceeded", "Input tokens exceed"),
        ({"body": chat("x" * 4000)}, 400, "context_length_exceeded", "limit of 1000 tokens"),
    ],
)
async def test_what_is_wrong_is_told_as_azure_tells_it(call, status, code, words):
    app = simulator(quick(deployments=["gpt-4o-mini"], context=1000))
    heard = await azure(app, call.pop("body", None), **call)

    assert (heard.status, heard.code) == (status, code)
    assert words in heard.message


async def test_the_content_filter_says_what_it_saw():
    error = (await azure(simulator(quick()), chat("[[filter]]"))).json["error"]

    assert error["innererror"]["code"] == "ResponsibleAIPolicyViolation"
    assert error["innererror"]["content_filter_result"]["jailbreak"]["filtered"] is True
    assert (error["param"], error["status"]) == ("prompt", 400)


async def test_a_stale_token_is_told_without_an_error_object():
    heard = await azure(simulator(quick()), key="", headers={"authorization": "Bearer expired"})

    assert (heard.status, heard.json["statusCode"]) == (401, 401)
    assert "error" not in heard.json


@pytest.mark.parametrize(("entra", "status"), [(True, 200), (False, 401)])
async def test_tokens_are_accepted_where_the_scenario_says_so(entra, status):
    heard = await azure(
        simulator(quick(entra=entra)), key="", headers={"authorization": "Bearer eyJ0"}
    )

    assert heard.status == status


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (chat(max_tokens=5), "unsupported_parameter", "max_tokens"),
        (chat(temperature=0), "unsupported_value", "temperature"),
    ],
)
async def test_reasoning_models_refuse_what_they_do_not_know(body, code, param):
    error = (await azure(simulator(quick()), body, deployment="o4-mini")).json["error"]

    assert (error["code"], error["param"]) == (code, param)
    assert (await azure(simulator(quick()), body)).status == 200


async def test_an_unknown_region_or_path_is_not_found():
    app = simulator(quick())

    assert (await azure(app, region="mars")).status == 404
    assert (await raw(app, "/eastus/openai/images", b"", {"api-key": "k1"})).status == 404
    assert (await raw(app, "/", b"", {})).status == 404


# Limits


async def test_every_answer_tells_the_limits_in_bare_seconds():
    app = simulator(quick(rpm=600, tpm=60_000, request_window=10))
    await azure(app)
    await asyncio.sleep(4)
    heard = await azure(app, chat("x" * 400, max_tokens=1000))

    told = {k: v for k, v in heard.headers.items() if k.startswith("x-ratelimit-")}
    first = 3 + 120  # the prompt's characters / 4 and a typical answer
    assert told == {
        "x-ratelimit-limit-requests": "100",
        "x-ratelimit-remaining-requests": "98",
        "x-ratelimit-reset-requests": "6",
        "x-ratelimit-renewalperiod-requests": "10",
        "x-ratelimit-limit-tokens": "60000",
        "x-ratelimit-remaining-tokens": str(60_000 - first - 1100),
        "x-ratelimit-reset-tokens": "56",
        "x-ratelimit-renewalperiod-tokens": "60",
    }


async def test_other_headers_are_azures_own():
    headers = (await azure(simulator(quick(location="East US 2")))).headers

    assert headers["x-ms-region"] == "East US 2"
    assert len(headers["x-request-id"]) == len(headers["apim-request-id"]) == 36
    assert headers["content-type"] == "application/json"
    assert headers["date"] == "Thu, 01 Jan 2026 00:00:00 GMT"


@pytest.mark.parametrize(("mode", "count"), [("all", 8), ("limits", 2), ("none", 0)])
async def test_a_region_may_tell_less_about_its_limits(mode, count):
    heard = await azure(simulator(quick(rpm=10, tpm=1000, headers=mode)))

    assert sum(name.startswith("x-ratelimit-") for name in heard.headers) == count


async def test_a_region_without_limits_tells_none():
    heard = await azure(simulator(quick()))

    assert not [name for name in heard.headers if name.startswith("x-ratelimit-")]


async def throttled(at=20.0, **region):
    """What the second call hears, so many seconds after the first one used up the minute."""
    region = {"rpm": 1} | region
    app = simulator(quick(**region))
    assert (await azure(app)).status == 200
    await asyncio.sleep(at)
    heard = await azure(app)
    assert heard.status == 429
    return heard


async def test_a_throttled_call_hears_when_to_come_again():
    heard = await throttled(at=20.25)

    assert heard.headers["retry-after"] == "40"
    assert heard.headers["retry-after-ms"] == "39750"
    assert heard.headers["x-ratelimit-remaining-requests"] == "0"
    assert heard.headers["x-ratelimit-reset-requests"] == "40"
    assert heard.headers["x-ratelimit-type"] == "Requests"


async def test_coming_again_when_told_is_early_enough():
    app = simulator(quick(rpm=1, counting="sliding"))
    await azure(app)
    await asyncio.sleep(7.123)
    told = int((await azure(app)).headers["retry-after-ms"]) / 1000
    await asyncio.sleep(told - 0.01)
    assert (await azure(app)).status == 429
    await asyncio.sleep(0.01)

    assert (await azure(app)).status == 200


@pytest.mark.parametrize(
    ("style", "axis", "code", "words"),
    [
        ("current", "requests", "RateLimitReached", "exceeded the call rate limit for your"),
        ("current", "tokens", "RateLimitReached", "exceeded the token rate limit for your"),
        ("old", "requests", "429", "have exceeded call rate limit of your current OpenAI S0"),
        ("old", "tokens", "429", "have exceeded token rate limit of your current OpenAI S0"),
        ("short", "tokens", "429", "Rate limit is exceeded. Try again in 40 seconds."),
    ],
)
async def test_a_429_is_worded_as_the_region_does(style, axis, code, words):
    limits = {"rpm": 1} if axis == "requests" else {"rpm": 100, "tpm": 200}
    heard = await throttled(body=style, **limits)

    assert heard.code == code
    assert words in heard.message
    assert "40 seconds" in heard.message


async def test_a_429_may_say_nothing():
    heard = await throttled(body="empty")

    assert heard.body == b""
    assert heard.headers["content-length"] == "0"


@pytest.mark.parametrize(
    ("policy", "after", "milliseconds"),
    [
        ("none", None, None),
        ("minus-one", "-1", "-1"),
        ("date", "Thu, 01 Jan 2026 00:01:00 GMT", None),
        (1, "1", "0"),
        (86400, "86400", "86400000"),
    ],
)
async def test_retry_after_may_lie(policy, after, milliseconds):
    headers = (await throttled(retry_after=policy)).headers

    assert (headers.get("retry-after"), headers.get("retry-after-ms")) == (after, milliseconds)


async def test_a_call_larger_than_the_limit_is_told_to_come_tomorrow():
    heard = await azure(simulator(quick(tpm=100)), chat(max_tokens=1000))

    assert (heard.status, heard.headers["retry-after"]) == (429, "86400")
    assert "86400 seconds" in heard.message


async def test_tokens_are_charged_for_every_choice_whether_used_or_not():
    app = simulator(quick(tpm=1000))
    body = chat("x" * 400, max_tokens=100, n=3)  # 100 + 3 * 100

    assert (await azure(app, body)).headers["x-ratelimit-remaining-tokens"] == "600"
    assert (await azure(app, body)).headers["x-ratelimit-remaining-tokens"] == "200"
    assert (await azure(app, body)).status == 429


@pytest.mark.parametrize(("refund", "second"), [(True, 200), (False, 429)])
async def test_what_was_not_used_comes_back_where_the_scenario_says_so(refund, second):
    app = simulator(quick(tpm=1000, refund=refund, answer_tokens=20))
    body = chat(max_tokens=700)

    assert [(await azure(app, body)).status for _ in range(2)] == [200, second]


async def test_a_refused_call_is_not_charged_but_a_filtered_one_is():
    app = simulator(quick(rpm=2))
    await azure(app, key="wrong")
    await azure(app, b"{")
    assert (await azure(app, chat("[[filter]]"))).status == 400
    assert (await azure(app)).status == 200

    assert (await azure(app)).status == 429


async def test_regions_of_one_group_share_one_quota():
    both = [
        {"name": name, "key": "k1", "rpm": 2, "quota_group": "pool", **quick()}
        for name in ("eastus", "westus")
    ]
    app = simulator(regions=both)
    statuses = [(await azure(app, region=name)).status for name in ("eastus", "westus", "eastus")]

    assert statuses == [200, 200, 429]


async def test_regions_without_a_group_have_their_own():
    both = [{"name": name, "key": "k1", "rpm": 1, **quick()} for name in ("eastus", "westus")]
    app = simulator(regions=both)

    assert [(await azure(app, region=n)).status for n in ("eastus", "westus")] == [200, 200]


async def test_more_calls_at_once_than_a_region_stands_are_told_of_high_demand():
    app = simulator({"concurrency": 2})
    heard = await asyncio.gather(*(azure(app, chat(str(n))) for n in range(3)))

    assert [one.status for one in heard] == [200, 200, 429]
    assert "high demand" in heard[2].message
    assert heard[2].headers["retry-after"] == "20"
    assert app.statistics()["eastus"]["throttled"]["capacity"] == 1
