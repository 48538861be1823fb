"""A quota keeps to its limits, closes once a burst, and comes back one request at a time."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.policy.axis import SLACK, SLACK_SHARE
from batchrunner.policy.calibration import Mark
from batchrunner.policy.pace import BRISK, PARTS, REFUSAL
from batchrunner.policy.quota import LONGEST_PAUSE, Quota
from batchrunner.policy.ratelimit import NOTHING, Advertised, Limit
from batchrunner.policy.verdict import Cause, Throttled
from batchrunner.policy.window import EPSILON

BIN = 0.5  #: a little more than a window of a minute errs
REFUSED_AFTER = pytest.approx(0.9 * REFUSAL, rel=0.2)  #: what a probe is waited for


def requests(wait=None):
    return Throttled(Cause.REQUESTS, wait)


def tokens(wait=None):
    return Throttled(Cause.TOKENS, wait)


def capacity(wait=20.0):
    return Throttled(Cause.CAPACITY, wait)


def limits(quota):
    """How many requests, and how many tokens, may be taken at once."""
    narrowest = quota._requests.narrowest, quota._tokens.narrowest
    return tuple(limit.amount if math.isfinite(limit.amount) else None for limit in narrowest)


def closed(*, wait=None, at=0.0):
    """A quota that nothing is known of, closed by a burst at ``at``."""
    quota = Quota()
    assert quota.throttle(at, at, 1, quota.generation, requests(wait))
    return quota


def delay(quota, now, tokens):
    """Seconds until both limits and pace allow a request of ``tokens``."""
    return max(quota.wait(now, tokens), quota.pause(now))


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
        assert quota.pause(0) == 0
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


def test_taking_one_lets_no_other_go_before_its_time():
    """A second after the first was sent it may still be counted, for as long as it took."""
    quota = Quota(Limit(3, 1))
    quota.take(0, 0)
    for _ in range(2):
        quota.take(1, 0)

    assert quota._requests.wait(1, 1) == pytest.approx(0.02)
    assert quota._requests.wait(1.02, 1) == 0


def test_however_much_is_sent_without_a_limit_little_is_remembered():
    quota = Quota()
    for n in range(200_000):
        quota.take(n / 10, 1)

    windows = [quota._pace._window]
    for axis in (quota._requests, quota._tokens):
        windows += [axis.named, axis.found]
    assert max(len(window._live) + len(window._past) for window in windows) < 4000


def test_what_never_arrived_is_given_back_whole():
    quota = Quota(Limit(2, 60), Limit(100, 60))
    quota.take(0, 100)
    quota.give_back(0, 100, quota.generation)

    assert quota.use(0) == 0
    assert quota.wait_for_tokens(0, 100) == 0
    assert quota._requests.wait(0, 2) == 0


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
    quota.refuse(0, 100)

    assert quota._tokens.named.used(0) == 0
    assert quota._requests.named.used(0) == 1
    assert quota._requests.found.used(0) == 0, "it is no part of what passed"


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
    quota.advertise(0, said, Mark(), 0, 0)

    assert limits(quota) == expect
    assert quota.known == (expect != (None, None))


@pytest.mark.parametrize(
    ("configured", "said"), [(Limit(60, 60), Limit(10, 10)), (Limit(10, 10), Limit(60, 60))]
)
def test_of_two_limits_of_the_same_pace_the_service_knows_the_span(configured, said):
    quota = Quota(configured)
    quota.advertise(0, Advertised(said, None), Mark(), 0, 0)

    assert quota._requests.named.limit == said


def test_a_lower_advertised_limit_wins_only_while_it_lasts():
    quota = Quota(*CONFIGURED)
    story = [(400, 400), (200, 200), (600, 600), (1000, 1000), (5000, 1000), (300, 300)]
    for moment, (said, expect) in enumerate(story):
        quota.advertise(moment, Advertised(None, Limit(said, 60)), Mark(), 0, 0)
        assert limits(quota) == (100, expect)


def test_what_an_advertisement_leaves_out_still_holds():
    quota = Quota()
    quota.advertise(0, Advertised(Limit(5, 60), Limit(50, 60)), Mark(), 0, 0)
    quota.advertise(1, Advertised(None, Limit(40, 60)), Mark(), 0, 0)
    assert limits(quota) == (5, 40)
    quota.advertise(2, Advertised(Limit(6, 60), None), Mark(), 0, 0)
    assert limits(quota) == (6, 40)
    quota.advertise(3, NOTHING, Mark(), 0, 0)
    assert limits(quota) == (6, 40)


def test_what_was_taken_before_a_limit_was_known_counts_under_it():
    quota = Quota()
    for _ in range(5):
        quota.take(0, 10)
    quota.advertise(1, Advertised(Limit(5, 60), Limit(80, 60)), Mark(), 0, 0)

    assert 59 < quota.wait(1, 10) < 60 + BIN


# --- bursts


def test_one_burst_is_one_event_however_many_429s_it_has():
    quota = Quota()
    generation = quota.generation
    for _ in range(10):
        quota.take(0, 1)

    assert quota.throttle(1, 0, 1, generation, requests(8)) is True
    for late in range(9):
        assert quota.throttle(1.5 + late, 0, 1, generation, requests(30)) is False

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
    quota.throttle(1, 0, 1, 0, requests(8))
    quota.pass_(2, 0, 0)

    assert quota.wait(2, 1) == 7
    probe(quota, 9)
    assert quota.wait(9, 1) == 1.5, "the late answer was not the probe's"


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

    assert quota.wait(8, 1) == pytest.approx(0.18)
    assert quota.wait(8.1, 1) == pytest.approx(0.08)
    quota.pass_(8.1, 8, generation)
    assert quota.wait(8.1, 1) == 0
    quota.take(8.1, 1)
    assert quota.wait(8.1, 1) == 0


def test_a_probe_that_is_not_refused_in_time_is_believed_before_it_is_answered():
    quota = closed(wait=8)
    probe(quota, 8)
    now = 8 + quota.wait(8, 1)
    for _ in range(3):
        assert quota.wait(now, 1) == 0
        quota.take(now, 1)

    assert quota.throttle(now, now, 1, quota.generation, requests()) is True
    assert quota.wait(now, 1) == 1, "it had opened, so this was no failed probe"


@pytest.mark.parametrize(
    ("took", "patience"), [(0, 0.18), (0.1, 0.18), (0.2, 0.3), (2, 3), (4, 5), (60, 5)]
)
def test_how_long_a_refusal_takes_is_learned(took, patience):
    quota = Quota()
    quota.throttle(took, 0, 1, quota.generation, requests(8))
    probe(quota, took + 8)

    assert quota.wait(took + 8, 1) == pytest.approx(patience)


def test_a_quick_refusal_shortens_the_patience_by_a_tenth():
    quota = Quota()
    quota.throttle(2, 0, 1, 0, requests(8))
    quota.throttle(2, 1.9, 1, 0, requests(8))  # late news tells how long it took all the same
    quota.throttle(2, 1.9, 1, 0, requests(8))
    probe(quota, 10)

    assert quota.wait(10, 1) == pytest.approx(3 * 0.9**2)


def test_a_wait_that_was_longer_than_need_be_is_never_trusted_again():
    quota = closed(wait=3599)
    quota.pass_(60, 60, probe(quota, 60))
    quota.throttle(100, 100, 1, quota.generation, requests(30))

    assert quota.wait(100, 1) == 1, "it opened after a minute, long before the hour was over"


@pytest.mark.parametrize("asked", [None, 8, 60])
def test_a_wait_that_was_over_when_the_probe_passed_is_trusted(asked):
    quota = closed(wait=asked)
    now = quota.wait(0, 1)
    quota.pass_(now, now, probe(quota, now))
    quota.throttle(100, 100, 1, quota.generation, requests(30))

    assert quota.wait(100, 1) == 30


def test_a_probe_that_fails_closes_the_quota_again():
    quota = closed(wait=8)
    generation = probe(quota, 8)

    assert quota.throttle(8.1, 8, 1, generation, requests(5)) is True
    assert quota.wait(8.1, 1) == 5
    probe(quota, 13.1)
    assert quota.wait(13.1, 1) == REFUSED_AFTER


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
            quota.throttle(now, now, 1, generation, capacity(asked))
            assert quota.wait(now, 1) == pytest.approx(pause)
            now += pause
        quota.pass_(now, now, probe(quota, now))


@pytest.mark.parametrize("end", ["forget", "give_back"])
def test_a_probe_that_tells_nothing_lets_another_one_go(end):
    quota = closed(wait=8)
    generation = probe(quota, 8)
    if end == "forget":
        quota.forget(8, generation)
    else:
        quota.give_back(8, 1, generation)

    probe(quota, 8.1)
    assert quota.wait(8.1, 1) == REFUSED_AFTER


def test_late_news_of_an_old_request_does_not_stand_for_the_probe():
    quota = closed(wait=8)
    generation = probe(quota, 8)
    quota.forget(8, generation - 1)
    quota.forget(0, generation)
    quota.give_back(0, 1, generation - 1)
    quota.pass_(8.1, 0, generation - 1)

    assert 0 < quota.wait(8.1, 1) <= 0.1


def test_the_probe_keeps_to_the_windows_too():
    quota = Quota(Limit(1, 60))
    quota.take(0, 1)
    quota.throttle(1, 0, 1, 0, requests(2))

    assert quota.wait(1, 1) > 59


def test_closed_time_adds_up_over_bursts():
    quota = closed(wait=8)
    quota.pass_(9, 8, probe(quota, 8))
    quota.throttle(20, 20, 1, quota.generation, requests(5))

    assert quota.throttled == 13


# --- what nobody names is discovered


def burst(quota, now, count):
    """Let ``count`` requests pass at ``now``, and a 429 end it."""
    for _ in range(count):
        quota.take(now, 1)
        quota.pass_(now, now, quota.generation)
    quota.throttle(now, now, 1, quota.generation, requests(10))


def test_where_nobody_names_a_limit_the_one_that_was_met_is_kept_to():
    quota = Quota()
    burst(quota, 0, 7)
    quota.pass_(20, 20, probe(quota, 20))

    assert limits(quota) == (7, None)
    assert not quota.known, "nobody said so"
    for _ in range(6):
        assert quota.wait(20, 1) == 0
        quota.take(20, 1)
    assert quota.wait(20, 1) > 19
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
    quota.advertise(21, Advertised(Limit(1000, 60), Limit(1000, 60)), Mark(), 0, 0)

    assert limits(quota) == (7, 1000)


def test_a_belief_that_held_gives_way_to_the_limit_that_somebody_names():
    quota = Quota()
    burst(quota, 0, 7)
    quota.pass_(20, 20, probe(quota, 20))
    quota.advertise(21, Advertised(Limit(1000, 60), None), Mark(), 0, 0)
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


def test_a_closed_time_that_rounding_leaves_over_is_over():
    quota = Quota()
    quota.throttle(1.8102761116013846, 1.8, 1, 0, capacity(20))
    now = 3.231315207003414

    assert quota.wait(now + quota.wait(now, 1), 1) == 0


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

    assert quota.wait(5000, 1) - 60 == pytest.approx(slack * SLACK)


def test_a_429_with_the_window_hardly_used_leaves_the_slack_as_it_is():
    quota = met(1, 8)

    assert quota._requests.patience == 1


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


# --- tokens as the service counts them


def said(left, limit=1000.0):
    return Advertised(None, Limit(limit, 60), left)


def charged(factor, limit=1000.0):
    """A quota whose service counts ``factor`` tokens for one of ours, and said so."""
    quota = Quota(tokens=Limit(limit, 60))
    mark = quota.take(0, 0.4 * limit)
    quota.advertise(1, said(limit * (1 - 0.4 * factor), limit), mark, 0.4 * limit, 0.4 * limit)
    return quota


@pytest.mark.parametrize("factor", [0.8, 1.2, 1.6])
def test_tokens_are_counted_in_units_of_ours(factor):
    quota = charged(factor)
    room = 1000 / factor - 400

    assert quota._tokens.named.limit.amount == pytest.approx(1000 / factor)
    assert quota.wait_for_tokens(1, room - 0.01) == 0
    assert quota.wait_for_tokens(1, room + 0.01) > 0
    quota.take(1, 100)
    assert quota._tokens.named.used(1) == 500
    quota.refuse(1, 100)
    assert quota._tokens.named.used(1) == 400


def test_a_limit_that_changes_later_is_counted_in_units_of_ours_too():
    quota = charged(1.25)
    quota.advertise(2, Advertised(None, Limit(500, 60)), Mark(), 0, 0)

    assert quota._tokens.named.limit == Limit(400, 60)


@pytest.mark.parametrize(
    ("answer", "fits"), [(100, True), (1000, True), (1001, False), (math.inf, False)]
)
def test_what_fits_is_what_the_limit_says_whatever_the_units(answer, fits):
    assert (answer <= charged(1.25).largest) is fits
    assert answer <= Quota(Limit(1, 60)).largest


def test_what_was_sent_later_is_not_compared():
    quota = Quota(tokens=Limit(1000, 60))
    mark = quota.take(0, 300)
    quota.take(1.5, 300)
    quota.advertise(2, said(left=640), mark, 300, 300)

    assert quota._calibration.factor == pytest.approx(1.2)


def test_what_was_refused_is_not_compared():
    quota = Quota(tokens=Limit(1000, 60))
    quota.take(0, 300)
    quota.refuse(0, 300)
    quota.advertise(1, said(left=640), quota.take(0, 300), 300, 300)

    assert quota._calibration.factor == pytest.approx(1.2)


def test_what_was_sent_together_with_what_was_refused_is_not_compared():
    quota = Quota(tokens=Limit(1000, 60))
    quota.take(0, 300)
    mark = quota.take(0, 300)
    quota.refuse(0, 300)
    quota.advertise(1, said(left=640), mark, 300, 300)

    assert quota._calibration.factor == 1, "of the 600 that were expected only 300 count"


def test_after_the_first_minute_nothing_is_compared():
    quota = Quota(tokens=Limit(1000, 60))
    quota.take(0, 100)
    quota.wait(61, 100)
    quota.advertise(62, said(left=500), quota.take(61, 400), 400, 400)

    assert quota._calibration.factor == 1


def test_what_remains_of_an_unnamed_limit_is_not_compared():
    quota = Quota(tokens=Limit(1000, 60))
    mark = quota.take(0, 400)
    quota.advertise(1, Advertised(Limit(5, 60), None, 200), mark, 400, 400)
    quota.advertise(1, Advertised(None, Limit(1000, 60)), mark, 400, 400)

    assert quota._calibration.factor == 1


def test_a_request_that_was_sent_for_nothing_is_not_compared():
    quota = Quota()
    quota.advertise(1, said(left=100), quota.take(0, 0.0), 0.0, 50.0)

    assert quota._calibration.factor == 1


def used_up(share=0.95):
    """A quota of a thousand tokens a minute, of which so much is taken."""
    quota = Quota(tokens=Limit(1000, 60))
    quota.take(0, 1000 * share)
    return quota


@pytest.mark.parametrize(
    ("verdict", "is_dearer"), [(tokens(8), True), (requests(8), False), (capacity(), False)]
)
def test_a_burst_of_token_429s_makes_tokens_a_little_dearer(verdict, is_dearer):
    quota = used_up()
    for _ in range(3):
        quota.throttle(1, 0, 40, 0, verdict)
    quota.throttle(61, 61, 40, probe(quota, 61), verdict)

    factor = 1000 / 990 if is_dearer else 1
    assert quota._calibration.factor == pytest.approx(factor), "once, not for late news or probes"
    assert quota._tokens.named.limit.amount == pytest.approx(1000 / factor)


def test_a_token_429_far_from_the_limit_does_not_make_tokens_dearer():
    quota = used_up(0.5)
    quota.throttle(1, 0, 40, 0, tokens(8))

    assert quota._calibration.factor == 1


def test_spans_that_were_used_up_make_tokens_a_little_cheaper_again():
    quota = used_up()
    quota.throttle(1, 0, 40, 0, tokens(8))
    quota.pass_(9, 9, probe(quota, 9))
    quota.take(9, 35)
    dear = quota._calibration.factor
    quota.pass_(60, 9, quota.generation)
    assert quota._calibration.factor == dear, "it was a refusal less than a minute ago"
    quota.pass_(61, 9, quota.generation)

    assert 0.999 * dear < quota._calibration.factor < dear
    assert quota._tokens.named.limit.amount == pytest.approx(1000 / quota._calibration.factor)


# --- how long to leave it alone: room for one request, or for all


@pytest.mark.parametrize(
    ("share", "verdict", "pause"),
    [
        # our own count says how much room there will be: ask again as soon as one may pass
        (0.95, Throttled(Cause.TOKENS, 60, 2), 2),
        # a surprise: the limit is not what we think, so wait for all of it
        (0.5, Throttled(Cause.TOKENS, 60, 2), 60),
        (0.95, Throttled(Cause.TOKENS, 60, None), 1),
        (0.95, Throttled(Cause.CAPACITY, 20, 2), 20),
        (0.95, Throttled(Cause.OTHER, 20, 2), 20),
        (0.95, Throttled(Cause.REQUESTS, 20, 2), 20),
    ],
)
def test_what_is_waited_for_depends_on_whether_the_limit_is_known(share, verdict, pause):
    quota = used_up(share)
    quota.throttle(1, 0, 40, 0, verdict)

    assert quota.closed_until(1) == 1 + pause


# --- minutes that are judged whole


def whole(left, limit=600.0):
    """What a reply says that names a minute's requests, and how many of them are left."""
    return Advertised(Limit(limit / 6, 10), None, None, Limit(limit, 60), left)


