"""Lines for chat completions, responses and embeddings: with a url, and with --endpoint."""

import orjson
import pytest

from batchrunner.inputs.defaults import Defaults
from batchrunner.inputs.jsonl import BadLine, parse
from batchrunner.model import CHAT, EMBEDDINGS, RESPONSES, Job, Usage
from batchrunner.policy.estimate import Estimate

HELLO = [{"role": "user", "content": "Hello"}]
INPUT = {CHAT: {"messages": HELLO}, RESPONSES: {"input": "Hello"}, EMBEDDINGS: {"input": "Hello"}}
ALL = Defaults("m", system="Be brief.", temperature=0.5, max_tokens=9)


def made(line, defaults=Defaults("m")):  # noqa: B008  # frozen
    found = parse(orjson.dumps(line), 0, defaults)
    assert isinstance(found, Job), found
    return found.path, orjson.loads(found.body), found.answer_tokens


def reason(line, defaults=Defaults("m")):  # noqa: B008  # frozen
    found = parse(orjson.dumps(line), 0, defaults)
    assert isinstance(found, BadLine), found
    return found.reason


def batch(url, body):
    return {"custom_id": "a", "method": "POST", "url": url, "body": body}


@pytest.mark.parametrize("path", INPUT)
@pytest.mark.parametrize("version", ["", "/v1"])
def test_a_batch_line_says_by_its_url_what_it_asks_for(path, version):
    for other in INPUT:  # whatever the others ask for
        found = made(batch(version + path, INPUT[path]), Defaults("m", path=other))

        assert found == (path, INPUT[path], 0 if path == EMBEDDINGS else None)


@pytest.mark.parametrize(
    ("path", "line", "body"),
    [
        (CHAT, {"prompt": "Hello"}, {"messages": HELLO}),
        (RESPONSES, {"prompt": "Hello"}, {"input": HELLO}),
        (RESPONSES, {"input": "Hello", "store": False}, {"input": "Hello", "store": False}),
        (RESPONSES, {"input": HELLO}, {"input": HELLO}),
        (EMBEDDINGS, {"prompt": "Hello"}, {"input": "Hello"}),
        (EMBEDDINGS, {"prompt": "a", "dimensions": 8}, {"input": "a", "dimensions": 8}),
        (EMBEDDINGS, {"input": ["a", "b"]}, {"input": ["a", "b"]}),
        (EMBEDDINGS, {"input": [1, 2]}, {"input": [1, 2]}),
        (EMBEDDINGS, {"input": [[1], [2, 3]]}, {"input": [[1], [2, 3]]}),
    ],
    ids=str,
)
def test_other_lines_ask_for_what_the_settings_say(path, line, body):
    found = made({"id": "a", "model": "n", **line}, Defaults(path=path))

    assert found[:2] == (path, body)


@pytest.mark.parametrize(
    ("line", "filled", "tokens"),
    [
        ({"input": "a"}, {"instructions": "Be brief.", "max_output_tokens": 9}, 9),
        ({"input": HELLO, "max_output_tokens": 3}, {"instructions": "Be brief."}, 3),
        ({"input": HELLO, "instructions": "Be long."}, {"max_output_tokens": 9}, 9),
        (
            {"input": [{"role": "developer", "content": "Be long."}, *HELLO]},
            {"max_output_tokens": 9},
            9,
        ),
    ],
    ids=str,
)
def test_settings_fill_a_response_under_its_own_names(line, filled, tokens):
    expected = {**line, **filled, "temperature": 0.5}

    assert made(batch(RESPONSES, line), ALL) == (RESPONSES, expected, tokens)


def test_settings_of_answers_mean_nothing_to_embeddings():
    assert made(batch(EMBEDDINGS, {"input": "a"}), ALL) == (EMBEDDINGS, {"input": "a"}, 0)


def test_an_answer_of_no_tokens_is_known_to_have_none():
    estimate = Estimate()
    job = parse(orjson.dumps(batch(EMBEDDINGS, {"input": "a" * 400})), 0, Defaults("m"))
    estimate.learn(job, Usage("m", 100, 0))

    assert estimate.usage(job).completion == 0
    assert estimate.tokens(job) < 110


BAD = [
    (RESPONSES, {}, "body.input is missing: it must be a text, or a list"),
    (RESPONSES, {"input": ""}, "body.input must be a text, or a list of at least one item; it is"),
    (RESPONSES, {"input": []}, "body.input must be a text, or a list of at least one item; it is"),
    (RESPONSES, {"messages": HELLO}, "body.input is missing"),
    (RESPONSES, {"input": "a", "stream": True}, "body.stream must be false or left out"),
    (RESPONSES, {"input": "a", "background": True}, "body.background must be false or left out"),
    (
        RESPONSES,
        {"input": "a", "previous_response_id": "r"},
        "body.previous_response_id must be left out: one region keeps what it names",
    ),
    (RESPONSES, {"input": "a", "conversation": {"id": "c"}}, "body.conversation must be left out"),
    (RESPONSES, {"input": "a", "max_output_tokens": 0}, "body.max_output_tokens must be a whole"),
    (RESPONSES, {"input": "a", "text": "b"}, "body.text must be an object"),
    (RESPONSES, {"input": "a", "api_key": "k"}, "body.api_key is no request field"),
    (RESPONSES, [1], "body must be an object with input; it is a list"),
    (EMBEDDINGS, {"input": ["a", ""]}, "body.input must be a text, or a list of texts or of"),
    (EMBEDDINGS, {"input": ["a", 1]}, "body.input must be a text, or a list of texts or of"),
    (EMBEDDINGS, {"input": [[]]}, "body.input must be a text, or a list of texts or of tokens"),
    (EMBEDDINGS, {"input": [True]}, "body.input must be a text, or a list of texts or of tokens"),
    (EMBEDDINGS, {"input": [{"a": 1}]}, "body.input must be a text, or a list of texts or of"),
    (EMBEDDINGS, {"input": "a", "dimensions": 0}, "body.dimensions must be a whole number"),
    (EMBEDDINGS, {"input": "a", "encoding_format": "x"}, 'body.encoding_format must be "float"'),
    (CHAT, {"input": "a"}, "body.messages is missing"),
]


@pytest.mark.parametrize(("path", "body", "why"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_a_body_that_its_endpoint_cannot_take_is_told_why(path, body, why):
    assert reason(batch(path, body)).startswith(why)


@pytest.mark.parametrize(
    ("path", "line", "why"),
    [
        (CHAT, {"input": "a"}, "has input and no messages: say with --endpoint"),
        (EMBEDDINGS, {"messages": HELLO}, "has messages and no input: say with --endpoint"),
        (CHAT, {"title": "a"}, "has neither messages, nor prompt, nor body"),
        (RESPONSES, {"title": "a"}, "has neither input, nor prompt, nor body"),
    ],
    ids=str,
)
def test_a_line_without_anything_to_ask_says_what_could_be_done(path, line, why):
    found = reason(line, Defaults("m", path=path))

    assert found.startswith(why)
    assert "--prompt" in found or "--endpoint" in found
