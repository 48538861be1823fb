"""A quota keeps to its limits, closes once a burst, and comes back one request at a time."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.policy.axis import SLACK, SLACK_SHARE
from batchrunner.policy.pace import BRISK, PARTS, REFUSAL
from batchrunner.policy.quota import LONGEST_PAUSE, Quota
from batchrunner.policy.ratelimit import Advertised, Limit
from batchrunner.policy.verdict import Cause, Throttled
from batchrunner.policy.window import EPSILON
from tests.policy.builders import capacity, probe, requests, tokens, used_up, wait_for

BIN = 0.5  #: a little more than a window of a minute errs
REFUSED_AFTER = pytest.approx(0.9 * REFUSAL, rel=0.2)  #: what a probe is waited for


def closed(*, wait=None, at=0.0):
    """A quota that nothing is known of, closed by a burst at ``at``."""
    quota = Quota()
    assert quota.throttle(at, at, 1, quota.generation, requests(wait))
    return quota


def delay(quota, now, tokens):
    """Seconds until both limits and pace allow a request of ``tokens``."""
    return max(wait_for(quota, now, tokens), quota.pause(now))


# --- windows


def test_a_quota_without_limits_never_waits():
    quota = Quota()
    for _ in range(1000):
        assert wait_for(quota, 0, 1e6) == 0
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
    assert wait_for(quota, 0, 200) == 0
    assert 60 < wait_for(quota, 0, 201) < 61
    for _ in range(6):
        quota.take(0, 0)
    assert 60 < wait_for(quota, 0, 0) < 61


def test_a_request_counts_a_little_longer_for_the_time_on_its_way():
    minute, second = Quota(Limit(1, 60)), Quota(Limit(1, 1))
    for quota in (minute, second):
        quota.take(0, 0)

    assert 60 + SLACK <= wait_for(minute, 0, 0) <= 60 + SLACK + BIN
    assert 1.02 <= wait_for(second, 0, 0) < 1.04


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
    assert wait_for(quota, 12, 0) == 0

    quota.give_back(0, 0, quota.generation)  # its connection took twelve seconds to fail
    quota.take(12, 0)

    assert wait_for(quota, 12, 0) > 7, "the request at 9 and the one at 12 still count"


def test_a_throttled_request_counts_as_a_request_but_its_tokens_come_back():
    quota = Quota(Limit(2, 60), Limit(100, 60))
    quota.take(0, 100)
    quota.refuse(0, 100)

    assert quota._tokens.named.used(0) == 0
    assert quota._requests.named.used(0) == 1
    assert quota._requests.found.used(0) == 0, "it is no part of what passed"


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

    assert wait_for(quota, 0, 1) == 8
    assert wait_for(quota, 5, 1) == 3
    assert quota.closed_until(7.9) == 8
    assert quota.closed_until(8) is None
    assert wait_for(quota, 8, 1) == 0


def test_late_answers_of_a_burst_do_not_open_the_quota():
    quota = Quota()
    quota.take(0, 1)
    quota.take(0, 1)
    quota.throttle(1, 0, 1, 0, requests(8))
    quota.pass_(2, 0, 0)

    assert wait_for(quota, 2, 1) == 7
    probe(quota, 9)
    assert wait_for(quota, 9, 1) == 1.5, "the late answer was not the probe's"


@pytest.mark.parametrize(
    ("asked", "pause"),
    [(None, 1), (0.05, 0.05), (8, 8), (60, 60), (61, LONGEST_PAUSE), (3599, LONGEST_PAUSE)],
)
def test_the_pause_is_what_the_service_asks_for_but_never_more_than_a_minute(asked, pause):
    assert wait_for(closed(wait=asked), 0, 1) == pause


# --- probes


def test_after_a_closed_time_one_request_goes_first():
    quota = closed(wait=8)
    generation = probe(quota, 8)

    assert wait_for(quota, 8, 1) == pytest.approx(0.18)
    assert wait_for(quota, 8.1, 1) == pytest.approx(0.08)
    quota.pass_(8.1, 8, generation)
    assert wait_for(quota, 8.1, 1) == 0
    quota.take(8.1, 1)
    assert wait_for(quota, 8.1, 1) == 0


def test_a_probe_that_is_not_refused_in_time_is_believed_before_it_is_answered():
    quota = closed(wait=8)
    probe(quota, 8)
    now = 8 + wait_for(quota, 8, 1)
    for _ in range(3):
        assert wait_for(quota, now, 1) == 0
        quota.take(now, 1)

    assert quota.throttle(now, now, 1, quota.generation, requests()) is True
    assert wait_for(quota, now, 1) == 1, "it had opened, so this was no failed probe"


@pytest.mark.parametrize(
    ("took", "patience"), [(0, 0.18), (0.1, 0.18), (0.2, 0.3), (2, 3), (4, 5), (60, 5)]
)
def test_how_long_a_refusal_takes_is_learned(took, patience):
    quota = Quota()
    quota.throttle(took, 0, 1, quota.generation, requests(8))
    probe(quota, took + 8)

    assert wait_for(quota, took + 8, 1) == pytest.approx(patience)


def test_a_quick_refusal_shortens_the_patience_by_a_tenth():
    quota = Quota()
    quota.throttle(2, 0, 1, 0, requests(8))
    quota.throttle(2, 1.9, 1, 0, requests(8))  # late news tells how long it took all the same
    quota.throttle(2, 1.9, 1, 0, requests(8))
    probe(quota, 10)

    assert wait_for(quota, 10, 1) == pytest.approx(3 * 0.9**2)


def test_a_wait_that_was_longer_than_need_be_is_never_trusted_again():
    quota = closed(wait=3599)
    quota.pass_(60, 60, probe(quota, 60))
    quota.throttle(100, 100, 1, quota.generation, requests(30))

    assert wait_for(quota, 100, 1) == 1, "it opened after a minute, long before the hour was over"


@pytest.mark.parametrize("asked", [None, 8, 60])
def test_a_wait_that_was_over_when_the_probe_passed_is_trusted(asked):
    quota = closed(wait=asked)
    now = wait_for(quota, 0, 1)
    quota.pass_(now, now, probe(quota, now))
    quota.throttle(100, 100, 1, quota.generation, requests(30))

    assert wait_for(quota, 100, 1) == 30


def test_a_probe_that_fails_closes_the_quota_again():
    quota = closed(wait=8)
    generation = probe(quota, 8)

    assert quota.throttle(8.1, 8, 1, generation, requests(5)) is True
    assert wait_for(quota, 8.1, 1) == 5
    probe(quota, 13.1)
    assert wait_for(quota, 13.1, 1) == REFUSED_AFTER


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
            assert wait_for(quota, now, 1) == pytest.approx(pause)
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
    assert wait_for(quota, 8.1, 1) == REFUSED_AFTER


def test_late_news_of_an_old_request_does_not_stand_for_the_probe():
    quota = closed(wait=8)
    generation = probe(quota, 8)
    quota.forget(8, generation - 1)
    quota.forget(0, generation)
    quota.give_back(0, 1, generation - 1)
    quota.pass_(8.1, 0, generation - 1)

    assert 0 < wait_for(quota, 8.1, 1) <= 0.1


def test_the_probe_keeps_to_the_windows_too():
    quota = Quota(Limit(1, 60))
    quota.take(0, 1)
    quota.throttle(1, 0, 1, 0, requests(2))

    assert wait_for(quota, 1, 1) > 59


def test_closed_time_adds_up_over_bursts():
    quota = closed(wait=8)
    quota.pass_(9, 8, probe(quota, 8))
    quota.throttle(20, 20, 1, quota.generation, requests(5))

    assert quota.throttled == 13


def test_a_closed_time_that_rounding_leaves_over_is_over():
    quota = Quota()
    quota.throttle(1.8102761116013846, 1.8, 1, 0, capacity(20))
    now = 3.231315207003414

    assert wait_for(quota, now + wait_for(quota, now, 1), 1) == 0


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
        assert wait_for(quota, 0, 0) == 0, "that is the pace, not the limit"
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
        quota.advertise(now, Advertised(limit, None), None, 0, 0)
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
        now += wait_for(quota, now, amount) if pause is None else pause
        while wait_for(quota, now, amount) == 0 and len(out) < 50:
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
            quota.advertise(now, Advertised(None, other), None, 0, 0)
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
        if (wait := wait_for(quota, now, 10)) > 0:
            assert now + wait > now
            assert wait_for(quota, now + wait, 10) == 0
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
        if wait_for(quota, now, 10) == 0:
            quota.take(now, 10)
            out.append((now, quota.generation))
        if event == "advertise":
            quota.advertise(now, Advertised(Limit(which + 1, 10), None), None, 0, 0)
        elif out:
            settle(quota, now, event, *out.pop(which % len(out)))
    for sent, generation in out:
        quota.forget(sent, generation)
        assert sent <= now

    wait = wait_for(quota, now, 10)
    assert wait <= 2 * LONGEST_PAUSE
    assert wait_for(quota, now + wait, 10) == 0
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