def test_a_minute_is_taken_to_be_judged_in_slices():
    quota = Quota()
    quota.advertise(1, whole(left=500), Mark(), 0, 0)

    assert quota._requests.named.limit == Limit(100, 10)


@pytest.mark.parametrize(
    ("left", "limit"),
    [(450, Limit(100, 10)), (449, Limit(600, 60)), (None, Limit(100, 10)), (1, Limit(600, 60))],
)
def test_who_counts_more_than_a_slice_at_a_time_does_not_cut_the_minute(left, limit):
    quota = Quota()
    quota.advertise(1, whole(left), Mark(), 0, 0)

    assert quota._requests.named.limit == limit


def test_what_is_known_of_the_minute_is_not_forgotten():
    quota = Quota()
    for left in (400, 599, None):
        quota.advertise(1, whole(left), Mark(), 0, 0)
        assert quota._requests.named.limit == Limit(600, 60)
    quota.advertise(2, whole(290, limit=300), Mark(), 0, 0)
    assert quota._requests.named.limit == Limit(300, 60)


def test_a_configured_minute_that_is_advertised_whole_becomes_whole():
    quota = Quota(Limit(100, 10))
    quota.advertise(1, whole(left=300), Mark(), 0, 0)

    assert quota._requests.named.limit == Limit(600, 60)


