"""Concurrency grows while it is used, and shrinks once for each burst and each collapse."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.policy.adaptive import BEGINNING, CUT, ENOUGH, START, Adaptive

TOKENS = 64  #: of a usual answer
A_TOKEN = 0.01  #: seconds


def answer(adaptive, in_flight=None, times=1.0, tokens=TOKENS):
    """One answer that takes ``times`` as long as usual for its length."""
    seconds = times * A_TOKEN * (BEGINNING + tokens)
    adaptive.answered(adaptive.limit if in_flight is None else in_flight, seconds, tokens)


def grown(adaptive, answers, in_flight=None):
    for _ in range(answers):
        answer(adaptive, in_flight)
    return adaptive.limit


@pytest.mark.parametrize(("cap", "start"), [(1, 1), (2, 2), (100, START)])
def test_it_starts_small_and_below_its_cap(cap, start):
    assert Adaptive(cap).limit == start


@pytest.mark.parametrize(("cap", "limit"), [(10, 10), (32, 32), (100, 32)])
def test_it_starts_where_it_is_told_but_never_above_its_cap(cap, limit):
    assert Adaptive(cap, start=32).limit == limit


def test_it_doubles_with_every_round_trip_that_uses_it():
    adaptive = Adaptive(100)

    for rounds in range(1, 5):
        assert grown(adaptive, adaptive.limit) == START * 2**rounds
    assert grown(adaptive, 100) == 100
    assert grown(adaptive, 50) == 100


@pytest.mark.parametrize(("in_flight", "limit"), [(1, 70), (55, 70), (56, 71), (70, 71)])
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


# --- answers that take several times as long as usual


def settled(answers=200, limit=50):
    """A region that has been answering as usual for a while."""
    adaptive = Adaptive(limit)
    adaptive.trust()
    for _ in range(answers):
        answer(adaptive)
    return adaptive


def lasting(adaptive, answers, times=10.0):
    """The limits after each of so many answers that take ten times as long."""
    limits = []
    for _ in range(answers):
        answer(adaptive, times=times)
        limits.append(adaptive.limit)
    return limits


def test_a_collapse_of_latency_cuts_it_after_a_few_answers():
    assert lasting(settled(), 10)[-1] == 35


def test_a_collapse_cuts_no_more_than_once_a_round_trip():
    limits = [50, *lasting(settled(), 200)]
    cuts = [n for n in range(1, len(limits)) if limits[n] < limits[n - 1]]

    assert len(cuts) > 3
    for one, other in pairwise(cuts):
        assert other - one >= limits[one]


def test_a_few_slow_answers_are_no_collapse():
    adaptive = settled()
    for _ in range(30):
        lasting(adaptive, 2)
        for _ in range(18):
            answer(adaptive)

    assert adaptive.limit == 50


@pytest.mark.parametrize("times", [1.5, 2.5])
def test_answers_that_take_twice_as_long_are_no_collapse(times):
    adaptive = settled()
    for _ in range(200):
        answer(adaptive, times=times)

    assert adaptive.limit == 50


def test_long_answers_are_no_collapse():
    adaptive = settled()
    for _ in range(200):
        answer(adaptive, tokens=40 * TOKENS)

    assert adaptive.limit == 50


def test_answers_that_take_longer_only_because_more_are_in_flight_are_no_collapse():
    adaptive = settled(limit=10)
    adaptive.cap = 256
    for _ in range(1000):
        answer(adaptive, times=adaptive.limit / 10)

    assert adaptive.limit == 256


@pytest.mark.parametrize(("cap", "answers"), [(64, 150), (100, 300), (500, 600), (500, 5000)])
def test_a_collapse_is_seen_however_the_number_has_grown(cap, answers):
    adaptive = Adaptive(cap)
    for _ in range(answers):
        answer(adaptive)
    before = adaptive.limit

    assert min(lasting(adaptive, 30 + before, times=5)) < before


def test_the_last_answers_of_a_run_are_no_collapse():
    adaptive = settled()
    for _ in range(200):
        answer(adaptive, in_flight=1)

    assert adaptive.limit == 50


def test_it_takes_twenty_answers_to_know_what_is_usual():
    assert lasting(settled(ENOUGH - 3, limit=10), 3, times=1e6) == [10, 10, 7]


def test_what_stays_slow_becomes_usual_and_lets_it_grow_again():
    adaptive = settled()
    lowest = min(lasting(adaptive, 1000))

    assert lowest < 10
    assert lasting(adaptive, 2000)[-1] == 50


def test_an_answer_that_took_no_time_breaks_nothing():
    adaptive = settled()
    adaptive.answered(50, 0.0, 0)

    assert adaptive.limit == 50


@given(
    cap=st.integers(1, 200),
    events=st.lists(
        st.sampled_from(["grow", "idle", "cut", "trust"]) | st.floats(0, 1e6), max_size=200
    ),
)
def test_it_stays_between_one_and_its_cap(cap, events):
    adaptive = Adaptive(cap)
    for event in events:
        before = adaptive._limit
        match event:
            case "grow":
                answer(adaptive)
            case "idle":
                answer(adaptive, in_flight=1)
                assert before < 2 or adaptive._limit in (before, max(1, before * CUT))
            case "cut":
                adaptive.cut()
                assert adaptive._limit == max(1, before * CUT)
            case "trust":
                adaptive.trust()
            case seconds:
                adaptive.answered(adaptive.limit, seconds, 0)
        assert 1 <= adaptive.limit <= cap


def test_another_cap_holds_at_once_and_a_higher_one_is_grown_into():
    adaptive = Adaptive(8, start=8)
    adaptive.bound(3)
    assert adaptive.limit == 3
    adaptive.bound(20)
    assert adaptive.limit == 3
    adaptive.trust()
    assert adaptive.limit == 20
