"""How many tokens answers were allowed."""

import json

from hypothesis import given
from hypothesis import strategies as st

from batchrunner.caps import KEPT, Caps


def caps(*values, model="m"):
    made = Caps()
    for value in values:
        made.add(model, value)
    return made


def test_equal_caps_of_a_model_are_counted_together():
    made = caps(100, 200, 100)
    made.add("other", 100)

    assert made.by_model == {"m": {100: 2, 200: 1}, "other": {100: 1}}


@given(st.lists(st.integers(1, 10**6), max_size=100))
def test_every_answer_counts_and_few_values_are_told_apart(values):
    made = caps(*values)

    assert sum(count.total() for count in made.by_model.values()) == len(values)
    assert all(len(count) <= KEPT for count in made.by_model.values())


def test_of_too_many_values_the_further_ones_count_as_the_largest():
    made = caps(*range(1, KEPT + 1), 7, 1000, 5000)

    assert made.by_model["m"][7] == 2
    assert made.by_model["m"][KEPT] == 3


@given(st.lists(st.integers(1, 10**6), max_size=30))
def test_they_are_the_same_after_a_checkpoint(values):
    made = caps(*values)

    assert Caps.from_json(json.loads(json.dumps(made.as_json()))) == made
