"""Prompts that ask for an answer that is no good."""

import jsonschema_rs
import orjson
import pytest

from tests.simulator.talk import azure, chat, quick, simulator, v1
from tests.simulator.test_answers import SCHEMA

FORM = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}
CLOSED = jsonschema_rs.validator_for(SCHEMA)


async def ask(prompt, *later, form=FORM, **more):
    """The first choice of a chat completion, and what it used."""
    body = chat(prompt, **({"response_format": form} if form else {}), **more)
    body["messages"] += later
    answer = (await azure(simulator(quick()), body)).json
    return answer["choices"][0], answer["usage"]


async def respond(prompt):
    app = simulator(quick())
    heard = await v1(app, {"model": "gpt-4o-mini", "input": prompt}, end="responses")
    return heard.json


def conforms(choice):
    return CLOSED.is_valid(orjson.loads(choice["message"]["content"]))


AGAIN = ({"role": "assistant", "content": "{}"}, {"role": "user", "content": "Try again"})


@pytest.mark.parametrize(
    ("mark", "first", "second"),
    [("", True, True), ("[[invalid]]", False, True), ("[[always-invalid]]", False, False)],
)
async def test_an_answer_breaks_its_schema_the_first_time_or_always(mark, first, second):
    for number in range(5):
        choice, _ = await ask(f"{number} {mark}")
        again, _ = await ask(f"{number} {mark}", *AGAIN)

        assert (conforms(choice), conforms(again)) == (first, second)
        assert choice["finish_reason"] == "stop"


async def test_where_nothing_is_required_a_broken_answer_is_no_json():
    choice, _ = await ask("[[invalid]]", form={"type": "json_object"})

    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(choice["message"]["content"])


async def test_without_a_schema_there_is_none_to_break():
    plainly, _ = await ask("say [[invalid]]", form=None)

    assert 'You asked: "say [[invalid]]"' in plainly["message"]["content"]


async def test_a_refusal_has_no_content_and_is_paid():
    for form in (None, FORM):
        choice, usage = await ask("do [[refuse]]", form=form)

        assert choice["message"]["content"] is None
        assert choice["message"]["refusal"].startswith("I'm sorry")
        assert choice["finish_reason"] == "stop"
        assert usage["completion_tokens"] > 0


async def test_a_response_is_refused_in_its_content():
    (content,) = (await respond("do [[refuse]]"))["output"][0]["content"]

    assert content["type"] == "refusal"
    assert content["refusal"].startswith("I'm sorry")


async def test_an_answer_is_cut_in_half():
    choice, usage = await ask("tell [[cut]]")
    cut = await respond("tell [[cut]]")

    assert choice["finish_reason"] == "length"
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(choice["message"]["content"])
    assert len(choice["message"]["content"]) == usage["completion_tokens"] * 4
    assert cut["incomplete_details"] == {"reason": "max_output_tokens"}


async def test_a_filtered_answer_is_withheld_with_a_schema_too():
    choice, _ = await ask("[[filter-answer]]")

    assert choice["finish_reason"] == "content_filter"
    assert choice["message"]["content"] is None


async def test_several_answers_to_a_schema_differ():
    body = chat("shape it", response_format=FORM, n=4)
    answer = (await azure(simulator(quick()), body)).json

    assert len({choice["message"]["content"] for choice in answer["choices"]}) > 1
