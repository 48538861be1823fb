"""Responses and embeddings: where they are found, what they look like, what is refused."""

import base64
import math
import struct

import orjson
import pytest

from batchrunner.simulator import prompt_digest
from tests.simulator.talk import azure, plain, quick, simulator, v1
from tests.simulator.test_answers import SCHEMA

EMBEDDING = "text-embedding-3-small"
VERSION = "api-version=2025-04-01-preview"
TEXT = {"format": {"type": "json_schema", "name": "x", "strict": True, "schema": SCHEMA}}


def asks(given="Hello there", **more):
    return {"model": "gpt-4o-mini", "input": given, **more}


def embeds(given="Hello there", **more):
    return {"model": EMBEDDING, "input": given, **more}


async def respond(body=None, region=None, query=VERSION):
    app = simulator(quick(**region or {}))
    return await azure(app, body or asks(), path="/eastus/openai/responses", query=query)


async def embed(body=None, region=None):
    path = f"/eastus/openai/deployments/{EMBEDDING}/embeddings"
    return await azure(simulator(quick(**region or {})), body or embeds(), path=path)


def vectors(heard):
    return [item["embedding"] for item in heard.json["data"]]


# --- where they are


async def test_every_path_of_the_services_is_there():
    app = simulator(quick(), openai=quick())
    heard = [
        await respond(),
        await embed(),
        await v1(app, asks(), end="responses"),
        await v1(app, embeds(), end="embeddings"),
        await plain(app, asks(), end="responses"),
        await plain(app, embeds(), end="embeddings"),
    ]

    assert [one.status for one in heard] == [200] * 6
    assert [one.json["object"] for one in heard] == ["response", "list"] * 3


@pytest.mark.parametrize(
    "path",
    [
        "openai/deployments/gpt-4o-mini/responses",
        "openai/embeddings",
        "openai/chat/completions",
        "openai/v1/completions",
        "openai/v1",
        "openai",
        "openai/responses/",
    ],
)
async def test_there_are_no_others(path):
    heard = await azure(simulator(quick()), asks(), path=f"/eastus/{path}", query=VERSION)

    assert (heard.status, heard.message) == (404, "Resource not found")


@pytest.mark.parametrize(("api", "dated", "by_v1"), [("dated", 200, 404), ("v1", 404, 200)])
async def test_a_region_may_know_one_form_only(api, dated, by_v1):
    app = simulator(quick(api=api))
    path = "/eastus/openai/responses"

    assert (await azure(app, asks(), path=path, query=VERSION)).status == dated
    assert (await v1(app, asks(), end="responses")).status == by_v1


@pytest.mark.parametrize("version", ["2024-10-21", "2025-01-01-preview"])
async def test_an_old_version_has_no_responses(version):
    heard = await respond(query=f"api-version={version}")

    assert (heard.status, heard.code) == (400, "BadRequest")
    assert "2025-03-01-preview" in heard.message


async def test_the_deployment_of_a_response_is_named_in_its_body():
    region = {"deployments": {"mini": "gpt-4.1-mini"}}

    assert (await respond(asks(model="mini"), region)).json["model"] == "gpt-4.1-mini-2025-04-14"
    assert (await respond(asks(model="maxi"), region)).code == "DeploymentNotFound"
    assert (await respond({"input": "Hi"}, region)).status == 400


@pytest.mark.parametrize(
    ("end", "body"),
    [
        ("embeddings", embeds(model="gpt-4o-mini")),
        ("responses", asks(model=EMBEDDING)),
        ("chat/completions", {"model": EMBEDDING, "messages": [{"role": "user"}]}),
    ],
)
async def test_a_model_does_what_it_is_for(end, body):
    heard = await v1(simulator(quick()), body, end=end)

    assert (heard.status, heard.code) == (400, "OperationNotSupported")


# --- what they have in common with chat completions


async def test_they_share_the_quota_and_say_what_is_left():
    app = simulator(quick(rpm=3))
    first = await v1(app, asks(), end="responses")
    await v1(app, embeds(), end="embeddings")
    await v1(app)
    throttled = await v1(app, embeds(), end="embeddings")

    assert first.headers["x-ratelimit-remaining-requests"] == "2"
    assert throttled.status == 429
    assert "This request was for Embeddings_Create" in throttled.message
    assert "retry-after" in throttled.headers


async def test_they_are_charged_for_what_they_may_use():
    app = simulator(quick(answer_tokens=100))
    await v1(app, asks("x" * 400), end="responses")
    await v1(app, asks("x" * 400, max_output_tokens=20), end="responses")
    await v1(app, embeds("x" * 400), end="embeddings")

    assert app.statistics()["eastus"]["charged_tokens"] == 200 + 120 + 100


