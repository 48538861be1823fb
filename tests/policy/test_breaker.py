"""A breaker opens on faults, rests for longer and longer, and comes back by one canary."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.policy.breaker import FIRST_REST, HALF, IN_A_ROW, LONGEST_REST, Breaker, State


def opened(at=0.0):
    """A breaker that has just opened."""
    breaker = Breaker()
    for _ in range(IN_A_ROW):
        breaker.fail(at, breaker.generation)
    assert breaker.state(at) is State.OPEN
    return breaker


def play(breaker, outcomes):
    """Feed ``+`` and ``-``; returns after how many the breaker opened, or None."""
    for count, outcome in enumerate(outcomes, 1):
        if outcome == "+":
            breaker.succeed(breaker.generation)
        else:
            breaker.fail(0, breaker.generation)
        if breaker.state(0) is State.OPEN:
            return count
    return None


@pytest.mark.parametrize(
    ("outcomes", "opens_after"),
    [
        ("-----", 5),
        ("----+----+", None),
        ("++++-----", 9),
        ("+" * 1000 + "-----", 1005),
        # half of the last twenty
        ("-+" * 10, 19),
        ("--+" * 7, 14),
        ("-++" * 20, None),
        ("----+----+" + "--", 12),
        # what is long ago is forgotten
        ("----+----+" + "+" * 20 + "----+----+", None),
        ("----+----+" + "+" * 8 + "--", 20),
        ("----+----+" + "+" * 9 + "--", None),
    ],
)
def test_it_opens_on_five_faults_in_a_row_or_half_of_the_last_twenty(outcomes, opens_after):
    assert play(Breaker(), outcomes) == opens_after


def test_a_closed_breaker_lets_everything_pass():
    breaker = Breaker()
    for _ in range(100):
        assert breaker.wait(0) == 0
        breaker.begin(0)

    assert breaker.state(0) is State.CLOSED


def test_an_open_one_lets_nothing_pass_until_its_rest_is_over():
    breaker = opened(at=100)

    for now, state, wait in [
        (100, State.OPEN, 5),
        (104, State.OPEN, 1),
        (105, State.TRIAL, 0),
        (500, State.TRIAL, 0),
    ]:
        assert (breaker.state(now), breaker.wait(now)) == (state, wait)


def test_in_a_trial_one_canary_goes_and_the_others_wait_for_its_news():
    breaker = opened()
    breaker.begin(5)

    assert breaker.wait(5) == math.inf
    assert breaker.wait(1000) == math.inf
    breaker.succeed(breaker.generation)
    assert breaker.state(5) is State.CLOSED
    assert breaker.wait(5) == 0


def test_a_request_that_goes_before_the_trial_is_no_canary():
    breaker = opened()
    breaker.begin(1)

    assert breaker.wait(1) == 4


def test_rests_double_with_each_canary_that_fails_up_to_a_minute():
    breaker, now, rests = opened(), 0.0, []
    for _ in range(6):
        rests.append(breaker.wait(now))
        now += breaker.wait(now)
        breaker.begin(now)
        breaker.fail(now, breaker.generation)

    assert rests == [FIRST_REST, 10, 20, 40, LONGEST_REST, LONGEST_REST]


def test_a_canary_that_is_answered_makes_everything_good():
    breaker = opened()
    breaker.begin(5)
    breaker.fail(5, breaker.generation)
    breaker.begin(15)
    breaker.succeed(breaker.generation)

    assert play(breaker, "----+") is None, "the faults before are forgotten"
    assert play(breaker, "-----") == 5
    assert breaker.wait(0) == FIRST_REST, "and the long rest as well"


def test_a_canary_that_tells_nothing_lets_another_one_go():
    breaker = opened()
    breaker.begin(5)
    breaker.forget(breaker.generation)

    assert breaker.state(6) is State.TRIAL
    assert breaker.wait(6) == 0


def test_every_change_of_state_begins_a_generation():
    breaker = opened()
    assert breaker.generation == 1
    breaker.begin(5)
    breaker.fail(5, 1)
    assert breaker.generation == 2
    breaker.begin(15)
    breaker.succeed(2)
    assert breaker.generation == 3
    breaker.succeed(3)
    breaker.fail(16, 3)
    assert breaker.generation == 3


@given(now=st.floats(0, 1e6), opening=st.floats(0, 1e6))
def test_waiting_as_long_as_told_is_enough_and_the_next_one_is_the_canary(now, opening):
    breaker = opened(at=opening)
    now += breaker.wait(now)

    assert breaker.wait(now) == 0
    breaker.begin(now)
    assert breaker.wait(now) == math.inf


@given(
    late=st.lists(
        st.tuples(st.sampled_from(["succeed", "fail", "forget"]), st.integers(-1, 5)), max_size=20
    ),
    trial=st.booleans(),
)
def test_late_news_changes_nothing(late, trial):
    breaker, twin = opened(), opened()
    if trial:
        breaker.begin(5)
        twin.begin(5)
    for news, generation in late:
        if generation == breaker.generation:
            continue
        if news == "fail":
            breaker.fail(6, generation)
        else:
            getattr(breaker, news)(generation)
        assert breaker == twin


@given(steps=st.lists(st.tuples(st.sampled_from("+-?"), st.floats(0, 30)), max_size=100))
def test_whatever_happens_it_lets_a_request_pass_within_a_minute(steps):
    breaker, now, out = Breaker(), 0.0, []
    for outcome, pause in steps:
        now += pause
        if breaker.wait(now) == 0:
            breaker.begin(now)
            out.append(breaker.generation)
        if not out:
            continue
        generation = out.pop(0)
        match outcome:
            case "+":
                breaker.succeed(generation)
            case "-":
                breaker.fail(now, generation)
            case "?":
                breaker.forget(generation)
    for generation in out:
        breaker.forget(generation)

    assert breaker.wait(now) <= LONGEST_REST
    assert HALF > IN_A_ROW
