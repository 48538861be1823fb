"""What an answer says, whatever its path."""

import pytest

from batchrunner.policy.choices import Choice, choices


def chat(content, refusal=None, end="stop"):
    return {"message": {"content": content, "refusal": refusal}, "finish_reason": end}


def response(*parts, **more):
    message = {"type": "message", "content": list(parts)}
    return {"output": [{"type": "reasoning", "content": [{"text": "hm"}]}, message]} | more


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"choices": [chat("a"), chat("b", end="length")]}, [("a", "stop"), ("b", "length")]),
        ({"choices": [chat(None, "I will not.")]}, [("I will not.", "stop")]),
        ({"choices": [chat("", "I will not.")]}, [("I will not.", "stop")]),
        ({"choices": []}, []),
        (response({"text": "a"}, {"text": "b"}), [("ab", "")]),
        (response({"refusal": "I will not."}), [("I will not.", "")]),
        (
            response(incomplete_details={"reason": "max_output_tokens"}),
            [("", "max_output_tokens")],
        ),
        ({"data": [{"embedding": [1.0]}]}, []),
    ],
)
def test_every_choice_says_its_text_or_why_there_is_none_and_how_it_ended(body, found):
    assert [(choice.said, choice.end) for choice in choices(body)] == found


@pytest.mark.parametrize("choice", [None, 5, {"message": 5}, chat(["parts"], 7, {}), {}])
def test_what_is_no_choice_says_nothing(choice):
    assert list(choices({"choices": [choice]})) == [Choice("", "", "")]


@pytest.mark.parametrize("body", [None, [], "text", 5, {"choices": 5}, {"output": {}}])
def test_what_is_no_answer_has_no_choices(body):
    assert list(choices(body)) == []
