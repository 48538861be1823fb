"""A schema is one that stands whole and wants an object, or the reason is said."""

import sys
from enum import Enum
from typing import Annotated, Literal

import pytest
from jsonschema_rs import validator_for
from pydantic import BaseModel, Field

from batchrunner.errors import ConfigError
from batchrunner.inputs.schema import load, response_format
from batchrunner.inputs.strictness import is_strict, strict_form

STRICT = {
    "title": "City facts!",
    "type": "object",
    "properties": {"city": {"type": "string"}, "population": {"type": ["integer", "null"]}},
    "required": ["city", "population"],
    "additionalProperties": False,
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before, path = set(sys.modules), list(sys.path)
    yield tmp_path
    assert sys.path == path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def written(here, text, name="schema.json"):
    here.joinpath(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def refusal(reference):
    with pytest.raises(ConfigError) as caught:
        load(reference)
    return str(caught.value)


def test_a_file_is_read_as_it_is(here):
    name = written(here, '\ufeff{"type":"object","properties":{"b":{},"a":{}}}')

    assert load(name) == {"type": "object", "properties": {"b": {}, "a": {}}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is not JSON at line 1"),
        ('{"type":\n "object",}', "is not JSON at line 2"),
        (b'{"title":"\xe9"}', "is not UTF-8 at byte 11"),
        ("[]", "must be an object"),
        ("true", "must be an object"),
        ('{"type":"objekt"}', "is no JSON Schema, at /type"),
        ('{"type":"object","properties":{"a":{"minimum":"x"}}}', "at /properties/a/minimum"),
        ('{"type":"object","required":["a","a"]}', "at /required"),
        ('{"type":"object","properties":{"a":{"pattern":"("}}}', "at /properties/a/pattern"),
        ('{"type":"array","items":{}}', "an answer must be an object"),
        ("{}", "an answer must be an object"),
        ('{"anyOf":[{"type":"object"}]}', "an answer must be an object"),
        ('{"$ref":"#"}', "an answer must be an object"),
        ('{"type":"object","properties":{"a":{"$ref":"#/$defs/a"}}}', "is no JSON Schema"),
        ('{"type":"object","$schema":"http://127.0.0.1:9/mine"}', "is no JSON Schema"),
        ("[" * 300 + "]" * 300, "is no JSON Schema"),
        ('{"not":' * 300 + "{}" + "}" * 300, "nested too deeply"),
    ],
)
def test_what_is_no_schema_is_refused_with_the_place(here, text, reason):
    assert reason in refusal(written(here, text))


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1:9/x", "https://example.com/x.json#/a", "file:///etc/hosts", "other.json"],
)
@pytest.mark.parametrize("word", ["$ref", "$dynamicRef"])
def test_nothing_is_fetched(here, target, word):
    written(here, '{"type":"object"}', "other.json")
    name = written(here, f'{{"type":"object","properties":{{"a":{{"{word}":"{target}"}}}}}}')

    assert "leads out of the schema" in refusal(name)


def test_a_reference_where_ours_does_not_look_is_not_fetched_either(here):
    target = here.joinpath("other.json")
    target.write_text('{"type":"integer"}')
    hidden = f'{{"type":"object","properties":{{"const":{{"$ref":"{target.as_uri()}"}}}}}}'

    assert "is no JSON Schema" in refusal(written(here, hidden))


def test_a_value_that_looks_like_a_reference_is_none(here):
    name = written(here, '{"type":"object","default":{"$ref":"http://127.0.0.1:9/"}}')

    assert load(name)["type"] == "object"


def test_an_identity_is_not_fetched(here):
    text = '{"$id":"http://127.0.0.1:9/s","type":"object","properties":{"a":{"$ref":"#/$defs/a"}},'
    name = written(here, text + '"$defs":{"a":{"type":"integer"}}}')

    assert list(load(name)["properties"]) == ["a"]


def test_a_reference_at_the_root_is_followed(here):
    text = '{"$ref":"#/$defs/a~1b","title":"T","$defs":{"a/b":{"$ref":"#/$defs/c"},'
    name = written(here, text + '"c":{"type":"object","properties":{"x":{}}}}}')

    schema = load(name)

    assert schema["type"] == "object"
    assert "$ref" not in schema
    assert schema["title"] == "T"
    assert list(schema["properties"]) == ["x"]


def test_what_is_no_file(here):
    assert "there is no file missing.json" in refusal("missing.json")
    assert "module:PydanticModel" in refusal("missing.json")
    assert "cannot be read" in refusal(str(here))


MODELS = """
from pydantic import BaseModel
class Answer(BaseModel):
    city: str
    rivers: list[str] = []
class Outer:
    class Answer(Answer):
        pass
class Loose(BaseModel):
    counts: dict[str, int]
    note: str = ""
class Other:
    pass
number = 5
class Callable(BaseModel):
    call: object
    model_config = {"arbitrary_types_allowed": True}
    what: Other
"""


def test_a_model_of_the_current_directory(here):
    written(here, MODELS, "facts_models.py")

    schema = load("facts_models:Answer")

    assert is_strict(schema)
    assert schema["required"] == ["city", "rivers"]
    assert response_format(schema)["json_schema"]["name"] == "Answer"
    assert list(load("facts_models:Outer.Answer")["properties"]) == ["city", "rivers"]


