"""Each axis of a quota keeps to the lower of what is named, and to what was found beside it."""

import pytest

from batchrunner.policy.axis import SLACK, Axis
from batchrunner.policy.quota import Quota
from batchrunner.policy.ratelimit import NOTHING, Advertised, Limit
from tests.policy.builders import burst, capacity, limits, probe, requests, tokens, wait_for

BIN = 0.5  #: a little more than a window of a minute errs


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
    quota.advertise(0, said, None, 0, 0)

    assert limits(quota) == expect
    assert quota.known == (expect != (None, None))


@pytest.mark.parametrize(
    ("configured", "said"), [(Limit(60, 60), Limit(10, 10)), (Limit(10, 10), Limit(60, 60))]
)
def test_of_two_limits_of_the_same_pace_the_service_knows_the_span(configured, said):
    quota = Quota(configured)
    quota.advertise(0, Advertised(said, None), None, 0, 0)

    assert quota._requests.named.limit == said


def test_a_lower_advertised_limit_wins_only_while_it_lasts():
    quota = Quota(*CONFIGURED)
    story = [(400, 400), (200, 200), (600, 600), (1000, 1000), (5000, 1000), (300, 300)]
    for moment, (said, expect) in enumerate(story):
        quota.advertise(moment, Advertised(None, Limit(said, 60)), None, 0, 0)
        assert limits(quota) == (100, expect)


def test_what_an_advertisement_leaves_out_still_holds():
    quota = Quota()
    quota.advertise(0, Advertised(Limit(5, 60), Limit(50, 60)), None, 0, 0)
    quota.advertise(1, Advertised(None, Limit(40, 60)), None, 0, 0)
    assert limits(quota) == (5, 40)
    quota.advertise(2, Advertised(Limit(6, 60), None), None, 0, 0)
    assert limits(quota) == (6, 40)
    quota.advertise(3, NOTHING, None, 0, 0)
    assert limits(quota) == (6, 40)


def test_what_was_taken_before_a_limit_was_known_counts_under_it():
    quota = Quota()
    for _ in range(5):
        quota.take(0, 10)
    quota.advertise(1, Advertised(Limit(5, 60), Limit(80, 60)), None, 0, 0)

    assert 59 < wait_for(quota, 1, 10) < 60 + BIN


# --- what nobody names is discovered


def test_where_nobody_names_a_limit_the_one_that_was_met_is_kept_to():
    quota = Quota()
    burst(quota, 0, 7)
    quota.pass_(20, 20, probe(quota, 20))

    assert limits(quota) == (7, None)
    assert not quota.known, "nobody said so"
    for _ in range(6):
        assert wait_for(quota, 20, 1) == 0
        quota.take(20, 1)
    assert wait_for(quota, 20, 1) > 19
    assert quota.use(20) == 1


def test_what_was_on_its_way_when_the_quota_closed_counts_for_the_limit_too():
    quota = Quota()
    for _ in range(3):
        quota.take(0, 1)
    burst(quota, 0, 7)
    for _ in range(3):
        quota.pass_(1, 0, 0)
    quota.pass_(20, 20, probe(quota, 20))

    assert limits(quota) == (10, None)


def test_what_was_refused_does_not_count_for_the_limit():
    quota = Quota()
    for _ in range(10):
        quota.take(0, 1)
    for _ in range(3):
        quota.refuse(0, 1)
        quota.throttle(0, 0, 1, 0, requests(10))
    quota.pass_(20, 20, probe(quota, 20))

    assert limits(quota) == (7, None)


def test_a_token_limit_that_nobody_names_is_found_in_tokens():
    quota = Quota()
    for _ in range(7):
        quota.take(0, 100)
    quota.take(0, 100)
    quota.refuse(0, 100)
    quota.throttle(0, 0, 1, quota.generation, tokens(10))
    quota.pass_(20, 20, probe(quota, 20))

    assert limits(quota) == (None, 700)


