"""The garbage collector searches less often during a run, and afterwards as before."""

import gc

import pytest

from batchrunner.collector import YOUNG, searching_rarely


@pytest.fixture(autouse=True)
def _unchanged():
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.mark.parametrize(
    ("before", "within"),
    [
        ((700, 10, 10), (YOUNG, 10, 10)),
        ((10 * YOUNG, 5, 5), (10 * YOUNG, 5, 5)),
        ((0, 10, 10), (0, 10, 10)),
    ],
    ids=["as usual", "rarer already", "never"],
)
def test_it_searches_rarely_and_then_as_before(before, within):
    gc.set_threshold(*before)
    with searching_rarely():
        assert gc.get_threshold() == within

    assert gc.get_threshold() == before


def test_it_searches_as_before_after_an_error_too():
    before = gc.get_threshold()
    with pytest.raises(ZeroDivisionError), searching_rarely():
        raise ZeroDivisionError

    assert gc.get_threshold() == before