# --- the pace of bursts


def sent_at_once(quota, now):
    """How many requests the pace lets go at one moment."""
    count = 0
    while delay(quota, now, 0) == 0 and count < 10_000:
        quota.take(now, 0)
        count += 1
    return count


@pytest.mark.parametrize(
    ("limit", "part"),
    [
        (Limit(16, 10), 4),
        (Limit(80, 10), 80 / PARTS),
        (Limit(33, 60), 32 / PARTS),
        (Limit(3, 60), 3),
    ],
)
def test_a_first_burst_goes_out_in_parts(limit, part):
    quota = Quota(limit)

    assert sent_at_once(quota, 0) == part
    if part < limit.amount:
        assert quota.wait(0, 0) == 0, "that is the pace, not the limit"
        assert REFUSAL <= quota.pause(0) <= REFUSAL * 1.01
        assert sent_at_once(quota, REFUSAL) == part


def test_the_parts_follow_each_other_as_slowly_as_refusals_come():
    quota = Quota(Limit(800, 60))
    quota.throttle(1, 0, 1, 0, requests(1))
    quota.pass_(3, 3, probe(quota, 3))

    assert sent_at_once(quota, 10) == 800 / PARTS
    assert quota.pause(10) == pytest.approx(1.5, rel=0.01)