def test_a_burst_teaches_once_however_many_probes_fail():
    quota, twin = Quota(), Quota()
    for each in (quota, twin):
        burst(each, 0, 10)
        each.pass_(20, 20, probe(each, 20))
        for _ in range(9):
            each.take(20, 1)
        each.pass_(20, 20, each.generation)
        each.pass_(65, 65, each.generation)
        assert each._requests.discovery.is_trying
        each.throttle(66, 66, 1, each.generation, requests(10))
    for now in (76, 86, 96):
        quota.throttle(now, now, 1, probe(quota, now), requests(10))

    assert quota._requests.discovery == twin._requests.discovery


def test_a_limit_that_somebody_names_holds_beside_the_discovered_one():
    quota = Quota()
    burst(quota, 0, 7)
    quota.pass_(20, 20, probe(quota, 20))
    quota.advertise(21, Advertised(Limit(1000, 60), Limit(1000, 60)), None, 0, 0)

    assert limits(quota) == (7, 1000)


def test_a_belief_that_held_gives_way_to_the_limit_that_somebody_names():
    quota = Quota()
    burst(quota, 0, 7)
    quota.pass_(20, 20, probe(quota, 20))
    quota.advertise(21, Advertised(Limit(1000, 60), None), None, 0, 0)
    for _ in range(6):
        quota.take(21, 1)
    quota.pass_(21, 21, quota.generation)
    assert limits(quota) == (7, None)
    quota.pass_(61, 61, quota.generation)

    assert limits(quota) == (1000, None)


def test_two_429s_with_a_named_limit_hardly_used_meant_another_limit():
    quota = Quota(Limit(100, 60))
    burst(quota, 0, 7)
    quota.pass_(20, 20, probe(quota, 20))
    assert limits(quota) == (100, None), "a single surprise proves nothing"

    burst(quota, 100, 5)
    quota.pass_(120, 120, probe(quota, 120))
    assert limits(quota) == (5, None)


def test_a_named_limit_that_was_nearly_used_up_explains_the_429():
    quota = Quota(Limit(10, 60))
    burst(quota, 0, 9)
    quota.pass_(61, 61, probe(quota, 61))

    assert limits(quota) == (10, None)
    assert quota._requests.discovery.believed is None


@pytest.mark.parametrize("cause", [requests, tokens])
def test_only_the_axis_that_the_429_names_learns(cause):
    quota = Quota()
    for _ in range(5):
        quota.take(0, 100)
    quota.throttle(0, 0, 1, 0, cause(10))
    quota.pass_(20, 20, probe(quota, 20))

    assert limits(quota) == ((5, None) if cause is requests else (None, 500))


def test_a_lack_of_capacity_teaches_nothing():
    quota = Quota()
    for _ in range(7):
        quota.take(0, 1)
        quota.pass_(0, 0, quota.generation)
    quota.throttle(1, 1, 1, quota.generation, capacity())
    quota.throttle(21, 21, 1, probe(quota, 21), capacity())
    quota.pass_(42, 42, probe(quota, 42))

    assert limits(quota) == (None, None)


def test_a_lack_of_capacity_does_not_spoil_what_was_learned():
    quota = Quota()
    burst(quota, 0, 7)
    quota.pass_(20, 20, probe(quota, 20))
    learned = quota._requests.found.limit
    quota.throttle(21, 21, 1, quota.generation, capacity())
    quota.pass_(200, 200, probe(quota, 200))

    assert quota._requests.found.limit == learned


# --- what is early leaves more time for the way


def met(times, used):
    """A quota of ten a minute after so many 429s that came with ``used`` of them taken."""
    quota = Quota(Limit(10, 60))
    for now in range(0, 300 * times, 300):
        for _ in range(used):
            quota.take(now, 1)
        quota.throttle(now, now, 1, quota.generation, requests(1))
        quota.pass_(now + 100, now + 100, probe(quota, now + 100))
    return quota


