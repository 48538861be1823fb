"""A quota's room is used in parts first, then evenly, and in parts again at the end."""

import math

import pytest

from batchrunner.policy.pace import BRISK, CAREFUL, PARTS, REFUSAL, SMALLEST_PART, Pace
from batchrunner.policy.ratelimit import Limit
from batchrunner.policy.window import UNLIMITED

LIMIT = Limit(600, 60)


def adapted(limit=LIMIT, use=0.0, *, is_named=True, pace=None):
    pace = pace or Pace()
    pace.adapt(0.0, limit, use, is_named=is_named)
    return pace


def reached(*, is_named=True):
    return adapted(use=0.95, is_named=is_named)


def test_what_has_no_limit_has_no_pace():
    pace = adapted(UNLIMITED, use=1.0)
    for _ in range(1000):
        assert pace.wait(0) == 0
        pace.take(0)

    assert (pace.limit, pace.is_even) == (UNLIMITED, False)


@pytest.mark.parametrize(("amount", "part"), [(600, 600 / PARTS), (8, SMALLEST_PART)])
def test_a_first_burst_goes_in_parts_that_are_not_too_small(amount, part):
    assert adapted(Limit(amount, 60)).limit == Limit(part, REFUSAL)


@pytest.mark.parametrize(("is_named", "times"), [(True, BRISK), (False, CAREFUL)])
def test_once_the_limit_was_reached_the_pace_is_even_and_careful_where_it_was_only_found(
    is_named, times
):
    assert (BRISK, CAREFUL) == (10, 3)
    pace = reached(is_named=is_named)

    assert pace.is_even
    assert pace.limit == Limit(1, pytest.approx(60 / 600 / times))
    pace.take(0)
    assert pace.wait(0) == pytest.approx(60 / 600 / times)


@pytest.mark.parametrize(("use", "is_even"), [(0.89, False), (0.9, True), (1.0, True)])
def test_a_limit_is_reached_when_nearly_all_of_it_is_taken(use, is_even):
    assert adapted(use=use).is_even is is_even


@pytest.mark.parametrize(("use", "is_even"), [(0.5, True), (0.01, True), (0.0, False)])
def test_the_pace_stays_even_until_nothing_is_taken(use, is_even):
    assert adapted(use=use, pace=reached()).is_even is is_even


def test_parts_are_never_slower_than_the_even_pace():
    pace = Pace(refusal=5.0)
    adapted(Limit(600, 1), pace=pace)

    assert pace.limit == Limit(1, pytest.approx(1 / 600 / BRISK))


def test_where_no_later_jobs_come_parts_are_sent_again_at_once():
    pace = reached()
    pace.take(0)
    assert pace.wait(0) > 0
    pace.hurry()
    assert pace.wait(0) == 0

    adapted(use=0.95, pace=pace)
    assert pace.limit == Limit(600 / PARTS, REFUSAL)
    assert not math.isinf(pace.limit.amount)