def saturated():
    """A quota of 80 in ten seconds that is used up in the first few."""
    quota, now = Quota(Limit(80, 10)), 0.0
    for _ in range(80):
        now += delay(quota, now, 0)
        quota.take(now, 0)
    assert now < 3
    return quota


def test_once_the_limit_was_reached_requests_go_one_by_one_at_ten_times_its_pace():
    quota = saturated()

    assert sent_at_once(quota, 10.2) == 1
    assert delay(quota, 10.2, 0) == pytest.approx(10 / 80 / BRISK)


def test_a_limit_of_tokens_paces_as_well_by_the_mean_job():
    quota = Quota(tokens=Limit(8000, 10))
    now = 0.0
    for _ in range(80):
        now += delay(quota, now, 100)
        quota.take(now, 100)

    assert sent_at_once(quota, 10.2) == 1
    assert delay(quota, 10.2, 0) == pytest.approx(10 / 80 / BRISK, rel=0.1)


def test_the_axis_that_is_used_most_sets_the_pace():
    quota = Quota(Limit(1000, 10), Limit(8000, 10))
    now = 0.0
    for _ in range(80):
        now += delay(quota, now, 100)
        quota.take(now, 100)
    assert delay(quota, 10.2, 0) == 0
    quota.take(10.2, 0)

    assert delay(quota, 10.2, 0) == pytest.approx(10 / 80 / BRISK, rel=0.1)


