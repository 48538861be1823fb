"""What answers say, how long they are, and that they do not change."""

import asyncio

import jsonschema_rs
import orjson
import pytest

from batchrunner.simulator import prompt_digest
from batchrunner.simulator.shapes import Shaper
from batchrunner.simulator.text import answer
from tests.simulator.talk import azure, chat, quick, simulator


@pytest.mark.parametrize("tokens", [1, 2, 5, 20, 1000, 50_000])
def test_the_digest_is_there_however_short_the_answer(tokens):
    text = answer("What is rain?", tokens)

    assert text.startswith(prompt_digest("What is rain?"))
    assert abs(len(text) - tokens * 4) <= 8


def test_lone_surrogates_and_the_empty_prompt_have_answers_too():
    assert answer("\ud800", 50).startswith(prompt_digest("\ud800"))
    assert answer("", 50).startswith(prompt_digest(""))


async def test_max_tokens_cuts_an_answer_off():
    heard = await azure(simulator(quick(answer_tokens=100)), chat(max_tokens=10))

    assert heard.json["choices"][0]["finish_reason"] == "length"
    assert heard.json["usage"]["completion_tokens"] == 10
    assert len(heard.text) <= 40


async def test_max_completion_tokens_does_the_same():
    heard = await azure(simulator(quick()), chat(max_completion_tokens=10))

    assert heard.json["usage"]["completion_tokens"] == 10


async def test_n_answers_are_given_and_paid():
    body = (await azure(simulator(quick()), chat(n=3, max_tokens=50))).json

    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
    assert len({choice["message"]["content"] for choice in body["choices"]}) == 3
    assert body["usage"]["completion_tokens"] == 150


async def test_the_last_user_message_is_what_is_answered():
    messages = [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": [{"type": "text", "text": "second"}]},
        {"role": "assistant", "content": None},
    ]
    heard = await azure(simulator(quick()), {"messages": messages})

    assert heard.text.startswith(prompt_digest("second"))


async def test_long_prompts_are_cached_now_and_then():
    app = simulator(quick())
    cached = set()
    for number in range(20):
        body = chat(f"{number} " + "x" * 8000)
        usage = (await azure(app, body)).json["usage"]
        cached.add(usage["prompt_tokens_details"]["cached_tokens"])

    assert len(cached) == 2
    assert max(cached) % 128 == 0


async def story(seed):
    """Everything that is heard, with the moment it was heard."""
    app = simulator({"faults": [{"kind": "error", "rate": 0.3}]}, seed=seed)
    loop = asyncio.get_running_loop()
    begun = loop.time()

    async def one(prompt):
        heard = await azure(app, chat(prompt))
        return prompt, loop.time() - begun, heard.status, heard.body

    return await asyncio.gather(*(one(f"p{number % 20}") for number in range(40)))


async def test_the_same_seed_tells_the_same_story():
    first, second, other = await story(1), await story(1), await story(2)

    for one, again in zip(first, second, strict=True):
        assert one[1] == pytest.approx(again[1], abs=1e-9)
        assert (one[0], one[2]) == (again[0], again[2])
    assert [one[2] for one in first] != [one[2] for one in other]
    assert 200 in [one[2] for one in first]
    assert 500 in [one[2] for one in first]


async def test_the_same_body_has_another_fate_the_next_time():
    app = simulator({"faults": [{"kind": "error", "rate": 0.5}]})
    statuses = {(await azure(app)).status for _ in range(20)}

    assert statuses == {200, 500}


async def test_answers_take_as_long_as_the_model_is_slow():
    loop, seconds = asyncio.get_running_loop(), {}
    for speed in (1, 10):
        app = simulator({"latency": {"speed": speed}})
        begun = loop.time()
        for number in range(100):
            await azure(app, chat(f"{number}"))
        seconds[speed] = (loop.time() - begun) / 100

    assert 2 < seconds[1] < 5  # 0.6 s and 120 tokens at 59 a second, and some that are slow
    assert seconds[10] == pytest.approx(seconds[1] / 10)


async def test_a_busy_region_is_slower():
    loop, seconds = asyncio.get_running_loop(), []
    for calls in (4, 10):
        app = simulator(
            {"concurrency": 10, "latency": {"median": 1, "sigma": 0, "slow_rate": 0, "spread": 0}}
        )
        begun = loop.time()
        await asyncio.gather(*(azure(app, chat(str(n), max_tokens=1)) for n in range(calls)))
        seconds.append(loop.time() - begun)

    assert seconds[1] == pytest.approx(seconds[0] * 2, rel=0.05)


async def test_an_answer_can_be_withheld_and_is_paid_all_the_same():
    body = (await azure(simulator(quick()), chat("say [[filter-answer]]"))).json

    assert body["choices"][0]["finish_reason"] == "content_filter"
    assert body["choices"][0]["message"]["content"] is None
    assert body["usage"]["completion_tokens"] > 0


