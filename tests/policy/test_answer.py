"""What counts as an answer on each path, and what it says it used."""

import orjson
import pytest

from batchrunner.model import CHAT, EMBEDDINGS, RESPONSES, Usage
from batchrunner.policy.answer import usage_of
from batchrunner.policy.verdict import (
    Answered,
    Barred,
    Cause,
    Faulty,
    Oversized,
    Refused,
    Throttled,
    judge,
)
from tests.policy.builders import completion, error, reply

TEXT = {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}
VECTOR = {"object": "embedding", "index": 0, "embedding": [0.6, 0.8]}
TOO_OLD = "Azure OpenAI Responses API is enabled only for api-version 2025-03-01-preview and later"
NO_ROUTE = error("Resource not found", "404")


def response(status="completed", output=(TEXT,), **more):
    return {"object": "response", "status": status, "output": list(output), "model": "m", **more}


def failed(code, message="Sorry"):
    return reply(200, response("failed", (), error={"code": code, "message": message}))


def vectors(*data):
    return {"object": "list", "data": list(data), "model": "text-embedding-3-small"}


ANSWERS = {
    CHAT: [completion(content="Hi")],
    RESPONSES: [
        response(),
        response("incomplete", incomplete_details={"reason": "max_output_tokens"}),
        response("incomplete", incomplete_details={"reason": "content_filter"}),
        response("incomplete", ()),
        response(output=[{"type": "message", "content": [{"type": "refusal", "refusal": "No"}]}]),
    ],
    EMBEDDINGS: [
        vectors(VECTOR),
        vectors(VECTOR, VECTOR),
        vectors({"embedding": "mpkZP83MTD8="}),
    ],
}
ODD = {
    RESPONSES: [
        {},
        None,
        [],
        completion(content="Hi"),
        vectors(VECTOR),
        response("in_progress"),
        response("queued"),
        response("cancelled"),
        response(None),
        response(["completed"]),
        {"status": "completed"},
        {"status": "completed", "output": {"0": TEXT}},
    ],
    EMBEDDINGS: [
        {},
        None,
        completion(content="Hi"),
        response(),
        vectors(),
        vectors(VECTOR, {}),
        vectors(VECTOR, None),
        vectors({"embedding": []}),
        vectors({"embedding": ""}),
        vectors({"embedding": None}),
        {"data": VECTOR},
        {"data": "abc"},
    ],
    CHAT: [response(), vectors(VECTOR)],
}


def pairs(table):
    return [(path, body) for path, bodies in table.items() for body in bodies]


@pytest.mark.parametrize(("path", "body"), pairs(ANSWERS))
def test_an_answer_of_its_path(path, body):
    assert isinstance(judge(reply(200, body), path), Answered)


@pytest.mark.parametrize(("path", "body"), pairs(ODD))
def test_what_is_no_answer_of_its_path_is_the_regions_fault(path, body):
    verdict = judge(reply(200, body), path)

    assert isinstance(verdict, Faulty)
    assert verdict.outcome == "bad_payload"


@pytest.mark.parametrize(
    ("path", "words"),
    [(CHAT, "no chat completion"), (RESPONSES, "no response"), (EMBEDDINGS, "no embedding")],
)
def test_a_fault_says_what_was_missing(path, words):
    assert words in judge(reply(200, b"<html>"), path).message


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (failed("server_error"), Faulty("server_error", "Sorry")),
        (failed("vector_store_timeout"), Faulty("vector_store_timeout", "Sorry")),
        (
            failed("rate_limit_exceeded", "tokens per min (TPM): try again in 3s"),
            Throttled(Cause.TOKENS, 3, 3),
        ),
        (
            failed("rate_limit_exceeded", "Request too large for m"),
            Oversized("Request too large for m"),
        ),
        (failed("invalid_prompt"), Refused("invalid_prompt", "Sorry")),
        (failed(None), Refused("failed", "Sorry")),
    ],
)
def test_a_response_that_failed_is_judged_by_its_error(outcome, verdict):
    assert judge(outcome, RESPONSES) == verdict


def test_a_response_that_failed_without_an_error_is_refused():
    assert isinstance(judge(reply(200, response("failed", error=None)), RESPONSES), Refused)


@pytest.mark.parametrize(
    "outcome", [reply(400, error(TOO_OLD, "BadRequest")), reply(404, NO_ROUTE), reply(404)]
)
def test_a_region_whose_api_version_has_no_responses_is_out_and_says_what_to_do(outcome):
    verdict = judge(outcome, RESPONSES)

    assert isinstance(verdict, Barred)
    assert verdict.model_only
    assert "set AZURE_OPENAI_API_VERSION" in verdict.reason
    assert "2025-03-01-preview" in verdict.reason


@pytest.mark.parametrize("code", ["DeploymentNotFound", "model_not_found"])
def test_a_deployment_that_is_missing_is_no_matter_of_the_version(code):
    assert judge(reply(404, error("None", code)), RESPONSES) == Barred("404 None", model_only=True)


@pytest.mark.parametrize("path", [CHAT, EMBEDDINGS])
def test_other_paths_have_been_there_always(path):
    assert judge(reply(404, NO_ROUTE), path) == Barred("404 Resource not found", model_only=True)
    assert isinstance(judge(reply(400, error(TOO_OLD)), path), Refused)


@pytest.mark.parametrize(
    ("usage", "known"),
    [
        ({"input_tokens": 12, "output_tokens": 34}, Usage("m", 12, 34)),
        (
            {
                "input_tokens": 12,
                "input_tokens_details": {"cached_tokens": 8},
                "output_tokens": 34,
                "total_tokens": 46,
            },
            Usage("m", 12, 34, 8),
        ),
        ({"input_tokens": 5, "input_tokens_details": None}, Usage("m", 5)),
        ({"input_tokens": -1, "output_tokens": "x"}, Usage("m")),
        ({"prompt_tokens": 7, "total_tokens": 7}, Usage("m", 7)),
    ],
)
def test_usage_is_read_in_the_words_of_its_path(usage, known):
    assert usage_of({"model": "m", "usage": usage}) == known


def test_the_usage_of_an_answer_is_that_of_its_path():
    said = {"input_tokens": 3, "output_tokens": 4}
    embedded = vectors(VECTOR) | {"usage": {"prompt_tokens": 7, "total_tokens": 7}}

    assert judge(reply(200, response(usage=said)), RESPONSES) == Answered(Usage("m", 3, 4))
    assert judge(reply(200, embedded), EMBEDDINGS) == Answered(Usage("text-embedding-3-small", 7))


def test_nesting_is_only_odd():
    deep = b'{"data":' + b"[" * 1000 + b"]" * 1000 + b"}"

    assert isinstance(judge(reply(200, deep), EMBEDDINGS), Faulty)
    assert isinstance(judge(reply(200, orjson.dumps({"output": []})), RESPONSES), Faulty)
