"""What the service charges for a token is read off its own count, and corrected by refusals."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.policy.calibration import (
    COMPLETE,
    EASE,
    HIGHEST,
    LARGEST_STEP,
    LOWEST,
    STEP,
    USED_UP,
    Calibration,
)
from batchrunner.policy.quota import Quota
from batchrunner.policy.ratelimit import Advertised, Limit
from tests.policy.builders import capacity, probe, requests, tokens, used_up, wait_for

MINUTE = Limit(1000.0, 60.0)


class Story:
    """A calibration, and the requests that it has seen go out."""

    def __init__(self):
        self.calibration, self.expected = Calibration(), 0.0

    @property
    def factor(self):
        return self.calibration.factor

    def send(self, now, tokens, expired=0):
        """Returns the mark, and what is told of that request alone."""
        self.expected += tokens
        return self.calibration.mark(now, self.expected, expired), tokens

    def hear(self, sent, used, limit=MINUTE, by_now=None):
        mark, tokens = sent
        now = tokens if by_now is None else by_now
        self.calibration.compare(mark, limit, used, then=tokens, expected=now)


def compared(*requests):
    """The factor after requests of (when, tokens, what the service counts then)."""
    story = Story()
    sent = [story.send(now, tokens) for now, tokens, _ in requests]
    for one, (_, _, used) in zip(sent, requests, strict=True):
        story.hear(one, used)
    return story.factor


def test_one_late_second_alone_tells_no_window_from_a_bucket():
    story = Story()
    story.send(0.0, 900.0)  # what it counts is not comparable any more: something came back
    story.calibration.return_()
    story.hear(story.send(59.9, 33.0), used=934.0)

    assert story.factor == 1, "a bucket would have lost 998 until then, and charge twice as much"


def test_what_is_learned_of_a_request_that_is_not_compared_says_nothing():
    story = Story()
    before = story.send(0.0, 400.0)
    story.calibration.return_()
    after = story.send(1.0, 400.0)
    story.hear(before, used=800.0, by_now=800.0)
    story.hear(after, used=800.0)

    assert story.factor == 1


def test_one_early_second_alone_is_enough():
    assert compared((0.0, 400.0, 440.0)) == pytest.approx(1.1)


def test_to_begin_with_the_service_counts_as_we_do():
    assert Calibration().factor == 1


@pytest.mark.parametrize(("tokens", "used"), [(400, 400), (400, 480), (400, 320), (201, 201)])
def test_the_factor_is_the_ratio_of_both_counts(tokens, used):
    assert compared((0, tokens, used)) == pytest.approx(used / tokens)


def test_too_little_says_nothing():
    assert compared((0, 100, 199)) == 1
    assert compared((0, 100, -50)) == 1
    assert compared((0, 150, 201)) > 1


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.3])
def test_a_service_that_counts_by_windows_is_found_out(factor):
    spread = [(second, 80, factor * 80 * (second + 1)) for second in range(10)]

    assert compared(*spread) == pytest.approx(factor)


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.3])
def test_a_service_that_counts_by_a_bucket_is_found_out(factor):
    """The bucket loses a thousand tokens a minute while it is never empty."""
    spread = [(n, 80, factor * 80 * (n + 1) - n * 1000 / 60) for n in range(10)]

    assert compared(*spread) == pytest.approx(factor)


def test_requests_that_arrive_in_another_order_than_they_left_mislead_nobody():
    left_first, left_last = (0.0, 300, 500), (0.1, 200, 200)

    assert compared(left_first, left_last) == pytest.approx(1)


@pytest.mark.parametrize(("answered", "factor"), [(17, 1), (18, 1.5)])
def test_a_second_is_compared_when_nearly_all_of_it_is_answered(answered, factor):
    assert COMPLETE == 0.9
    story = Story()
    sent = [story.send(0, 40) for _ in range(20)]
    for n, one in enumerate(reversed(sent[-answered:])):
        story.hear(one, 1.5 * (800 - 40 * n))

    assert story.factor == pytest.approx(factor)


def test_once_something_has_stopped_counting_the_counts_are_of_different_requests():
    story = Story()
    story.hear(story.send(61, 400, expired=1), 480)
    assert story.factor == 1


def test_after_a_window_has_begun_anew_nothing_is_compared():
    before = [(0, 300, 360), (1, 300, 720)]
    anew = [(2, 200, 100), (3, 200, 300)]

    assert compared(*before, *anew) == pytest.approx(1.2)


def test_marks_that_were_made_with_what_does_not_count_say_nothing():
    story = Story()
    wrong = story.send(0, 800)
    story.calibration.return_()
    story.expected = 0
    story.hear(wrong, 900)
    assert story.factor == 1

    story.hear(story.send(1, 600), 900)
    assert story.factor == pytest.approx(1.5)


def test_what_was_learned_of_the_job_since_is_no_difference_between_the_service_and_us():
    """We expected 400, and know by now that it is 500: so the service counts as we do."""
    story = Story()
    story.hear(story.send(0, 400), 500, by_now=500)

    assert story.factor == pytest.approx(1)


@pytest.mark.parametrize(("tokens", "used", "factor"), [(100, 900, HIGHEST), (900, 300, LOWEST)])
def test_an_absurd_ratio_is_a_misunderstanding(tokens, used, factor):
    assert compared((0, tokens, used)) == factor


def test_requests_that_were_expected_to_take_nothing_say_nothing():
    assert compared((0, 0, 900), (0, 0, 900)) == 1


# --- refusals


@pytest.mark.parametrize(
    ("used", "refused", "factor"),
    [
        (950, 60, STEP),  # it says less than we knew
        (950, 50, STEP),
        (900, 90, 1000 / 990),
        (500, 100, LARGEST_STEP),
    ],
)
def test_a_refusal_says_how_much_more_is_counted_but_no_more_than_a_step(used, refused, factor):
    calibration = Calibration()
    calibration.correct(0, MINUTE, used, refused)

    assert calibration.factor == pytest.approx(factor)


def test_every_refusal_adds_at_least_a_little_up_to_a_limit():
    calibration, before = Calibration(), 1.0
    for _ in range(10):
        calibration.correct(0, MINUTE, 1000, 100)
        assert calibration.factor == pytest.approx(before * STEP)
        before = calibration.factor
    for _ in range(1000):
        calibration.correct(0, MINUTE, 1000, 100)
    assert calibration.factor == HIGHEST


@pytest.mark.parametrize(
    ("shares", "eased"),
    [
        ([(60, USED_UP)], True),
        ([(30, USED_UP), (60, 0.1)], True),
        ([(59, USED_UP)], False),
        ([(61, USED_UP - 0.01)], False),
        ([(120, 0.5), (240, 0.5)], False),
    ],
)
def test_a_span_that_was_used_up_without_a_refusal_takes_a_part_of_the_step_away(shares, eased):
    calibration = Calibration()
    calibration.correct(0, MINUTE, 1000, 100)
    told = [calibration.ease(now, share, MINUTE) for now, share in shares]

    assert any(told) is eased
    assert calibration.factor == pytest.approx(STEP / EASE if eased else STEP)


def test_it_eases_once_a_span_and_only_for_spans_that_were_used_up():
    calibration = Calibration()
    told = [calibration.ease(now, 1.0 if now < 200 else 0.5, MINUTE) for now in range(400)]

    assert [now for now in range(400) if told[now]] == [60, 120, 180, 240]


def test_ten_spans_without_a_refusal_take_back_one_refusal():
    assert EASE**9 < STEP < EASE**11


# --- laws


@given(
    events=st.lists(
        st.tuples(
            st.sampled_from(["send", "hear", "return", "correct", "ease"]),
            st.floats(0, 30),
            st.floats(0, 1e6),
            st.floats(-1e12, 1e12),
            st.integers(0, 2),
        ),
        max_size=60,
    )
)
def test_whatever_happens_the_factor_stays_within_its_limits(events):
    story, now, out = Story(), 0.0, []
    for event, pause, amount, used, expired in events:
        now += pause
        match event:
            case "send":
                out.append(story.send(now, amount, expired))
            case "hear" if out:
                story.hear(out.pop(expired % len(out)), used, by_now=amount)
            case "return":
                story.calibration.return_()
            case "correct":
                story.calibration.correct(now, MINUTE, amount, 1.0)
            case "ease":
                story.calibration.ease(now, amount / 1e6, MINUTE)
        assert LOWEST <= story.factor <= HIGHEST


def test_less_than_a_token_tells_nothing():
    it = Calibration()
    mark = it.mark(0.0, 1e-308, 0)
    it.compare(mark, Limit(200, 60), 200.0, then=1e-308, expected=1e-308)

    assert it.factor == 1.0


# --- a quota whose tokens are charged otherwise


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
    quota.advertise(2, Advertised(None, Limit(500, 60)), None, 0, 0)

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
    wait_for(quota, 61, 100)
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