# JSON schemas

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "count": {"type": "integer", "minimum": 3},
        "sure": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 3},
        "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
        "where": {"$ref": "#/$defs/place"},
        "maybe": {"type": ["string", "null"]},
        "day": {"type": "string", "format": "date"},
        "fixed": {"const": 7},
    },
    "required": ["name", "kind", "score", "count", "sure", "tags", "next", "where", "maybe"],
    "additionalProperties": False,
    "$defs": {"place": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def make(schema, number=0, digest="s"):
    return Shaper(schema, digest, number).make()


def test_a_value_fits_its_schema():
    value = make(SCHEMA, digest="0a1b2c3d")

    assert list(value) == SCHEMA["required"]
    assert len(value["name"]) <= 20
    assert isinstance(value["count"], int)
    assert isinstance(value["sure"], bool)
    assert len(value["tags"]) >= 3
    assert value["where"]["city"].startswith("0a1b2c3d")
    assert isinstance(value["maybe"], str)


def test_recursion_ends():
    value, depth = make(SCHEMA), 0
    while value["next"] is not None:
        value, depth = value["next"], depth + 1

    assert depth < 10


def test_a_schema_that_never_ends_is_left_unfinished():
    assert make({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]})


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, "s answer"),
        ({"type": "null"}, None),
        ({"const": 0}, 0),
        ({"type": "integer", "exclusiveMinimum": 4, "maximum": 5}, 5),
        ({"type": "integer", "minimum": 1.5, "maximum": 2.5}, 2),
        ({"type": "string", "minLength": 12}, "s answer...."),
        ({"type": "string", "format": "date"}, "2026-01-31"),
        ({"type": "array", "items": {"type": "null"}, "maxItems": 1}, [None]),
        ({"type": "array", "maxItems": 0}, []),
        ({"allOf": [{"type": "object"}, {"properties": {"a": {"const": 1}}}]}, {"a": 1}),
        ({"$ref": "#/$defs/none"}, "s answer"),
        ({"$ref": "#"}, "s answer"),
    ],
)
def test_small_schemas(schema, value):
    assert make(schema) == value


KEYWORDS = [
    SCHEMA,
    {"type": "integer", "minimum": 1, "maximum": 5},
    {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 2},
    {"type": "integer", "minimum": -7.5, "multipleOf": 5},
    {"type": "integer", "maximum": -3},
    {"type": "integer", "exclusiveMaximum": -3},
    {"type": "number", "minimum": 0, "maximum": 1},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001},
    {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "multipleOf": 0.25},
    {"type": "number", "maximum": -1000},
    {"type": "boolean"},
    {"enum": ["a", 1, None, {"b": []}]},
    {"type": "string", "minLength": 30, "maxLength": 31},
    {"type": "string", "maxLength": 3},
    {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True, "minItems": 2},
    {"prefixItems": [{"type": "integer"}, {"type": "null"}], "items": False, "minItems": 2},
    {"items": {"type": "number"}, "minItems": 5, "maxItems": 6},
    {"type": ["integer", "null"], "minimum": 3},
    {
        "type": "object",
        "properties": {"kind": {"const": "x"}},
        "required": ["kind", "size"],
        "anyOf": [{"properties": {"size": {"type": "integer", "minimum": 9}}}],
    },
    *(
        {"type": "string", "format": name}
        for name in ("date", "date-time", "time", "email", "hostname", "ipv4", "ipv6", "uuid")
    ),
]


@pytest.mark.parametrize("schema", KEYWORDS, ids=orjson.dumps)
def test_whatever_is_made_conforms(schema):
    validator = jsonschema_rs.validator_for(schema, validate_formats=True)

    for number in range(200):
        value = make(schema, number)
        assert validator.is_valid(value), value


@pytest.mark.parametrize(
    ("schema", "least"),
    [
        ({"enum": ["a", "b", "c"]}, 3),
        ({"type": "boolean"}, 2),
        ({"type": "integer", "minimum": 1, "maximum": 5}, 5),
        ({"type": "number", "minimum": 0, "maximum": 1}, 50),
        ({"type": "array", "items": {"type": "null"}}, 3),
    ],
)
def test_what_is_chosen_varies_and_every_choice_comes(schema, least):
    made = [orjson.dumps(make(schema, number)) for number in range(200)]

    assert len(set(made)) >= least
    if least < 10:
        assert max(map(made.count, made)) < 200 / least * 2
    assert made == [orjson.dumps(make(schema, number)) for number in range(200)]


async def test_a_schema_in_the_request_is_answered_with_json():
    form = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}
    heard = await azure(simulator(quick()), chat("shape it", response_format=form))

    value = orjson.loads(heard.text)
    assert value["where"]["city"].startswith(prompt_digest("shape it"))
    assert heard.json["choices"][0]["finish_reason"] == "stop"


async def test_any_json_is_an_object():
    heard = await azure(simulator(quick()), chat("j", response_format={"type": "json_object"}))

    assert orjson.loads(heard.text)["answer"].startswith(prompt_digest("j"))


async def test_json_that_is_longer_than_allowed_is_cut_off():
    form = {"type": "json_object"}
    heard = await azure(simulator(quick()), chat("j", response_format=form, max_tokens=2))

    assert heard.json["choices"][0]["finish_reason"] == "length"
    assert len(heard.text) == 8
