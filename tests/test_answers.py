"""What is wrong with an answer, told apart; and how it is said to the model."""

import orjson
import pytest

from batchrunner.answers import LONGEST_MESSAGE, Answers
from batchrunner.model import Job

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "since": {"type": "string", "format": "date"},
        "n/a": {"type": "array", "items": {"type": "integer", "maximum": 9}},
    },
    "required": ["city"],
    "additionalProperties": False,
}
ANSWERS = Answers(SCHEMA)
GOOD = '{"city":"Bonn"}'


def choice(text=GOOD, finish="stop", refusal=None):
    return {"message": {"content": text, "refusal": refusal}, "finish_reason": finish}


def chat(*choices):
    return orjson.dumps({"choices": list(choices), "model": "m"})


def response(text=GOOD, reason=None, refusal=None):
    parts = [{"type": "output_text", "text": half} for half in (text[:4], text[4:])]
    if refusal is not None:
        parts = [{"type": "refusal", "refusal": refusal}]
    return orjson.dumps(
        {
            "status": "incomplete" if reason else "completed",
            "incomplete_details": reason and {"reason": reason},
            "output": [
                {"type": "reasoning", "summary": [{"text": "not the answer"}]},
                {"type": "message", "content": parts},
            ],
        }
    )


SHAPES = pytest.mark.parametrize("shape", [lambda text: chat(choice(text)), response])


@SHAPES
@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f" \n{GOOD}\n",
        '{"city":"Bonn","since":"2024-02-29","n/a":[1,2.0]}',
        '{"city":"Köln","city":"Bonn"}',
    ],
)
def test_good_answers(shape, text):
    assert ANSWERS.complaint(shape(text)) is None


@SHAPES
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it holds no text"),
        (" \n", "it holds no text"),
        ("Bonn", "it is not JSON"),
        (GOOD + GOOD, "it is not JSON"),
        (f"```json\n{GOOD}\n```", "it is not JSON"),
        (GOOD[:-1], "it is not JSON"),
        ('{"city":NaN}', "it is not JSON"),
        ('{"city":1e999}', "it is not JSON"),
        ("[" * 5000 + "]" * 5000, "it is not JSON"),
        ("null", 'at its root: null is not of type "object"'),
        ("{}", 'at its root: "city" is a required property'),
        ('{"city":null}', '/city: null is not of type "string"'),
        ('{"city":"","since":"2023-02-29"}', '/since: "2023-02-29" is not a "date"'),
        ('{"city":"","n/a":[1,10]}', "/n~1a/1: 10 is greater than the maximum of 9"),
        ('{"city":"","n/a":[1e30]}', "is greater than the maximum of 9"),
        ('{"city":"","n/a":[123456789012345678901]}', "is greater than the maximum of 9"),
        ('{"city":"","x":1}', "Additional properties are not allowed ('x' was unexpected)"),
    ],
)
def test_an_answer_that_breaks_the_schema(shape, text, message):
    complaint = ANSWERS.complaint(shape(text))

    assert complaint.code == "invalid_output"
    assert message in complaint.message
    assert complaint.answer == (text if text.strip() else "")
    assert not complaint.is_final


def test_only_the_first_errors_are_said_and_none_at_length():
    text = orjson.dumps({"city": "", "n/a": ["x" * 5000] * 9}).decode()

    complaint = ANSWERS.complaint(chat(choice(text)))

    assert complaint.message.count("/n~1a/") == 3
    assert len(complaint.message) < 3 * 230
    assert len(complaint.failure.message) <= LONGEST_MESSAGE


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (chat(choice(None, refusal="I will not.")), "refusal"),
        (chat(choice(refusal="I will not.")), "refusal"),
        (chat(choice('{"city":"Bo', "length")), "truncated"),
        (chat(choice(GOOD, "length")), "truncated"),
        (chat(choice(None, "content_filter")), "filtered"),
        (response(refusal="I will not."), "refusal"),
        (response('{"city":"Bo', "max_output_tokens"), "truncated"),
        (response("", "content_filter"), "filtered"),
    ],
)
def test_what_asking_again_does_not_cure_is_final(body, code):
    complaint = ANSWERS.complaint(body)

    assert complaint.code == complaint.failure.code == code
    assert complaint.is_final
    assert not complaint.failure.retryable


def test_every_choice_must_be_valid_and_what_is_final_is_told_first():
    assert ANSWERS.complaint(chat(choice(), choice())) is None
    assert ANSWERS.complaint(chat(choice(), choice("{}"))).answer == "{}"
    assert ANSWERS.complaint(chat(choice("1"), choice("2"))).answer == "1"
    assert ANSWERS.complaint(chat(choice("1"), choice(finish="length"))).code == "truncated"


def test_embeddings_are_never_checked():
    body = {"object": "list", "data": [{"embedding": [0.1]}], "model": "m"}

    assert ANSWERS.complaint(orjson.dumps(body)) is None


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [None]},
        {"choices": [{"message": 5}]},
        {"choices": [choice(["parts"])]},
        {"output": []},
        {"output": [5, {"type": "message", "content": "x"}], "incomplete_details": 7},
        {"output": [{"type": "message", "content": [5, {"text": 7}]}]},
    ],
)
def test_odd_shapes_hold_no_text(body):
    assert ANSWERS.complaint(orjson.dumps(body)).message == "it holds no text"


def test_a_refusal_is_written_on_one_line():
    complaint = ANSWERS.complaint(chat(choice(None, refusal="No.\n\x1b[2JNo.")))

    assert complaint.failure.message.isprintable()


# --- again


def asked(body, text="{}"):
    job = Job(3, "f" * 16, "a", "/chat/completions", "m", orjson.dumps(body), 9, 12)
    made = ANSWERS.complaint(chat(choice(text))).again(job)
    assert (made.ordinal, made.fingerprint, made.id, made.model) == (3, "f" * 16, "a", "m")
    assert made.answer_tokens == 9
    assert made.prompt_tokens is None  # it was counted for the shorter prompt
    return orjson.loads(made.body)


def test_the_answer_and_what_is_wrong_stand_behind_the_messages():
    body = {"messages": [{"role": "user", "content": "Where?"}], "temperature": 0}

    made = asked(body)

    assert made["temperature"] == 0
    first, said, correction = made["messages"]
    assert first == body["messages"][0]
    assert said == {"role": "assistant", "content": "{}"}
    assert correction["role"] == "user"
    assert '"city" is a required property' in correction["content"]


@pytest.mark.parametrize("given", ["Where?", [{"role": "user", "content": "Where?"}]])
def test_so_they_do_behind_the_input_of_a_response(given):
    made = asked({"input": given})

    assert made["input"][0] == {"role": "user", "content": "Where?"}
    assert [one["role"] for one in made["input"]] == ["user", "assistant", "user"]


def test_an_answer_without_text_is_not_repeated():
    made = asked({"messages": [{"role": "user", "content": "Where?"}]}, " ")

    assert [one["role"] for one in made["messages"]] == ["user", "user"]


def test_a_schema_is_compiled_without_fetching_anything():
    with pytest.raises(ValueError, match="nothing is fetched"):
        Answers({"$ref": "http://127.0.0.1:9/x"})
