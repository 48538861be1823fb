"""A quota keeps to its limits, closes once a burst, and comes back one request at a time."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.policy.quota import LONGEST_PAUSE, SLACK, Quota
from batchrunner.policy.ratelimit import NOTHING, Advertised, Limit
from batchrunner.policy.verdict import Cause, Throttled

BIN = 0.5  #: a little more than a window of a minute errs


def requests(wait=None):
    return Throttled(Cause.REQUESTS, wait)


def tokens(wait=None):
    return Throttled(Cause.TOKENS, wait)


def capacity(wait=20.0):
    return Throttled(Cause.CAPACITY, wait)


def limits(quota):
    """How many requests, and how many tokens, may be taken at once."""
    window = quota._request_window.limit, quota._token_window.limit
    return tuple(limit.amount if math.isfinite(limit.amount) else None for limit in window)


def closed(*, wait=None, at=0.0):
    """A quota that nothing is known of, closed by a burst at ``at``."""
    quota = Quota()
    assert quota.throttle(at, quota.generation, requests(wait))
    return quota


def probe(quota, now):
    """Send the one request that goes first; returns its generation."""
    assert quota.wait(now, 1) == 0
    quota.take(now, 1)
    return quota.generation


# --- windows


def test_a_quota_without_limits_never_waits():
    quota = Quota()
    for _ in range(1000):
        assert quota.wait(0, 1e6) == 0
        quota.take(0, 1e6)

    assert not quota.known
    assert quota.use(0) == 0


def test_requests_and_tokens_are_both_paid_and_the_scarcer_one_decides():
    quota = Quota(Limit(10, 60), Limit(1000, 60))
    for _ in range(4):
        quota.take(0, 200)

    assert quota.known
    assert quota.use(0) == 0.8
    assert quota.wait(0, 200) == 0
    assert 60 < quota.wait(0, 201) < 61
    for _ in range(6):
        quota.take(0, 0)
    assert 60 < quota.wait(0, 0) < 61


def test_a_request_counts_a_little_longer_for_the_time_on_its_way():
    minute, second = Quota(Limit(1, 60)), Quota(Limit(1, 1))
    for quota in (minute, second):
        quota.take(0, 0)

    assert 60 + SLACK <= minute.wait(0, 0) <= 60 + SLACK + BIN
    assert 1.02 <= second.wait(0, 0) < 1.04


@pytest.mark.parametrize(("size", "fits"), [(0, True), (1000, True), (1001, False)])
def test_a_request_fits_unless_it_is_larger_than_the_whole_limit(size, fits):
    assert Quota(tokens=Limit(1000, 60)).fits(size) is fits
    assert Quota().fits(size)


def test_what_never_arrived_is_given_back_whole():
    quota = Quota(Limit(1, 60), Limit(100, 60))
    quota.take(0, 100)
    quota.give_back(0, 100, quota.generation)

    assert quota.wait(0, 100) == 0
    assert quota.use(0) == 0


def test_what_never_arrived_is_not_given_back_out_of_later_requests():
    quota = Quota(Limit(2, 10))
    quota.take(0, 0)
    quota.take(9, 0)
    assert quota.wait(12, 0) == 0

    quota.give_back(0, 0, quota.generation)  # its connection took twelve seconds to fail
    quota.take(12, 0)

    assert quota.wait(12, 0) > 7, "the request at 9 and the one at 12 still count"


def test_a_throttled_request_counts_as_a_request_but_its_tokens_come_back():
    quota = Quota(Limit(2, 60), Limit(100, 60))
    quota.take(0, 100)
    quota.refund(0, 100)

    assert quota._token_window.used(0) == 0
    assert quota._request_window.used(0) == 1


# --- limits that somebody names

CONFIGURED = (Limit(100, 60), Limit(1000, 60))


@pytest.mark.parametrize(
    ("configured", "said", "expect"),
    [
        # nothing is configured: what is advertised holds
        ((None, None), Advertised(Limit(5, 60), Limit(50, 60)), (5, 50)),
        ((None, None), Advertised(Limit(5, 60), None), (5, None)),
        ((None, None), NOTHING, (None, None)),
        # the lower one holds
        (CONFIGURED, NOTHING, (100, 1000)),
        (CONFIGURED, Advertised(Limit(50, 60), Limit(2000, 60)), (50, 1000)),
        (CONFIGURED, Advertised(None, Limit(500, 60)), (100, 500)),
        # by pace, not by amount: 20 in ten seconds is more than 100 in a minute
        (CONFIGURED, Advertised(Limit(20, 10), None), (100, 1000)),
        (CONFIGURED, Advertised(Limit(10, 10), None), (10, 1000)),
        # one axis is configured, the other advertised
        ((None, Limit(1000, 60)), Advertised(Limit(5, 60), None), (5, 1000)),
    ],
)
def test_the_lower_of_configured_and_advertised_wins(configured, said, expect):
    quota = Quota(*configured)
    quota.advertise(0, said)

    assert limits(quota) == expect
    assert quota.known == (expect != (None, None))


def test_a_lower_advertised_limit_wins_only_while_it_lasts():
    quota = Quota(*CONFIGURED)
    story = [(400, 400), (200, 200), (600, 600), (1000, 1000), (5000, 1000), (300, 300)]
    for moment, (said, expect) in enumerate(story):
        quota.advertise(moment, Advertised(None, Limit(said, 60)))
        assert limits(quota) == (100, expect)


def test_what_an_advertisement_leaves_out_still_holds():
    quota = Quota()
    quota.advertise(0, Advertised(Limit(5, 60), Limit(50, 60)))
    quota.advertise(1, Advertised(None, Limit(40, 60)))
    assert limits(quota) == (5, 40)
    quota.advertise(2, Advertised(Limit(6, 60), None))
    assert limits(quota) == (6, 40)
    quota.advertise(3, NOTHING)
    assert limits(quota) == (6, 40)


def test_what_was_taken_before_a_limit_was_known_counts_under_it():
    quota = Quota()
    for _ in range(5):
        quota.take(0, 10)
    quota.advertise(1, Advertised(Limit(5, 60), Limit(80, 60)))

    assert 59 < quota.wait(1, 10) < 60 + BIN


# --- bursts


def test_one_burst_is_one_event_however_many_429s_it_has():
    quota = Quota()
    generation = quota.generation
    for _ in range(10):
        quota.take(0, 1)

    assert quota.throttle(1, generation, requests(8)) is True
    for late in range(9):
        assert quota.throttle(1.5 + late, generation, requests(30)) is False

    assert quota.closed_until(1) == 9
    assert quota.throttled == 8
    assert quota.generation == generation + 1


def test_a_closed_quota_opens_when_its_time_is_over():
    quota = closed(wait=8)

    assert quota.wait(0, 1) == 8
    assert quota.wait(5, 1) == 3
    assert quota.closed_until(7.9) == 8
    assert quota.closed_until(8) is None
    assert quota.wait(8, 1) == 0


def test_late_answers_of_a_burst_do_not_open_the_quota():
    quota = Quota()
    quota.take(0, 1)
    quota.take(0, 1)
    quota.throttle(1, 0, requests(8))
    quota.pass_(2, 0, 0)

    assert quota.wait(2, 1) == 7
    probe(quota, 9)
    assert quota.wait(9, 1) == math.inf, "the late answer was not the probe's"


@pytest.mark.parametrize(
    ("asked", "pause"),
    [(None, 1), (0.05, 0.05), (8, 8), (60, 60), (61, LONGEST_PAUSE), (3599, LONGEST_PAUSE)],
)
def test_the_pause_is_what_the_service_asks_for_but_never_more_than_a_minute(asked, pause):
    assert closed(wait=asked).wait(0, 1) == pause


# --- probes


def test_after_a_closed_time_one_request_goes_first():
    quota = closed(wait=8)
    generation = probe(quota, 8)

    assert quota.wait(8, 1) == math.inf
    assert quota.wait(1000, 1) == math.inf
    quota.pass_(9, 8, generation)
    assert quota.wait(9, 1) == 0
    quota.take(9, 1)
    assert quota.wait(9, 1) == 0


def test_a_probe_that_fails_closes_the_quota_again():
    quota = closed(wait=8)
    generation = probe(quota, 8)

    assert quota.throttle(9, generation, requests(5)) is True
    assert quota.wait(9, 1) == 5
    probe(quota, 14)
    assert quota.wait(14, 1) == math.inf


@pytest.mark.parametrize(
    ("asked", "pauses"),
    [
        (None, [1, 2, 4, 8, 16, 32, 60, 60, 60]),
        (0.1, [0.1, 0.5, 1, 2, 4, 8, 16, 16, 16]),
        (3, [3, 3, 3, 3, 4, 8, 16, 16, 16]),
        (30, [30] * 9),
    ],
)
def test_pauses_grow_with_every_probe_that_fails_and_start_anew_after_one_that_passes(
    asked, pauses
):
    quota, now = Quota(), 0.0
    for _ in range(2):
        for pause in pauses:
            generation = probe(quota, now)
            quota.throttle(now, generation, requests(asked))
            assert quota.wait(now, 1) == pytest.approx(pause)
            now += pause
        quota.pass_(now, now, probe(quota, now))


@pytest.mark.parametrize("end", ["forget", "give_back"])
def test_a_probe_that_tells_nothing_lets_another_one_go(end):
    quota = closed(wait=8)
    generation = probe(quota, 8)
    if end == "forget":
        quota.forget(generation)
    else:
        quota.give_back(8, 1, generation)

    probe(quota, 9)
    assert quota.wait(9, 1) == math.inf


def test_late_news_of_an_old_request_does_not_stand_for_the_probe():
    quota = closed(wait=8)
    generation = probe(quota, 8)
    quota.forget(generation - 1)
    quota.give_back(0, 1, generation - 1)
    quota.pass_(9, 0, generation - 1)

    assert quota.wait(9, 1) == math.inf


def test_the_probe_keeps_to_the_windows_too():
    quota = Quota(Limit(1, 60))
    quota.take(0, 1)
    quota.throttle(1, 0, requests(2))

    assert quota.wait(1, 1) > 59


def test_closed_time_adds_up_over_bursts():
    quota = closed(wait=8)
    quota.pass_(9, 8, probe(quota, 8))
    quota.throttle(20, quota.generation, requests(5))

    assert quota.throttled == 13


# --- what nobody names is discovered


def burst(quota, now, count):
    """Let ``count`` requests pass at ``now``, and a 429 end it."""
    for _ in range(count):
        quota.take(now, 1)
        quota.pass_(now, now, quota.generation)
    quota.throttle(now, quota.generation, requests(10))


def test_where_nobody_names_a_limit_the_one_that_was_met_is_kept_to():
    quota = Quota()
    burst(quota, 0, 7)
    quota.pass_(20, 20, probe(quota, 20))

    assert limits(quota) == (7, None)
    assert not quota.known, "nobody said so"


def test_what_passed_after_the_429_counts_for_the_limit_too():
    quota = Quota()
    for _ in range(3):
        quota.take(0, 1)
    burst(quota, 0, 7)
    for _ in range(3):
        quota.pass_(1, 0, 0)
    quota.pass_(20, 20, probe(quota, 20))

    assert limits(quota) == (10, None)


def test_a_burst_teaches_once_however_many_probes_fail():
    quota, twin = Quota(), Quota()
    for each in (quota, twin):
        burst(each, 0, 10)
        each.pass_(20, 20, probe(each, 20))
        for sent in (*[20] * 8, 40):
            each.pass_(sent, sent, each.generation)
        assert each._discovery._trying
        each.throttle(50, each.generation, requests(10))
    for now in (60, 70, 80):
        quota.throttle(now, probe(quota, now), requests(10))

    assert quota._discovery == twin._discovery


def test_a_limit_that_somebody_names_replaces_the_discovered_one():
    quota = Quota()
    burst(quota, 0, 7)
    quota.pass_(20, 20, probe(quota, 20))
    quota.advertise(21, Advertised(None, Limit(1000, 60)))

    assert limits(quota) == (None, 1000)


def test_named_limits_are_not_replaced_by_discovered_ones():
    quota = Quota(Limit(100, 60))
    burst(quota, 0, 7)
    quota.pass_(20, 20, probe(quota, 20))

    assert limits(quota) == (100, None)


def test_a_lack_of_capacity_teaches_nothing():
    quota = Quota()
    for _ in range(7):
        quota.take(0, 1)
        quota.pass_(0, 0, quota.generation)
    quota.throttle(1, quota.generation, capacity())
    quota.throttle(21, probe(quota, 21), capacity())
    quota.pass_(42, 42, probe(quota, 42))

    assert limits(quota) == (None, None)


def test_a_lack_of_capacity_does_not_spoil_what_was_learned():
    quota = Quota()
    burst(quota, 0, 7)
    quota.pass_(20, 20, probe(quota, 20))
    learned = quota._request_window.limit
    quota.throttle(21, quota.generation, capacity())
    quota.pass_(200, 200, probe(quota, 200))

    assert quota._request_window.limit == learned


def test_a_closed_time_that_rounding_leaves_over_is_over():
    quota = Quota()
    quota.throttle(1.8102761116013846, 0, capacity(20))
    now = 3.231315207003414

    assert quota.wait(now + quota.wait(now, 1), 1) == 0


# --- laws


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["pass", "throttle", "capacity", "forget", "lost", "advertise"]),
            st.floats(0, 5),
            st.integers(0, 5),
        ),
        max_size=80,
    ),
    start=st.sampled_from([0.0, 1e9]),
)
def test_whatever_happens_a_quota_opens_again_when_nothing_is_out(steps, start):
    quota, now, out = Quota(tokens=Limit(100, 60)), start, []
    for event, pause, which in steps:
        now += pause
        if quota.wait(now, 10) == 0:
            quota.take(now, 10)
            out.append((now, quota.generation))
        if event == "advertise":
            quota.advertise(now, Advertised(Limit(which + 1, 10), None))
        elif out:
            settle(quota, now, event, *out.pop(which % len(out)))
    for sent, generation in out:
        quota.forget(generation)
        assert sent <= now

    wait = quota.wait(now, 10)
    assert wait <= 2 * LONGEST_PAUSE
    assert quota.wait(now + wait, 10) == 0
    assert quota.use(now + 200) == 0


def settle(quota, now, event, sent, generation):
    match event:
        case "pass":
            quota.pass_(now, sent, generation)
        case "throttle":
            quota.refund(sent, 10)
            quota.throttle(now, generation, tokens())
        case "capacity":
            quota.throttle(now, generation, capacity())
        case "forget":
            quota.forget(generation)
        case "lost":
            quota.give_back(sent, 10, generation)


@given(late=st.lists(st.tuples(st.floats(0, 100), st.none() | st.floats(0.1, 1e4))))
def test_late_429s_change_nothing(late):
    quota, twin = closed(wait=8), closed(wait=8)
    for now, wait in late:
        assert not quota.throttle(now, 0, requests(wait))
        assert quota == twin
