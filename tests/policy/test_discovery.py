"""A limit that nobody names is what passed before the 429, until the opening; then a little more.

A window is given to the discovery as a quota would give it: it keeps to what is believed.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.policy.discovery import MORE, MOST, PRICE, SHORTEST, Discovery, usual
from batchrunner.policy.ratelimit import Limit
from batchrunner.policy.window import UNLIMITED, Window


class Story:
    """A discovery and the window that keeps to it."""

    def __init__(self, count=0, reopened=20.0, at=0.0):
        """Where ``count`` is given, it passed ``at`` and met a 429 there."""
        self.discovery, self.window = Discovery(), Window(UNLIMITED)
        if count:
            self.take(at, count)
            self.meet(at, reopened)

    @property
    def believed(self):
        return self.discovery.believed

    @property
    def is_trying(self):
        return self.discovery.is_trying

    def take(self, at, count):
        self.window.take(at, count)

    def meet(self, stopped, reopened, *, is_named=False):
        self.discovery.stopped(stopped)
        self.reopen(reopened, is_named=is_named)

    def reopen(self, at, *, is_named=False):
        self.discovery.reopened(at, self.window, is_named=is_named)
        self.window.resize(at, self.believed or UNLIMITED)

    def passed(self, at, *, is_named=False):
        self.discovery.passed(at, self.window, is_named=is_named)
        self.window.resize(at, self.believed or UNLIMITED)

    def hold(self, start, *, is_named=False):
        """Use the believed limit up, two spans long, from ``start`` on; returns the end."""
        believed = self.believed
        self.take(start, believed.amount)
        self.passed(start, is_named=is_named)
        if self.believed == believed:
            self.passed(start + 2 * believed.span, is_named=is_named)
        return start + 2 * believed.span


# --- the first belief


@pytest.mark.parametrize(
    ("count", "at", "reopened", "limit"),
    [
        (10, 0, 20, Limit(10, 20)),
        (1, 5, 65, Limit(1, 60)),
        (100, 0, 0.1, Limit(100, SHORTEST)),
        (30, 0, 11, Limit(30, 10)),
    ],
)
def test_what_passed_over_the_time_from_the_first_to_the_opening_is_the_limit(
    count, at, reopened, limit
):
    assert Story(count, reopened, at).believed == limit


@pytest.mark.parametrize(
    ("measured", "span"),
    [
        (0.0, SHORTEST),
        (0.6, 0.6),
        (0.99, 0.99),
        (1.0, 1),
        (1.15, 1),
        (1.16, 1.16),
        (9.9, 9.9),
        (10, 10),
        (11.4, 10),
        (11.6, 11.6),
        (59.9, 59.9),
        (60, 60),
        (68.9, 60),
        (69.1, 69.1),
        (300, 300),
    ],
)
def test_a_span_a_little_longer_than_a_usual_one_is_taken_for_it(measured, span):
    assert usual(measured) == span


def test_nothing_is_believed_before_anything_passed():
    story = Story()
    story.meet(0, 20)
    assert story.believed is None

    story.take(30, 0.5)
    story.meet(31, 40)
    assert story.believed is None, "nobody has a limit of less than one request"


def test_an_opening_without_a_429_before_it_says_nothing():
    story = Story()
    story.take(0, 10)
    story.reopen(20)

    assert story.believed is None


def test_only_the_last_minute_before_the_429_counts():
    story = Story()
    for second in range(600):
        story.take(second, 1)
        story.window.used(second)
    story.discovery.stopped(600)
    story.take(600.6, 7)
    story.take(601.1, 100)
    story.reopen(601)

    assert story.believed == Limit(59 + 7, 60), "from 541 on, and until it was open again"


def test_the_first_429_of_many_is_the_one_that_counts():
    story = Story()
    story.take(41, 10)
    story.discovery.stopped(100)
    story.take(103, 5)
    story.meet(105, 120)

    assert story.believed == Limit(15, 79)


def test_an_interruption_proves_nothing():
    story = Story()
    story.take(0, 10)
    story.discovery.stopped(0)
    story.discovery.interrupted()
    story.reopen(20)
    assert story.believed is None

    story.take(100, 4)
    story.meet(101, 110)
    assert story.believed == Limit(4, 10)


# --- corrections


@pytest.mark.parametrize("used", [1, 4, 8.9])
def test_a_429_before_the_limit_was_used_lowers_the_amount(used):
    story = Story(10, 20)
    story.take(500, used)
    story.meet(501, 505)

    assert story.believed == Limit(used, 20)


@pytest.mark.parametrize(("used", "reopened", "span"), [(9, 530, 30), (10, 565, 60), (9, 510, 20)])
def test_a_429_with_the_limit_used_up_lengthens_the_span(used, reopened, span):
    story = Story(10, 20)
    story.take(500, used)
    story.meet(501, reopened)

    assert story.believed == Limit(10, span)


@pytest.mark.parametrize(
    ("second", "used", "limit"),
    [
        (500 + 4 * 20 - 1, 9.5, Limit(9.5, 20)),
        (500 + 4 * 20 - 1, 10, Limit(10, 30)),
        (500 + 4 * 20 + 1, 9.5, Limit(10, 30)),
    ],
)
def test_a_second_429_within_four_spans_is_no_accident(second, used, limit):
    story = Story(10, 20)
    story.take(500, 10)
    story.meet(500, 505)
    assert story.believed == Limit(10, 20)
    story.take(second, used)
    story.meet(second, second + 30)

    assert story.believed == limit


def test_after_a_correction_the_span_begins_anew():
    story = Story(10, 20)
    story.take(50, 10)
    story.passed(55)
    story.meet(56, 70)
    story.passed(75)

    assert not story.is_trying, "what was used up before the 429 does not hold"


# --- a little more


def test_two_spans_that_used_the_limit_up_are_followed_by_a_shorter_one():
    story = Story(10, 20)
    story.hold(20)

    assert story.believed == Limit(10, 18)
    assert story.is_trying


def test_a_span_that_becomes_a_usual_one_is_taken_for_it():
    story = Story(10, 12)
    story.hold(12)

    assert story.believed == Limit(10, 10)


def test_a_try_comes_no_earlier_than_after_two_spans():
    story = Story(10, 20)
    story.take(20, 10)
    story.passed(20)
    story.passed(59.9)
    assert not story.is_trying

    story.passed(60)
    assert story.is_trying


@pytest.mark.parametrize(("used", "is_tried"), [(8.9, False), (9, True)])
def test_spans_that_were_hardly_used_prove_nothing(used, is_tried):
    story = Story(10, 20)
    story.take(20, used)
    story.passed(25)
    story.passed(60)

    assert story.is_trying is is_tried


@pytest.mark.parametrize("span", [1, 10, 60])
def test_a_usual_span_is_kept_and_more_is_tried(span):
    story = Story(100, span)
    story.hold(span)

    assert story.believed == Limit(100 * MORE, span)


def test_more_is_one_at_least():
    story = Story(10, 60)
    story.hold(60)

    assert story.believed == Limit(11, 60)


def test_where_no_shorter_span_is_left_more_is_tried():
    story = Story(100, SHORTEST)
    story.hold(SHORTEST)

    assert story.believed == Limit(105, SHORTEST)


def test_the_step_doubles_with_every_success_up_to_half():
    story, now, steps = Story(1000, 10), 10.0, []
    for _ in range(7):
        before = story.believed.amount
        now = story.hold(now)
        steps.append(story.believed.amount / before)

    assert steps == pytest.approx([1.05, 1.1, 1.2, 1.4, MOST, MOST, MOST])


def test_a_try_that_meets_a_429_goes_back_and_the_step_is_small_again():
    story = Story(1000, 10)
    now = story.hold(story.hold(10))
    assert story.believed.amount == pytest.approx(1050 * 1.1)
    story.discovery.stopped(now)
    assert story.believed == Limit(1050, 10)
    assert not story.is_trying
    story.reopen(now + 2)
    assert story.believed == Limit(1050, 10), "a failed try is no measurement"

    story.hold(now + 2 + PRICE * 2)
    assert story.believed == Limit(1050 * MORE, 10)


def test_the_next_try_waits_seventy_times_as_long_as_the_failed_one_cost():
    story = Story(100, 10)
    now = story.hold(10)
    story.meet(now, now + 4)
    due = now + 4 + PRICE * 4
    story.hold(now + 4)
    story.take(due - 15, 100)
    story.passed(due - 0.1)
    assert not story.is_trying

    story.passed(due)
    assert story.is_trying


def test_a_span_that_failed_is_not_tried_again():
    story = Story(10, 20)
    now = story.hold(20)
    assert story.believed == Limit(10, 18)
    story.meet(now, now + 1)
    story.hold(now + 1 + PRICE)

    assert story.believed == Limit(11, 20)


def test_a_try_that_held_is_no_longer_a_try():
    story = Story(100, 10)
    now = story.hold(10)
    story.meet(now, now + 100)
    now += 100 + PRICE * 100
    now = story.hold(now)
    assert story.believed == Limit(105, 10)
    now = story.hold(now)
    story.discovery.stopped(now)

    assert story.believed == Limit(105, 10), "what held is what is gone back to"


def test_a_failed_try_that_ends_in_an_interruption_is_not_the_last_one():
    story = Story(100, 10)
    now = story.hold(10)
    story.discovery.stopped(now)
    story.discovery.interrupted()
    story.reopen(now + 4)
    assert story.believed == Limit(100, 10)
    story.hold(now + 4 + PRICE * 4)

    assert story.believed == Limit(105, 10)


# --- where somebody names a limit


def test_a_belief_that_held_is_dropped_where_somebody_names_a_limit():
    story = Story(10, 20)
    story.take(20, 10)
    story.passed(20, is_named=True)
    story.passed(59, is_named=True)
    assert story.believed == Limit(10, 20)

    story.passed(60, is_named=True)
    assert story.believed is None
    assert not story.is_trying


def test_a_belief_that_was_hardly_used_is_kept_where_somebody_names_a_limit():
    story = Story(10, 20)
    story.take(20, 5)
    story.passed(100, is_named=True)

    assert story.believed == Limit(10, 20)


def test_a_single_surprise_is_no_belief_where_somebody_names_a_limit():
    story = Story()
    story.take(0, 10)
    story.meet(0, 20, is_named=True)

    assert story.believed is None


@pytest.mark.parametrize(("second", "limit"), [(239, Limit(5, 20)), (241, None)])
def test_a_second_surprise_within_four_minutes_is_believed_though_a_limit_is_named(second, limit):
    story = Story()
    story.take(0, 10)
    story.meet(0, 20, is_named=True)
    story.take(second, 5)
    story.meet(second, second + 20, is_named=True)

    assert story.believed == limit


def test_a_try_that_failed_is_priced_though_a_limit_is_named():
    story = Story(100, 10)
    now = story.hold(10)
    story.meet(now, now + 4, is_named=True)
    story.hold(now + 4 + PRICE * 4)

    assert story.believed == Limit(105, 10)


# --- laws


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["take", "stop", "reopen", "interrupt", "pass", "named"]),
            st.floats(0, 30),
            st.floats(0, 3),
        ),
        max_size=80,
    )
)
def test_whatever_happens_no_belief_is_below_one_request_or_the_shortest_span(steps):
    story, now = Story(), 0.0
    for event, pause, amount in steps:
        now += pause
        match event:
            case "take":
                story.take(now, amount)
            case "stop":
                story.discovery.stopped(now)
            case "reopen":
                story.reopen(now, is_named=amount > 2)
            case "interrupt":
                story.discovery.interrupted()
            case _:
                story.passed(now, is_named=event == "named")
        assert story.believed is None or story.believed.amount >= 1
        assert story.believed is None or story.believed.span >= SHORTEST
        assert not story.is_trying or story.believed is not None


@pytest.mark.parametrize(("amount", "span"), [(30, 10), (30, 1), (100, 60), (12, 25), (5, 10)])
def test_steady_work_finds_a_limit_that_is_hidden(amount, span):
    """A service that says nothing but 429, to a client that sends whenever it may."""
    story, service, now, sent = Story(), [], 0.0, 0
    while now < 200 * span:
        now += max(story.window.wait(now, 1.0), 0.02)
        service = [at for at in service if at > now - span]
        if len(service) < amount:
            service.append(now)
            story.take(now, 1.0)
            story.passed(now)
            sent += 1
            continue
        story.discovery.stopped(now)
        now = service[0] + span + 0.1
        service = [at for at in service if at > now - span] + [now]
        story.reopen(now)
        story.take(now, 1.0)
        sent += 1

    assert sent / now >= 0.85 * amount / span
    assert story.believed.amount / story.believed.span <= 1.5 * amount / span
