"""A line that is a row: what a template, an id column and a params column make of it."""

import orjson
import pytest

from batchrunner.inputs.defaults import Defaults
from batchrunner.inputs.jsonl import BadLine, parse
from batchrunner.inputs.request import EMBEDDINGS, RESPONSES
from batchrunner.inputs.template import compile_messages, compile_prompt
from batchrunner.model import Job


def rows(prompt="Name {{ title }}.", system=None, **more):
    return Defaults(**{"model": "m", "template": compile_prompt(prompt, system), **more})


def job(row, defaults, ordinal=3):
    made = parse(orjson.dumps(row), ordinal, defaults)
    assert isinstance(made, Job), made
    return made


def body(row, defaults):
    return orjson.loads(job(row, defaults).body)


def reason(row, defaults):
    made = parse(orjson.dumps(row), 3, defaults)
    assert isinstance(made, BadLine), made
    return made.reason


def asked(text):
    return [{"role": "user", "content": text}]


def test_every_column_is_data():
    names = ["prompt", "messages", "body", "url", "api_key", "method", "input"]
    row = {"title": "a", "temperature": 9, "stream": True, **dict.fromkeys(names, "x")}

    assert body(row, rows()) == {"messages": asked("Name a.")}


def test_defaults_fill_it():
    made = job({"title": "a"}, rows(system="Be {{ title }}.", temperature=0.5, max_tokens=7))

    assert orjson.loads(made.body) == {
        "messages": [{"role": "system", "content": "Be a."}, *asked("Name a.")],
        "temperature": 0.5,
        "max_tokens": 7,
    }
    assert made.answer_tokens == 7


@pytest.mark.parametrize(
    ("row", "column", "id_"),
    [
        ({}, None, "3"),
        ({"id": "x"}, None, "x"),
        ({"id": 5, "custom_id": "y"}, None, "y"),
        ({"id": 5, "sku": "z"}, "sku", "z"),
        ({"id": "x", "custom_id": "y"}, "", "3"),
    ],
    ids=str,
)
def test_the_id_comes_from_a_column(row, column, id_):
    assert job({"title": "a", **row}, rows(id_column=column)).id == id_


@pytest.mark.parametrize(
    ("row", "column", "why"),
    [
        ({"id": ""}, None, '"id" must be a text or a whole number below 2^53; it is an empty'),
        ({"sku": 1.5}, "sku", '"sku" must be a text or a whole number below 2^53; it is 1.5'),
        ({"sku": "a\n"}, "sku", '"sku" holds a control character'),
        (
            {"id": "x"},
            "sku",
            'has no column "sku", which --id-column names; there are: "title", "id"',
        ),
    ],
    ids=str,
)
def test_an_id_that_is_none_is_told_why(row, column, why):
    assert reason({"title": "a", **row}, rows(id_column=column)).startswith(why)


def test_a_bad_row_keeps_its_id():
    made = parse(orjson.dumps({"sku": "s-1"}), 3, rows(id_column="sku"))

    assert (made.id, made.ordinal) == ("s-1", 3)
    assert made.reason == 'has no column "title", which the prompt names; there are: "sku"'


class TestModel:
    def test_that_of_the_settings_wins_over_a_column(self):
        assert job({"title": "a", "model": "n"}, rows()).model == "m"

    def test_without_it_the_column_counts(self):
        assert job({"title": "a", "model": "n"}, rows(model=None)).model == "n"

    def test_params_are_meant_and_win(self):
        row = {"title": "a", "model": "n", "p": {"model": "o"}}

        assert job(row, rows(params="p")).model == "o"

    @pytest.mark.parametrize(
        ("row", "why"),
        [
            ({}, "model is missing: use --model"),
            ({"model": ""}, "model is missing: use --model"),
            ({"model": 5}, "model must be a text; it is 5"),
            ({"model": "../x"}, "model must be a name"),
        ],
        ids=str,
    )
    def test_no_model_is_a_bad_row(self, row, why):
        assert reason({"title": "a", **row}, rows(model=None)).startswith(why)


