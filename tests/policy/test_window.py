"""A window never grants more than its limit in any span, and says exactly how long to wait."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.policy.ratelimit import Limit
from batchrunner.policy.window import BINS, EPSILON, MEMORY, UNLIMITED, Window

BIN = 60 / BINS  #: by how much a window of a minute may err


def minute(amount=100.0):
    return Window(Limit(amount, 60.0))


# --- stories


def test_a_full_allowance_may_be_taken_at_once():
    window = minute(100)

    assert window.wait(0, 100) == 0
    window.take(0, 100)

    assert window.room(0) == 0
    assert window.used(0) == 100


def test_what_was_taken_counts_for_a_span_and_then_no_more():
    window = minute(100)
    window.take(0, 100)

    assert window.wait(0, 1) == 60
    assert window.wait(30, 1) == 30
    assert window.room(59.9) == 0
    assert window.room(60) == 100


@pytest.mark.parametrize(
    ("amount", "wait"),
    [(0, 0), (10, 0), (11, 60), (50, 60), (51, 70), (100, 80), (1000, 80), (math.inf, 80)],
)
def test_the_wait_is_for_just_as_many_expiries_as_the_amount_needs(amount, wait):
    window = minute(100)
    for moment, taken in ((0, 40), (10, 20), (20, 30)):
        window.take(moment, taken)

    assert wait - EPSILON <= window.wait(0, amount) <= wait + BIN


def test_an_amount_above_the_limit_waits_for_an_empty_window_and_then_goes():
    window = minute(10)
    assert window.wait(0, 25) == 0
    window.take(0, 25)

    assert window.room(0) == -15
    assert window.wait(0, 1) == 60
    assert window.wait(60, 25) == 0


def test_a_shortfall_of_rounding_is_no_shortfall():
    window = minute(0.3)
    for _ in range(3):
        assert window.wait(0, 0.1) == 0
        window.take(0, 0.1)


def test_a_window_errs_towards_waiting_by_less_than_a_bin():
    window = minute(1)
    window.take(0.001, 1)

    assert 60.001 <= window.wait(0, 1) <= 60.001 + BIN
    assert BIN < 0.01 * 60


def test_what_is_kept_together_counts_as_long_as_the_last_of_it():
    window = minute(2)
    window.take(0, 1)
    window.take(0.9 * BIN, 1)

    assert window.used(60 + 0.8 * BIN) == 2
    assert window.used(60 + BIN) == 0


def test_what_comes_out_of_order_counts_at_least_its_own_time():
    window = minute(2)
    window.take(10, 1)
    window.take(0, 1)

    assert window.used(65) == 2
    assert window.used(70 + BIN) == 0


def test_the_wait_for_what_comes_out_of_order_is_enough_too():
    window = minute(3)
    for moment in (0, 10, 5):
        window.take(moment, 1)

    assert window.room(11 + window.wait(11, 3)) == 3


def test_no_limit_never_waits():
    window = Window(UNLIMITED)
    for _ in range(10):
        window.take(0, 1e9)

    assert window.wait(0, 1e15) == 0
    assert window.used(0) / window.limit.amount == 0


@pytest.mark.parametrize(
    ("limit", "taken", "share"),
    [
        (Limit(100, 60), 0, 0),
        (Limit(100, 60), 25, 0.25),
        (Limit(100, 60), 150, 1.5),
        (UNLIMITED, 1e9, 0),
    ],
)
def test_the_share_is_the_part_of_the_limit_that_counts(limit, taken, share):
    window = Window(limit)
    window.take(0, taken)

    assert window.share(59) == share
    assert window.share(61) == 0


def test_however_much_happens_a_window_stays_small():
    window = minute(1e9)
    for step in range(100_000):
        window.take(step / 1000, 1)
        window.used(step / 1000)

    assert len(window._live) <= BINS + 1
    assert len(window._past) <= BINS * MEMORY / 60 + 1


# --- giving back


def test_what_is_given_back_may_be_taken_again_at_once():
    window = minute(10)
    window.take(0, 10)
    window.give_back(0, 4)

    assert window.wait(0, 4) == 0
    assert window.wait(0, 5) == 60


def test_what_is_given_back_is_not_counted_against_another_one():
    window = minute(10)
    window.take(0, 5)
    window.take(30, 5)
    window.give_back(0, 5)

    assert window.room(30) == 5
    assert window.room(61) == 5, "what was taken at 30 counts until 90"
    assert window.room(91) == 10


def test_what_no_longer_counts_cannot_be_given_back():
    window = minute(10)
    window.take(0, 5)
    window.take(50, 5)
    assert window.used(61) == 5

    window.give_back(0, 5)

    assert window.used(61) == 5


@pytest.mark.parametrize("amount", [0, 5, 6, 100, math.inf])
def test_no_more_is_given_back_than_was_taken(amount):
    window = minute(10)
    window.give_back(0, amount)
    window.take(0, 5)
    window.give_back(0, amount)

    assert window.used(0) == max(0, 5 - amount)


# --- another limit


@pytest.mark.parametrize(("amount", "room"), [(100, 40), (200, 140), (50, -10)])
def test_what_was_taken_still_counts_under_another_amount(amount, room):
    window = minute(100)
    window.take(0, 60)
    window.resize(1, Limit(amount, 60))

    assert window.room(1) == room
    assert window.room(60) == amount


def test_what_was_taken_within_a_shorter_span_still_counts_for_that_span():
    window = minute(100)
    window.take(0, 60)
    window.take(25, 30)
    window.resize(30, Limit(100, 10))

    assert window.room(30) == 70
    assert window.wait(30, 100) == pytest.approx(5, abs=2 * BIN)


def test_what_was_taken_counts_longer_under_a_longer_span():
    window = Window(Limit(10, 10))
    window.take(0, 10)
    window.resize(5, Limit(10, 60))

    assert window.room(59) == 0
    assert window.room(60 + BIN) == 10


@pytest.mark.parametrize(("now", "used"), [(10.5, 10), (59, 10), (60.1, 0)])
def test_what_no_longer_counts_is_known_again_under_a_longer_span(now, used):
    window = Window(Limit(10, 10))
    window.take(0, 10)
    assert window.used(now) == 0
    window.resize(now, Limit(10, 60))

    assert window.used(now) == used
    assert window.used(60) == 0
    window.resize(60, Limit(10, 10))
    assert window.used(60) == 0


def test_what_is_known_again_is_known_once_and_in_its_order():
    window = Window(Limit(10, 1))
    for moment in (0, 2, 4):
        window.take(moment, 1 + moment)
        window.used(moment + 1)
    for _ in range(3):
        window.resize(5, Limit(10, 60))
        assert window.used(5) == 9
    assert window.wait(5, 3) == pytest.approx(57, abs=BIN), "the one at 0 and the one at 2"
    window.resize(5, Limit(10, 4))
    assert window.used(5) == 8
    window.resize(5, Limit(10, 2))
    assert window.used(5) == 5


@pytest.mark.parametrize(("at", "remembered"), [(MEMORY - 1, 2), (MEMORY + 1, 1)])
def test_what_no_longer_counts_is_remembered_for_two_minutes(at, remembered):
    window = Window(Limit(10, 1))
    window.take(0, 1)
    window.take(MEMORY - 5, 1)
    window.used(MEMORY - 5)
    window.used(at)

    assert window.taken(-1, at)[0] == remembered


# --- what was taken when


@pytest.mark.parametrize(
    ("since", "until", "taken"),
    [
        (-1, 100, (60, 0)),
        (0, 100, (50, 20)),  # since is the last moment that is left out
        (-1, 20, (30, 0)),  # until is the last one that is not
        (5, 39, (20, 20)),
        (20, 39, (0, 39)),
        (41, 50, (0, 50)),
    ],
)
def test_a_window_tells_what_was_taken_and_when_the_first_of_it(since, until, taken):
    window = Window(Limit(100, 10))
    for moment, amount in ((0, 10), (20, 20), (40, 30)):
        window.take(moment, amount)
        window.used(moment + 5)

    assert window.taken(since, until) == taken
    window.used(50)
    assert window.taken(since, until) == taken, "whether it counts or not"


def test_what_was_given_back_was_not_taken():
    window = minute(100)
    window.take(0, 5)
    window.take(30, 5)
    window.give_back(0, 5)

    assert window.taken(-1, 40) == (5, 30)


def test_a_window_counts_how_often_something_stopped_counting():
    window = minute(100)
    for moment in (0, 10, 20):
        window.take(moment, 5)
    seen = []
    for now in (59, 61, 62, 200):
        window.used(now)
        seen.append(window.expired)

    assert seen == [0, 1, 1, 3]


# --- laws

LIMITS = st.builds(Limit, st.integers(1, 50).map(float), st.sampled_from([0.5, 1.0, 10.0, 60.0]))
STARTS = st.sampled_from([0.0, 1e3, 1e9])
STEPS = st.lists(
    st.tuples(
        st.floats(0, 20),  # seconds until the next taking, or
        st.booleans(),  # exactly as long as the window says
        st.integers(1, 60),  # how much, more than the limit included
        st.floats(0, 1),  # when the service counts it, between sending and slack
        st.booleans(),  # whether it is given back, as it never arrived
    ),
    max_size=60,
)


@given(limit=LIMITS, start=STARTS, steps=STEPS, slack=st.sampled_from([0.0, 0.01, 0.25]))
def test_no_span_ever_holds_more_than_the_limit(limit, start, steps, slack):
    window, now, counted, given_back = Window(limit), start, [], []
    for pause, obey, amount, lateness, returned in steps:
        now += window.wait(now, amount) if obey else pause
        if window.wait(now, amount) > 0:
            if given_back:
                window.give_back(*given_back.pop(0))
            continue
        window.take(now + slack, amount)
        if returned:
            given_back.append((now + slack, amount))
        else:
            counted.append((now + slack * lateness, amount))

    for first, alone in counted:
        held = sum(amount for at, amount in counted if first <= at < first + limit.span - 1e-5)
        assert held <= max(limit.amount, alone) + EPSILON


@given(limit=LIMITS, start=STARTS, steps=STEPS)
def test_waiting_as_long_as_told_is_enough_and_time_goes_on(limit, start, steps):
    window, now = Window(limit), start
    for pause, _, amount, _, _ in steps:
        now += pause / 10
        wait = window.wait(now, amount)
        assert wait >= 0
        if wait > 0:
            assert now + wait > now
            assert wait <= limit.span * (1 + 1 / BINS) + EPSILON
            now += wait
        assert window.wait(now, amount) == 0
        window.take(now, amount)


@given(limit=LIMITS, start=STARTS, steps=STEPS, other=LIMITS)
def test_whatever_is_given_back_or_resized_usage_is_never_negative(limit, start, steps, other):
    window, now = Window(limit), start
    for pause, resize, amount, lateness, returned in steps:
        now += pause / 10
        window.take(now, amount)
        if returned:
            window.give_back(now - lateness, 2 * amount)
            window.give_back(now, amount * lateness)
        if resize:
            window.resize(now, other if window.limit == limit else limit)
        assert window.used(now) >= -EPSILON
        assert window.room(now) <= window.limit.amount + EPSILON

    assert window.used(now + 121) == 0


@given(
    steps=st.lists(st.tuples(st.floats(0, 5), st.integers(1, 20)), min_size=1, max_size=30),
    spans=st.tuples(st.sampled_from([60.0, 30.0, 10.0]), st.sampled_from([60.0, 30.0, 10.0])),
)
def test_resizing_keeps_everything_that_counts_under_both_spans(steps, spans):
    window, now, taken = Window(Limit(1e6, spans[0])), 0.0, []
    for pause, amount in steps:
        now += pause
        window.take(now, amount)
        taken.append((now, amount))

    window.resize(now, Limit(1e6, spans[1]))

    assert window.used(now) >= sum(n for at, n in taken if at + min(spans) > now + EPSILON)


@given(
    steps=st.lists(
        st.tuples(st.floats(0, 5), st.integers(1, 20), st.sampled_from([0.5, 10.0, 60.0])),
        min_size=1,
        max_size=30,
    )
)
def test_no_resize_forgets_what_counts_under_the_span_it_ends_with(steps):
    window, now, taken = Window(Limit(1e6, 60)), 0.0, []
    for pause, amount, span in steps:
        now += pause
        window.resize(now, Limit(1e6, span))
        window.take(now, amount)
        taken.append((now, amount))
        assert window.used(now) >= sum(n for at, n in taken if at + span > now + EPSILON)
    assert window.taken(-1, now)[0] >= sum(n for at, n in taken if at > now - MEMORY)
    assert window.taken(-1, now)[0] <= sum(n for _, n in taken)


def test_an_expiry_that_is_closer_than_the_clock_can_tell_has_happened():
    window = minute(1)
    window.take(1e9, 1)
    expiry = 1e9 + window.wait(1e9, 1)

    assert window.wait(math.nextafter(expiry, 0), 1) == 0


def test_what_is_counted_later_than_now_lets_nothing_go_before_its_time():
    window = Window(Limit(10, 60))
    window.take(0.0, 10)
    window.take(60.02, 1)  # sent at 59.97, with slack for the way

    assert window.used(59.97) == 11


def test_a_window_without_a_limit_keeps_no_more_than_its_memory():
    window = Window(UNLIMITED)
    for second in range(1000):
        window.take(float(second), 1)

    assert len(window._live) + len(window._past) <= 1 + (UNLIMITED.span + MEMORY)


def test_a_copy_remembers_the_same_and_then_goes_its_own_way():
    window = Window(UNLIMITED)
    window.take(0, 5)
    window.take(61, 1)
    copy = window.copy()
    copy.take(61, 2)
    assert (window.used(62), copy.used(62)) == (1, 3)
    assert (window.taken(-1, 62), copy.taken(-1, 62)) == ((6, 0), (8, 0))

    for one in (window, copy):
        one.resize(62, Limit(100, 120))
    assert (window.used(62), copy.used(62)) == (6, 8)


def test_a_copy_forgets_when_the_window_does():
    window = Window(UNLIMITED)
    window.take(0, 5)

    assert window.copy().used(60) == 0


def test_what_a_copy_returns_of_the_past_the_window_keeps():
    window = Window(UNLIMITED)
    window.take(0, 5)
    window.take(61, 1)
    copy = window.copy()
    copy.resize(62, Limit(100, 120))
    copy.give_back(0, 5)

    assert (window.taken(-1, 62), copy.taken(-1, 62)) == ((6, 0), (1, 61))
