"""Quotas count as the services do, whichever way that is."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchrunner.simulator.limits import Axis, Quota
from batchrunner.simulator.meters import Counting, meter

EVERY = list(Counting)
MANY = settings(max_examples=60, deadline=None)

#: Moments and amounts: (pause before the call, tokens).
arrivals = st.lists(
    st.tuples(st.floats(0, 40) | st.sampled_from([0.0, 10.0, 1e-7]), st.integers(1, 60)),
    min_size=1,
    max_size=60,
)


def admitted(counting, limit, window, calls, *, phase=0.0):
    """Ask at every moment; what was admitted and when."""
    one, now, taken = meter(counting, limit, window, phase), 0.0, []
    for pause, amount in calls:
        now += pause
        if one.wait(now, amount) <= 0:
            one.take(now, amount)
            taken.append((now, amount))
    return taken


@pytest.mark.parametrize(
    ("counting", "moments", "expected"),
    [
        # two calls in a window of ten seconds
        (Counting.FIXED, [0, 9, 9.5, 10, 19, 19.9, 20], "yes yes no yes yes no yes"),
        (Counting.SLIDING, [0, 9, 9.5, 10, 18.9, 19, 20], "yes yes no yes no yes yes"),
        (Counting.BUCKET, [0, 0, 4.9, 5, 9.9, 10, 20, 20, 20], "yes yes no yes no yes yes yes no"),
    ],
)
def test_a_table_of_moments(counting, moments, expected):
    one, heard = meter(counting, 2, 10), []
    for now in moments:
        fits = one.wait(now, 1) <= 0
        heard.append("yes" if fits else "no")
        if fits:
            one.take(now, 1)

    assert " ".join(heard) == expected


@MANY
@given(calls=arrivals, phase=st.floats(0, 60))
def test_fixed_never_admits_more_than_the_limit_between_two_multiples(calls, phase):
    sums = {}
    for at, amount in admitted(Counting.FIXED, 100, 10, calls, phase=phase):
        index = math.floor((at + phase) / 10 + 1e-9)
        sums[index] = sums.get(index, 0) + amount

    assert all(total <= 100 for total in sums.values())


@MANY
@given(calls=arrivals)
def test_sliding_never_admits_more_than_the_limit_in_any_window(calls):
    taken = admitted(Counting.SLIDING, 100, 10, calls)

    for end, _ in taken:
        assert sum(n for at, n in taken if end - 10 + 1e-6 < at <= end) <= 100


@MANY
@given(calls=arrivals)
def test_a_bucket_never_admits_more_than_its_size_and_what_drained(calls):
    taken = admitted(Counting.BUCKET, 100, 10, calls)

    for first in range(len(taken)):
        for last in range(first, len(taken)):
            span = taken[last][0] - taken[first][0]
            total = sum(amount for _, amount in taken[first : last + 1])
            assert total <= 100 + span * 10 + 1e-6


@MANY
@given(counting=st.sampled_from(EVERY), calls=arrivals, amount=st.integers(1, 100))
def test_after_the_wait_that_was_told_the_amount_fits_and_just_before_it_does_not(
    counting, calls, amount
):
    one, now = meter(counting, 100, 10), 0.0
    for pause, size in calls:
        now += pause
        if one.wait(now, size) <= 0:
            one.take(now, size)
    wait = one.wait(now, amount)

    if wait > 1e-3:
        assert one.wait(now + wait - 1e-4, amount) > 0
    assert one.wait(now + wait, amount) <= 1e-6


@pytest.mark.parametrize("counting", EVERY)
def test_after_the_reset_that_was_told_the_whole_limit_fits(counting):
    one = meter(counting, 100, 10)
    one.take(3.0, 40)
    one.take(4.0, 50)
    reset = one.reset(5.0)

    assert one.wait(5.0 + reset - 0.01, 100) > 0
    assert one.wait(5.0 + reset, 100) <= 1e-6


def test_resets_are_those_of_the_way_of_counting():
    resets = {}
    for counting in EVERY:
        one = meter(counting, 100, 10)
        one.take(3.0, 50)
        resets[counting.value] = one.reset(4.0)

    assert resets == {"fixed": 6.0, "sliding": 9.0, "bucket": pytest.approx(4.0)}


@pytest.mark.parametrize(
    ("counting", "used"),
    [
        (Counting.FIXED, [50, 70, 70, 0, 0]),
        (Counting.SLIDING, [50, 70, 70, 70, 20]),
        (Counting.BUCKET, [50, 50, 20, 0, 0]),
    ],
)
def test_what_counts_is_known_at_every_moment(counting, used):
    one = meter(counting, 100, 10)
    one.take(3.0, 50)
    before = one.used(3.0)
    one.take(5.0, 20)

    assert [before, *(one.used(now) for now in (5.0, 8.0, 10.0, 13.0))] == pytest.approx(used)


def test_a_phase_moves_the_windows():
    one = meter(Counting.FIXED, 1, 60, phase=50)
    one.take(0.0, 1)

    assert one.wait(0.0, 1) == pytest.approx(10)
    assert one.wait(10.0, 1) == 0


@pytest.mark.parametrize("counting", EVERY)
def test_more_than_the_limit_never_fits(counting):
    assert meter(counting, 100, 10).wait(0.0, 101) == math.inf


@pytest.mark.parametrize("counting", EVERY)
def test_a_lowered_limit_holds_at_once_and_a_raised_one_too(counting):
    quota = Quota(meter(counting, 10, 60), None)
    quota.scale(0.0, 0.5)
    passed = [quota.ask(0.0, 1).admitted for _ in range(7)]
    quota.scale(0.0, 1.0)

    assert passed.count(True) == 5
    assert [quota.ask(0.0, 1).admitted for _ in range(7)].count(True) == 5


def test_a_bucket_has_drained_at_the_speed_that_held_until_the_limit_changed():
    bucket = meter(Counting.BUCKET, 60, 60)
    one = Quota(bucket, None)
    bucket.take(0.0, 60)

    one.scale(30.0, 0.5)  # thirty have gone at one a second
    assert bucket.used(30.0) == pytest.approx(30)
    assert bucket.used(50.0) == pytest.approx(20), "from now on it is half as fast"
    one.scale(50.0, 2.0)
    assert bucket.used(55.0) == pytest.approx(10)


def quota(requests=10, tokens=1000, **options):
    return Quota(meter(Counting.FIXED, requests, 60), meter(Counting.FIXED, tokens, 60), **options)


def test_the_axis_that_refuses_is_named_and_the_gauges_tell_the_rest():
    one = quota()
    assert one.ask(0.0, 900).admitted
    refused = one.ask(15.0, 200)

    assert (refused.axis, refused.wait, refused.too_large) == (Axis.TOKENS, 45.0, False)
    assert (refused.requests.remaining, refused.tokens.remaining) == (9, 100)
    assert (refused.tokens.limit, refused.tokens.reset, refused.tokens.window) == (1000, 45.0, 60)


def test_requests_refuse_when_they_are_used_up():
    one = quota(requests=1)
    one.ask(0.0, 1)
    refused = one.ask(0.0, 1)

    assert (refused.axis, refused.asked) == (Axis.REQUESTS, 1)


def test_when_both_refuse_the_longer_wait_is_told():
    one = Quota(meter(Counting.FIXED, 1, 10), meter(Counting.FIXED, 100, 60))
    one.ask(0.0, 100)
    refused = one.ask(1.0, 50)

    assert (refused.axis, refused.wait) == (Axis.TOKENS, 59.0)


def test_a_call_larger_than_the_limit_is_told_apart():
    refused = quota().ask(0.0, 1001)

    assert refused.too_large
    assert (refused.axis, refused.asked) == (Axis.TOKENS, 1001)


def test_a_refused_call_takes_nothing():
    one = quota(tokens=100)
    one.ask(0.0, 80)
    for _ in range(50):
        assert not one.ask(1.0, 50).admitted

    assert one.ask(2.0, 20).requests.remaining == 8


def test_throttled_calls_count_where_the_service_says_so():
    one = quota(requests=3, tokens=100, count_throttled=True)
    one.ask(0.0, 80)
    one.ask(1.0, 50)
    one.ask(1.0, 50)

    assert one.ask(2.0, 20).axis is Axis.REQUESTS


@pytest.mark.parametrize("counting", EVERY)
def test_unused_tokens_come_back_only_with_refunds(counting):
    for refund, free in ((True, True), (False, False)):
        one = Quota(None, meter(counting, 100, 60), refund=refund)
        decision = one.ask(0.0, 100)
        one.settle(0.5, decision, 40)
        assert one.ask(0.5, 60).admitted is free


@pytest.mark.parametrize("counting", EVERY)
def test_a_refund_after_the_window_gives_nothing_more(counting):
    one = Quota(None, meter(counting, 100, 10), refund=True)
    decision = one.ask(0.0, 100)
    assert one.ask(30.0, 100).admitted
    one.settle(30.0, decision, 0)

    late = one.ask(30.0, 100)
    if counting is not Counting.BUCKET:  # a bucket cannot know whose tokens it holds
        assert not late.admitted


def test_without_limits_everything_passes():
    one = Quota(None, None)

    assert all(one.ask(0.0, 10**9).admitted for _ in range(100))
    assert one.ask(0.0, 1).requests is None