class TestParams:
    @pytest.mark.parametrize("value", [None, "", "  ", {}, "{}"], ids=repr)
    def test_a_row_may_have_none(self, value):
        assert body({"title": "a", "p": value}, rows(params="p")) == {"messages": asked("Name a.")}

    @pytest.mark.parametrize(
        "value", [{"temperature": 0, "seed": 1}, ' {"temperature": 0, "seed": 1}'], ids=repr
    )
    def test_they_are_merged_and_win_over_the_settings(self, value):
        defaults = rows(params="p", temperature=1)

        assert body({"title": "a", "p": value}, defaults) == {
            "messages": asked("Name a."),
            "temperature": 0,
            "seed": 1,
        }

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            ("{", '"p" ends in the middle of the JSON'),
            ('{"a": 1e999}', '"p" holds a number that is too large'),
            ("0.5", '"p" must be an object of JSON such as {"temperature": 0}; it is another'),
            ([1], '"p" must be an object of JSON such as {"temperature": 0}; it is a list'),
            ({"api_key": "s3cret"}, '"p": api_key is no request field'),
            ({"base_url": "s3cret"}, '"p": base_url is no request field'),
            ({"messages": []}, '"p": messages comes from the template'),
            ({"stream": True}, "p.stream must be false or left out"),
            ({"max_tokens": "9"}, "p.max_tokens must be a whole number"),
        ],
        ids=str,
    )
    def test_what_is_no_parameter_is_a_bad_row(self, value, why):
        found = reason({"title": "a", "p": value}, rows(params="p"))

        assert found.startswith(why)
        assert "s3cret" not in found

    def test_their_column_must_be_there(self):
        assert reason({"title": "a"}, rows(params="p")) == (
            'has no column "p", which --params names; there are: "title"'
        )


def test_a_value_that_breaks_the_template_is_a_bad_row_with_the_line():
    defaults = rows("Name\n{{ title + 1 }}")

    assert reason({"title": "a"}, defaults) == "prompt, line 2: + needs numbers; here is a text"


def test_a_table_is_known_to_lack_a_column_before_its_rows_are_read():
    defaults = rows(params="p", id_column="sku")

    assert defaults.missing(["title", "p", "sku"]) is None
    assert 'has no column "p", which --params names' in defaults.missing(["title", "sku"])
    assert 'has no column "sku", which --id-column' in defaults.missing(["title", "p"])
    assert 'has no column "title", which the prompt' in defaults.missing(["p", "sku"])
    assert rows(id_column="").missing(["title"]) is None


class TestEndpoints:
    def test_responses_take_messages_as_input_and_a_system_message_as_instructions(self):
        made = job(
            {"title": "a"},
            rows(system="Be {{ title }}.", path=RESPONSES, max_tokens=9, temperature=0),
        )

        assert made.path == RESPONSES
        assert made.answer_tokens == 9
        assert orjson.loads(made.body) == {
            "input": asked("Name a."),
            "instructions": "Be a.",
            "temperature": 0,
            "max_output_tokens": 9,
        }

    def test_embeddings_take_the_text(self):
        made = job({"title": "a"}, rows(path=EMBEDDINGS, max_tokens=9, temperature=0, system="s"))

        assert (made.path, made.answer_tokens) == (EMBEDDINGS, 0)
        assert orjson.loads(made.body) == {"input": "Name a."}

    def test_embeddings_take_params(self):
        row = {"title": "a", "p": {"dimensions": 8, "encoding_format": "float"}}

        assert body(row, rows(path=EMBEDDINGS, params="p")) == {"input": "Name a.", **row["p"]}

    def test_responses_take_messages_with_pictures(self):
        parts = [{"type": "input_image", "image_url": "{{ url }}"}]
        template = compile_messages([{"role": "user", "content": parts}], None)
        defaults = Defaults("m", path=RESPONSES, template=template)

        assert body({"url": "u"}, defaults) == {
            "input": [{"role": "user", "content": [{"type": "input_image", "image_url": "u"}]}]
        }


SHAPE = {
    "type": "json_schema",
    "json_schema": {"name": "answer", "strict": True, "schema": {"type": "object"}},
}


class TestSchema:
    def test_chat(self):
        assert body({"title": "a"}, rows(response_format=SHAPE))["response_format"] == SHAPE

    def test_responses_keep_what_else_is_said_of_the_text(self):
        row = {"title": "a", "p": {"text": {"verbosity": "low"}}}

        made = body(row, rows(response_format=SHAPE, path=RESPONSES, params="p"))

        assert made["text"] == {
            "format": {"type": "json_schema", **SHAPE["json_schema"]},
            "verbosity": "low",
        }

    def test_embeddings_have_none(self):
        found = reason({"title": "a"}, rows(response_format=SHAPE, path=EMBEDDINGS))

        assert "asks for embeddings, which have no schema" in found
