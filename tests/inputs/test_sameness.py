"""The same request is the same, however its line is laid out; and nothing else is."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.inputs.jsonl import Defaults, parse
from batchrunner.inputs.sameness import request_of

PATH = "/chat/completions"
MESSAGES = [{"role": "user", "content": "Hello"}]
BODY = {"messages": MESSAGES, "temperature": 0.5, "max_tokens": 9}


def asked(line, defaults=Defaults(model="m"), ordinal=0):  # noqa: B008 - never changed
    return parse(orjson.dumps(line), ordinal, defaults).request


def schema(*names):
    properties = {name: {"type": "string"} for name in names}
    return {"type": "json_schema", "json_schema": {"schema": {"properties": properties}}}


def test_it_is_known_by_128_bits_that_no_version_may_change():
    request = request_of(PATH, "gpt-4o-mini", {"messages": MESSAGES})

    assert request == "e822e34ee8daa52ed4234bada002f298"


@pytest.mark.parametrize(
    "line",
    [
        {"max_tokens": 9, "temperature": 0.5, "messages": MESSAGES},
        {"messages": [{"content": "Hello", "role": "user"}], "temperature": 0.5, "max_tokens": 9},
        {"id": "another", **BODY},
        {"prompt": "Hello", "temperature": 0.5, "max_tokens": 9},
        {"model": "m", **BODY},
        {"custom_id": "b", "method": "POST", "url": "/v1/chat/completions", "body": BODY},
    ],
)
def test_lines_that_ask_the_same_are_the_same(line):
    assert asked(line, ordinal=7) == asked(BODY)


def test_what_settings_fill_in_counts_as_if_it_were_written():
    filled = asked({"prompt": "Hello"}, Defaults(model="m", temperature=0.5, max_tokens=9))

    assert filled == asked(BODY)


@pytest.mark.parametrize(
    "line",
    [
        BODY | {"model": "n"},
        BODY | {"temperature": 0.6},
        BODY | {"messages": [{"role": "user", "content": "hello"}]},
        BODY | {"messages": [*MESSAGES, *MESSAGES]},
        BODY | {"seed": 1},
        BODY | {"response_format": schema("a")},
    ],
)
def test_lines_that_ask_something_else_are_not(line):
    assert asked(line) != asked(BODY)


def test_a_path_is_part_of_what_is_asked():
    assert request_of("/responses", "m", {}) != request_of("/chat/completions", "m", {})


@pytest.mark.parametrize("name", ["response_format", "tools", "functions", "text"])
def test_the_order_in_a_schema_counts_since_it_is_the_order_of_the_answer(name):
    reason_first = BODY | {name: schema("reason", "verdict")}
    verdict_first = BODY | {name: schema("verdict", "reason")}

    assert asked(reason_first) != asked(verdict_first)


@pytest.mark.parametrize("name", ["response_format", "tools", "functions", "text"])
def test_beside_a_schema_all_else_counts_too(name):
    line = BODY | {name: schema("a")}

    assert asked(line) != asked(line | {"messages": [{"role": "user", "content": "Bye"}]})


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=3), json), st.randoms())
def test_no_order_of_members_makes_another_request(values, chance):
    def shuffled(value):
        if isinstance(value, list):
            return [shuffled(part) for part in value]
        if not isinstance(value, dict):
            return value
        names = list(value)
        chance.shuffle(names)
        return {name: shuffled(value[name]) for name in names}

    assert request_of(PATH, "m", values) == request_of(PATH, "m", shuffled(values))
