"""Concurrency grows while it is used, and shrinks once for each burst."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.policy.adaptive import CUT, START, Adaptive


def grown(adaptive, answers, in_flight=None):
    for _ in range(answers):
        adaptive.grow(adaptive.limit if in_flight is None else in_flight)
    return adaptive.limit


@pytest.mark.parametrize(("cap", "start"), [(1, 1), (2, 2), (100, START)])
def test_it_starts_small_and_below_its_cap(cap, start):
    assert Adaptive(cap).limit == start


def test_it_doubles_with_every_round_trip_that_uses_it():
    adaptive = Adaptive(100)

    for rounds in range(1, 5):
        assert grown(adaptive, adaptive.limit) == START * 2**rounds
    assert grown(adaptive, 100) == 100
    assert grown(adaptive, 50) == 100


@pytest.mark.parametrize(("in_flight", "limit"), [(0, 70), (55, 70), (56, 71), (70, 71)])
def test_it_does_not_grow_unless_it_is_used(in_flight, limit):
    adaptive = Adaptive(70)
    adaptive.trust()
    adaptive.cap = 100

    assert grown(adaptive, 1, in_flight) == limit


def test_it_does_not_freeze_between_two_whole_numbers():
    """What is in flight is a whole number, which may fall short of four fifths of 1.3."""
    adaptive = Adaptive(100)
    for _ in range(3):
        adaptive.cut()
    assert adaptive.limit == 1

    assert grown(adaptive, 20) >= 6, "about one more for every round trip that uses it"


def test_a_burst_cuts_it_and_ends_the_doubling():
    adaptive = Adaptive(100)
    adaptive.trust()
    adaptive.cut()
    assert adaptive.limit == 70

    assert grown(adaptive, 70) in (70, 71)
    assert grown(adaptive, 72) in (71, 72)


def test_it_is_never_less_than_one():
    adaptive = Adaptive(100)
    for _ in range(50):
        adaptive.cut()

    assert adaptive.limit == 1
    assert grown(adaptive, 1) == 2


def test_known_limits_need_no_caution_until_they_are_hit():
    adaptive = Adaptive(100)
    adaptive.trust()
    assert adaptive.limit == 100

    adaptive.cut()
    adaptive.trust()
    assert adaptive.limit == 70


@given(
    cap=st.integers(1, 200),
    events=st.lists(st.sampled_from(["grow", "idle", "cut", "trust"]), max_size=200),
)
def test_it_stays_between_one_and_its_cap(cap, events):
    adaptive = Adaptive(cap)
    for event in events:
        before = adaptive._limit
        match event:
            case "grow":
                adaptive.grow(adaptive.limit)
            case "idle":
                adaptive.grow(0)
                assert adaptive._limit == before
            case "cut":
                adaptive.cut()
                assert adaptive._limit == max(1, before * CUT)
            case "trust":
                adaptive.trust()
        assert 1 <= adaptive.limit <= cap