def test_a_model_that_cannot_be_strict_keeps_its_meaning(here):
    written(here, MODELS, "facts_models.py")

    schema = load("facts_models:Loose")

    assert schema["required"] == ["counts"]
    assert response_format(schema)["json_schema"]["strict"] is False


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("facts_models:Other", "is no pydantic model"),
        ("facts_models:number", "is no pydantic model"),
        ("facts_models:Missing", "there is no Missing"),
        ("facts_models:Callable", "PydanticInvalidForJsonSchema"),
        ("no_such_module:Answer", "ModuleNotFoundError"),
        ("broken_module:Answer", "ZeroDivisionError"),
    ],
)
def test_what_is_no_model(here, name, reason):
    written(here, MODELS, "facts_models.py")
    written(here, "1 / 0\n", "broken_module.py")

    assert reason in refusal(name)


def test_a_file_wins_over_a_module(here):
    written(here, '{"type":"object"}', "facts:Answer")

    assert load("facts:Answer") == {"type": "object"}


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("City facts!", "City_facts"),
        ("a" * 70, "a" * 64),
        ("Straße", "Stra_e"),
        ("…", "answer"),
        ("", "answer"),
        (None, "answer"),
        (7, "answer"),
    ],
)
def test_the_name_is_one_that_services_take(title, name):
    schema = {"title": title, "type": "object"}

    assert response_format(schema)["json_schema"]["name"] == name


def test_the_whole_format():
    assert response_format(STRICT) == {
        "type": "json_schema",
        "json_schema": {"name": "City_facts", "strict": True, "schema": STRICT},
    }


def changed(**parts):
    return {**STRICT, **parts}


def holding(part):
    return changed(properties={"a": part}, required=["a"])


def closed(part):
    return {
        "type": "object",
        "properties": {"a": part},
        "required": ["a"],
        "additionalProperties": False,
    }


def deep(levels):
    schema = {"type": "string"}
    for _ in range(levels):
        schema = closed(schema)
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        STRICT,
        holding({"anyOf": [{"type": "string"}, {"type": "null"}]}),
        holding({"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 3}),
        holding({"type": "string", "format": "date", "pattern": "^2"}),
        holding({"type": "string", "enum": ["x", "y"], "description": "one"}),
        holding({"$ref": "#"}),
        {**holding({"$ref": "#/$defs/b"}), "$defs": {"b": {"type": "integer", "minimum": 0}}},
        deep(10),
        {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
    ],
)
def test_strict_schemas(schema):
    assert is_strict(schema)


@pytest.mark.parametrize(
    "schema",
    [
        changed(required=["city"]),
        changed(additionalProperties=True),
        {key: part for key, part in STRICT.items() if key != "additionalProperties"},
        {**STRICT, "anyOf": [{"type": "object"}]},
        {"$ref": "#/$defs/a", "$defs": {"a": STRICT}},
        holding({}),
        holding(part=True),
        holding({"type": "string", "minLength": 1}),
        holding({"type": "string", "format": "uri"}),
        holding({"type": "string", "default": "x"}),
        holding({"oneOf": [{"type": "string"}, {"type": "null"}]}),
        holding({"allOf": [{"type": "string"}]}),
        holding({"type": "array"}),
        holding({"type": "array", "items": {"type": "object", "properties": {}}}),
        holding({"anyOf": [{"type": "object"}, {"type": "null"}]}),
        holding({"$ref": "#/$defs/b", "description": "beside it"}),
        {**holding({"$ref": "#/$defs/b"}), "$defs": {"b": {"type": "object"}}},
        holding({"type": "object", "patternProperties": {}}),
        deep(11),
        holding({"type": "string", "enum": [f"{n}" for n in range(1001)]}),
        holding({"type": "string", "enum": ["x" * 120_001]}),
        closed({"type": "string"}) | {
            "properties": {f"{n}": {"type": "null"} for n in range(5001)},
            "required": [f"{n}" for n in range(5001)],
        },
    ],
)  # fmt: skip
def test_schemas_that_are_not_strict(schema):
    assert not is_strict(schema)


class Colour(Enum):
    RED = "red"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    owner: Cat | None = Field(None, description="whom it obeys")


class Node(BaseModel):
    value: Annotated[int, Field(ge=0)]
    next: "Node | None" = None
    parent: "Node" = Field(description="where it hangs")
    colour: Colour = Field(Colour.RED, description="as seen")
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]


@pytest.mark.parametrize("model", [Cat, Dog, Node])
def test_the_strict_form_of_a_model_is_strict_and_a_schema(model):
    schema = strict_form(model.model_json_schema())

    assert is_strict(schema)
    validator_for(schema)


def test_what_is_said_beside_a_reference_is_kept():
    schema = strict_form(Node.model_json_schema())

    assert schema["properties"]["colour"] == {
        "description": "as seen",
        "enum": ["red"],
        "title": "Colour",
        "type": "string",
    }


def test_the_strict_form_takes_what_the_model_takes():
    validator = validator_for(strict_form(Dog.model_json_schema()))

    assert validator.is_valid({"kind": "dog", "owner": {"kind": "cat", "lives": 3}})
    assert validator.is_valid({"kind": "dog", "owner": None})
    assert not validator.is_valid({"kind": "dog"})
    assert not validator.is_valid({"kind": "dog", "owner": None, "more": 1})