def test_a_quota_that_was_empty_again_may_burst_again():
    quota = saturated()
    quota.take(30, 0)
    quota.pass_(41, 41, quota.generation)

    assert sent_at_once(quota, 42) == 80 / PARTS


def test_where_nothing_is_left_to_pace_for_the_parts_come_back():
    quota = saturated()
    quota.hurry()

    assert sent_at_once(quota, 10.2) > 4


@pytest.mark.parametrize(
    "limit", [Limit(1, 60), Limit(6, 60), Limit(10, 1), Limit(80, 10), Limit(3000, 60)]
)
@pytest.mark.parametrize("refusal", [0.01, 2, 60])
def test_the_pace_never_keeps_a_quota_from_its_limit(limit, refusal):
    quota, spans = Quota(limit), 5
    quota.throttle(refusal, 0, 1, 0, requests(0.01))
    start = refusal + 1.0
    quota.pass_(start, start, probe(quota, start))
    now = start
    count = 1
    while (now := now + delay(quota, now, 1)) < start + spans * limit.span:
        quota.take(now, 1)
        count += 1

    assert count >= 0.95 * spans * limit.amount - 1


# --- laws

NAMED = st.sampled_from(
    [Limit(3, 1.0), Limit(5, 10.0), Limit(40, 10.0), Limit(8, 60.0), Limit(1, 0.5)]
)
EVENTS = ["pass", "throttle", "tokens", "capacity", "forget", "lost", "hurry"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(EVENTS),
        st.floats(0, 5) | st.none(),  # seconds later; None is as long as it takes
        st.integers(0, 5),  # which of those on their way ends
        st.floats(0, 1),  # how much of the slack the way took
    ),
    max_size=80,
)