@pytest.mark.parametrize("end", ["responses", "embeddings"])
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"kind": "outage"}, 503),
        ({"kind": "error"}, 500),
        ({"kind": "capacity"}, 429),
        ({"kind": "filter", "marker": "Hello"}, 400),
        ({"kind": "missing"}, 404),
        ({"kind": "key"}, 401),
    ],
)
async def test_they_meet_the_same_faults(end, fault, status):
    body = asks() if end == "responses" else embeds()

    assert (await v1(simulator(quick(faults=[fault])), body, end=end)).status == status


async def test_too_long_is_too_long():
    heard = await embed(embeds("x" * 4000), {"context": 100})

    assert (heard.status, heard.code) == (400, "context_length_exceeded")
    assert heard.json["error"]["param"] == "input"


# --- responses


async def test_a_response_is_one_message_with_what_it_used():
    body = (await respond(asks("What is rain?", instructions="Be brief"))).json
    (message,) = body["output"]
    usage = body["usage"]

    assert body["status"] == "completed"
    assert body["id"].startswith("resp_")
    assert message["type"] == "message"
    assert message["content"][0]["type"] == "output_text"
    assert message["content"][0]["text"].startswith(prompt_digest("What is rain?"))
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["input_tokens_details"] == {"cached_tokens": 0}


async def test_the_last_message_of_the_user_is_what_is_answered():
    items = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "yes"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "second"}]},
        {"type": "function_call_output", "call_id": "1", "output": "x"},
    ]
    body = (await respond(asks(items))).json

    assert body["output"][0]["content"][0]["text"].startswith(prompt_digest("second"))


async def test_a_response_is_cut_off_at_its_limit():
    body = (await respond(asks(max_output_tokens=16), {"answer_tokens": 100})).json

    assert body["status"] == "incomplete"
    assert body["incomplete_details"] == {"reason": "max_output_tokens"}
    assert body["usage"]["output_tokens"] == 16


async def test_a_response_can_be_withheld():
    body = (await respond(asks("say [[filter-answer]]"))).json

    assert body["incomplete_details"] == {"reason": "content_filter"}
    assert body["output"][0]["content"] == []


async def test_a_schema_in_a_response_is_answered_with_json():
    body = (await respond(asks("shape it", text=TEXT))).json
    value = orjson.loads(body["output"][0]["content"][0]["text"])

    assert value["where"]["city"].startswith(prompt_digest("shape it"))


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "gpt-4o-mini"}, "input"),
        ({"model": "gpt-4o-mini", "messages": []}, "input"),
        (asks([]), "input"),
        (asks(5), "input"),
        (asks([{"role": "robot", "content": "x"}]), "input[0].role"),
        (asks(["x"]), "input[0].role"),
        (asks(max_output_tokens=15), "max_output_tokens"),
        (asks(stream=True), "stream"),
        (asks(background=True), "background"),
    ],
)
async def test_what_is_wrong_with_a_request_for_a_response(body, param):
    heard = await respond(body)

    assert (heard.status, heard.json["error"]["param"]) == (400, param)


# --- embeddings


async def test_vectors_depend_on_the_text_and_have_length_one():
    first, other, again = vectors(await embed(embeds(["Hello", "Goodbye", "Hello"])))

    assert first == again == vectors(await embed(embeds("Hello")))[0]
    assert first != other
    assert len(first) == 16
    assert math.hypot(*first) == pytest.approx(1)
    assert all(first)


async def test_an_embedding_uses_its_prompt_and_answers_nothing():
    body = (await embed(embeds("x" * 380))).json

    assert body["usage"] == {"prompt_tokens": 100, "total_tokens": 100}
    assert body["model"] == EMBEDDING
    assert [item["index"] for item in body["data"]] == [0]


@pytest.mark.parametrize("length", [1, 256, 3072])
async def test_dimensions_are_honoured(length):
    (vector,) = vectors(await embed(embeds(dimensions=length)))

    assert len(vector) == length
    assert math.hypot(*vector) == pytest.approx(1)


async def test_base64_holds_the_same_numbers():
    (packed,) = vectors(await embed(embeds(encoding_format="base64")))
    (plainly,) = vectors(await embed(embeds(encoding_format="float")))

    assert struct.unpack("<16f", base64.b64decode(packed)) == pytest.approx(plainly, abs=1e-7)


async def test_tokens_are_embedded_too():
    one, two = vectors(await embed(embeds([[1, 2], [3]])))

    assert one != two
    assert vectors(await embed(embeds([1, 2]))) == [one]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": EMBEDDING}, "input"),
        (embeds([]), "input"),
        (embeds(""), "input"),
        (embeds(["a", ""]), "input"),
        (embeds([[]]), "input"),
        (embeds([{"text": "a"}]), "input"),
        (embeds({"text": "a"}), "input"),
        (embeds(["a"] * 2049), "input"),
        (embeds(dimensions=0), "dimensions"),
        (embeds(dimensions=3073), "dimensions"),
        (embeds(encoding_format="hex"), "encoding_format"),
    ],
)
async def test_what_is_wrong_with_a_request_for_an_embedding(body, param):
    heard = await embed(body)

    assert (heard.status, heard.json["error"]["param"]) == (400, param)