@pytest.mark.parametrize(("times", "slack"), [(0, 1), (1, 2), (2, 4), (3, 4), (9, 4)])
def test_a_429_with_the_window_nearly_used_up_doubles_the_slack(times, slack):
    quota = met(times, 9)
    for _ in range(10):
        quota.take(5000, 1)

    assert wait_for(quota, 5000, 1) - 60 == pytest.approx(slack * SLACK)


def test_a_429_with_the_window_hardly_used_leaves_the_slack_as_it_is():
    quota = met(1, 8)

    assert quota._requests.patience == 1


def test_the_very_next_request_is_left_more_time():
    axis = Axis(Limit(10, 60))
    axis.take(0, 10)
    axis.stopped(0)
    axis.take(100, 10)

    assert axis.wait(100, 1) == pytest.approx(60 + 2 * SLACK)


def test_a_try_that_fails_leaves_the_slack_as_it_is():
    quota = Quota()
    burst(quota, 0, 10)
    quota.pass_(20, 20, probe(quota, 20))
    for _ in range(9):
        quota.take(20, 1)
    quota.pass_(20, 20, quota.generation)
    quota.pass_(60, 60, quota.generation)
    assert quota._requests.discovery.is_trying
    for _ in range(10):
        quota.take(60, 1)
    quota.throttle(61, 60, 1, quota.generation, requests(1))

    assert quota._requests.patience == 1


# --- minutes that are judged whole


def whole(left, limit=600.0):
    """What a reply says that names a minute's requests, and how many of them are left."""
    return Advertised(Limit(limit / 6, 10), None, None, Limit(limit, 60), left)


def test_a_minute_is_taken_to_be_judged_in_slices():
    quota = Quota()
    quota.advertise(1, whole(left=500), None, 0, 0)

    assert quota._requests.named.limit == Limit(100, 10)


@pytest.mark.parametrize(
    ("left", "limit"),
    [(450, Limit(100, 10)), (449, Limit(600, 60)), (None, Limit(100, 10)), (1, Limit(600, 60))],
)
def test_who_counts_more_than_a_slice_at_a_time_does_not_cut_the_minute(left, limit):
    quota = Quota()
    quota.advertise(1, whole(left), None, 0, 0)

    assert quota._requests.named.limit == limit


def test_what_is_known_of_the_minute_is_not_forgotten():
    quota = Quota()
    for left in (400, 599, None):
        quota.advertise(1, whole(left), None, 0, 0)
        assert quota._requests.named.limit == Limit(600, 60)
    quota.advertise(2, whole(290, limit=300), None, 0, 0)
    assert quota._requests.named.limit == Limit(300, 60)


def test_a_configured_minute_that_is_advertised_whole_becomes_whole():
    quota = Quota(Limit(100, 10))
    quota.advertise(1, whole(left=300), None, 0, 0)

    assert quota._requests.named.limit == Limit(600, 60)


# --- what is said of a limit


@pytest.mark.parametrize(
    ("configured", "advertised", "expect"),
    [
        (None, None, None),
        (Limit(100, 60), None, 100),
        (Limit(10, 10), None, 60),
        (Limit(100, 60), Limit(5, 10), 30),
        (Limit(100, 60), Limit(5000, 60), 100),
    ],
)
def test_a_limit_per_minute_is_the_one_that_holds(configured, advertised, expect):
    axis = Axis(configured)
    axis.advertise(0, advertised)

    assert axis.per_minute == expect


def test_a_limit_per_minute_that_was_found_below_the_named_one_is_the_one_that_holds():
    axis = Axis(Limit(100, 60))
    axis.discovery.believed = Limit(4, 10)
    axis.adopt(0)

    assert axis.per_minute == 24


def test_a_limit_per_minute_is_told_as_the_service_counts():
    axis = Axis(Limit(90_000, 60), factor=1.7)

    assert axis.per_minute == 90_000


def test_a_refused_request_counts_for_a_limit_that_is_named_and_not_for_one_that_is_found():
    axis = Axis(None)
    for _ in range(3):
        axis.take(0, 1)
    axis.refuse(0)

    assert (axis.named.used(1), axis.found.used(1)) == (3, 2)