@given(limit=NAMED, is_advertised=st.booleans(), start=st.sampled_from([0.0, 1e6]), steps=STEPS)
def test_no_span_ever_holds_more_than_the_named_limit(limit, is_advertised, start, steps):
    quota, now, out, arrived = Quota(None if is_advertised else limit), start, [], []
    if is_advertised:
        quota.advertise(now, Advertised(limit, None), Mark(), 0, 0)
    for event, pause, which, lateness in steps:
        now += delay(quota, now, 10) if pause is None else pause
        while delay(quota, now, 10) == 0:
            quota.take(now, 10)
            out.append((now, quota.generation))
            arrived.append((now + lateness * min(SLACK, SLACK_SHARE * limit.span), now))
        if out:
            sent, generation = out.pop(which % len(out))
            settle(quota, now, event, sent, generation)
            if event == "lost":
                arrived.remove(next(one for one in arrived if one[1] == sent))

    for first, _ in arrived:
        assert sum(first <= at < first + limit.span - 1e-5 for at, _ in arrived) <= limit.amount


TOKEN_LIMITS = st.builds(
    Limit, st.sampled_from([50.0, 200.0, 1000.0]), st.sampled_from([1.0, 10.0, 60.0])
)
TOKEN_EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["pass", "tokens", "requests", "lost", "forget", "resize", "count"]),
        st.floats(0, 15) | st.none(),
        st.integers(0, 5),
        st.integers(0, 60),  # tokens of the next request
        TOKEN_LIMITS,
    ),
    max_size=60,
)


