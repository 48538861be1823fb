"""Values of which only the size is kept."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.histogram import LEAST, Histogram

VALUES = st.lists(st.floats(LEAST, 1e9), min_size=1, max_size=50)


def histogram(values):
    made = Histogram()
    for value in values:
        made.add(value)
    return made


def test_an_empty_one_has_no_quantile_and_no_steps():
    assert Histogram().quantile(0.5) is None
    assert Histogram().steps() == []
    assert Histogram().count == 0


@given(VALUES, st.floats(0.01, 1))
def test_a_quantile_is_within_five_percent_of_the_real_one(values, share):
    said = histogram(values).quantile(share)
    rank = next(n for n in range(1, len(values) + 1) if share * len(values) - n <= 0)
    real = sorted(values)[rank - 1]

    assert said == pytest.approx(real, rel=0.05)


@given(VALUES)
def test_steps_hold_every_value_once_and_in_order(values):
    steps = histogram(values).steps()

    assert sum(count for *_, count in steps) == len(values)
    for low, high, count in steps:
        assert sum(low * (1 - 1e-9) <= v <= high * (1 + 1e-9) for v in values) >= count > 0
    assert [low for low, *_ in steps] == sorted(low for low, *_ in steps)


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-300])
def test_what_is_too_small_counts_as_the_least(value):
    assert histogram([value]) == histogram([LEAST])


@given(VALUES)
def test_it_is_the_same_after_a_checkpoint(values):
    made = histogram(values)
    saved = json.loads(json.dumps({"bins": {str(b): n for b, n in made.bins.items()}}))

    assert Histogram.from_json(saved) == made