@given(limit=TOKEN_LIMITS, is_configured=st.booleans(), events=TOKEN_EVENTS)
def test_no_span_ever_holds_more_than_the_limit_in_units_of_ours(limit, is_configured, events):
    """Whatever is sent, refused, lost and resized: a request that may go leaves it within."""
    quota, now, out, held = Quota(tokens=limit if is_configured else None), 0.0, [], []
    for event, pause, which, amount, other in events:
        now += quota.wait(now, amount) if pause is None else pause
        while quota.wait(now, amount) == 0 and len(out) < 50:
            mark = quota.take(now, amount)
            out.append((now, amount, quota.generation, mark))
            held.append((now, amount))
            named = quota._tokens.named.limit
            assert (
                named.amount == quota._tokens.limit.amount / quota._tokens.factor
                if (quota._tokens.limit)
                else math.isinf(named.amount)
            )
            within = sum(n for at, n in held if at > now - named.span + 1e-5)
            assert within <= max(named.amount, amount) + EPSILON
        if event == "resize":
            quota.advertise(now, Advertised(None, other), Mark(), 0, 0)
        elif out:
            sent, tokens_, generation, mark = out.pop(which % len(out))
            if event == "count":
                left = other.amount * (1 - which / 5)
                said = Advertised(None, limit, max(left, 1))
                quota.advertise(now, said, mark, tokens_, tokens_ + which)
            if event in ("tokens", "requests", "lost"):
                held.remove((sent, tokens_))
            settle(quota, now, event, sent, generation, tokens_)


@given(limit=NAMED, tokens=st.booleans(), start=st.sampled_from([0.0, 1e9]), steps=STEPS)
def test_waiting_as_long_as_told_is_enough_and_time_goes_on(limit, tokens, start, steps):
    quota = Quota(limit, Limit(40, 10) if tokens else None)
    now, out = start, []
    for event, pause, which, _ in steps:
        now += pause or 0.0
        if (wait := quota.wait(now, 10)) > 0:
            assert now + wait > now
            assert quota.wait(now + wait, 10) == 0
        if (wait := quota.pause(now)) > 0:
            assert now + wait > now
            assert delay(quota, now + delay(quota, now, 10), 10) == 0
        now += delay(quota, now, 10)
        quota.take(now, 10)
        out.append((now, quota.generation))
        settle(quota, now, event, *out.pop(which % len(out)))
        for axis in (quota._requests, quota._tokens):
            assert axis.found.limit.amount >= 1
            for window in (axis.named, axis.found):
                assert window.used(now) >= -EPSILON
        paces = [quota._requests.narrowest.pace, quota._tokens.narrowest.pace / quota._mean_tokens]
        assert quota._pace.limit.amount / quota._pace.limit.span >= min(paces) - EPSILON


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from([*EVENTS, "advertise"]),
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
            quota.advertise(now, Advertised(Limit(which + 1, 10), None), Mark(), 0, 0)
        elif out:
            settle(quota, now, event, *out.pop(which % len(out)))
    for sent, generation in out:
        quota.forget(sent, generation)
        assert sent <= now

    wait = quota.wait(now, 10)
    assert wait <= 2 * LONGEST_PAUSE
    assert quota.wait(now + wait, 10) == 0
    assert quota.use(now + 400) == 0


def settle(quota, now, event, sent, generation, amount=10):  # noqa: PLR0913, PLR0917
    match event:
        case "pass" | "count":
            quota.pass_(now, sent, generation)
        case "throttle" | "requests" | "tokens":
            quota.refuse(sent, amount)
            verdict = tokens() if event == "tokens" else requests()
            quota.throttle(now, sent, amount, generation, verdict)
        case "capacity":
            quota.throttle(now, sent, 1, generation, capacity())
        case "forget":
            quota.forget(sent, generation)
        case "lost":
            quota.give_back(sent, amount, generation)
        case "hurry":
            quota.hurry()


@given(late=st.lists(st.tuples(st.floats(0, 100), st.none() | st.floats(0.1, 1e4))))
def test_late_429s_change_nothing_but_how_long_a_refusal_takes(late):
    quota, twin = closed(wait=8), closed(wait=8)
    for now, wait in late:
        assert not quota.throttle(now, 0, 1, 0, requests(wait))
        twin._pace.refusal = quota._pace.refusal
        assert quota == twin
