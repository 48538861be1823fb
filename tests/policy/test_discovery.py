"""A limit that nobody names is what passed from one opening to the next; then a little more."""

import pytest

from batchrunner.policy.discovery import LONGEST_PATIENCE, SHORTEST, Discovery
from batchrunner.policy.ratelimit import Limit


def passes(discovery, count, at):
    for _ in range(count):
        discovery.passed(at)


def learned(count=10, span=20.0):
    """A discovery that met a limit of ``count`` in ``span`` seconds; its cycle begins at span."""
    discovery = Discovery()
    passes(discovery, count, 0)
    discovery.stopped()
    discovery.reopened(span)
    return discovery


def holds(discovery, cycles, start):
    """Use the believed limit up for so many cycles; returns when the last one ended."""
    now = start
    for _ in range(cycles):
        passes(discovery, int(discovery.believed.amount) - 1, now)
        now += discovery.believed.span
        discovery.passed(now)
    return now


@pytest.mark.parametrize(
    ("count", "opened", "reopened", "limit"),
    [
        (10, 0, 20, Limit(10, 20)),
        (1, 5, 65, Limit(1, 60)),
        (100, 0, 0.1, Limit(100, SHORTEST)),
    ],
)
def test_what_passed_over_the_time_between_two_openings_is_the_limit(
    count, opened, reopened, limit
):
    discovery = Discovery()
    passes(discovery, count, opened)
    discovery.stopped()
    discovery.reopened(reopened)

    assert discovery.believed == limit


def test_what_was_under_way_when_the_quota_closed_counts_too():
    discovery = Discovery()
    passes(discovery, 10, 0)
    discovery.stopped()
    discovery.passed_late()
    discovery.passed_late()
    discovery.reopened(20)

    assert discovery.believed == Limit(12, 20)


def test_nothing_is_believed_before_anything_passed():
    discovery = Discovery()
    discovery.stopped()
    discovery.reopened(20)

    assert discovery.believed is None


def test_only_about_the_last_minute_of_a_long_open_time_counts():
    discovery = Discovery()
    for second in range(600):
        discovery.passed(second)
    discovery.stopped()
    discovery.reopened(601)

    limit = discovery.believed
    assert 15 <= limit.span <= 65
    assert limit.amount / limit.span == pytest.approx(1, rel=0.15)


def test_a_minute_is_not_long():
    discovery = Discovery()
    for second in range(61):
        discovery.passed(second)
    discovery.stopped()
    discovery.reopened(70)

    assert discovery.believed == Limit(61, 70)


def test_an_interruption_proves_nothing():
    discovery = Discovery()
    passes(discovery, 10, 0)
    discovery.interrupted()
    discovery.reopened(20)
    assert discovery.believed is None

    passes(discovery, 4, 25)
    discovery.stopped()
    discovery.reopened(30)
    assert discovery.believed == Limit(5, 10), "counted from the opening after the interruption"


# --- a little more


def test_a_cycle_that_held_is_followed_by_a_shorter_one():
    discovery = learned(10, 20)
    holds(discovery, 1, 20)

    assert discovery.believed == Limit(10, 18)


def test_a_cycle_ends_no_earlier_than_its_span():
    discovery = learned(10, 20)
    passes(discovery, 20, 39.9)

    assert discovery.believed == Limit(10, 20)


@pytest.mark.parametrize(("used", "span"), [(7, 20), (8, 18)])
def test_a_cycle_that_was_hardly_used_proves_nothing(used, span):
    discovery = learned(10, 20)  # the one that reopened it is the first of its cycle
    passes(discovery, used, 20)
    discovery.passed(40)

    assert discovery.believed == Limit(10, span)


def test_a_try_that_meets_a_429_goes_back_to_what_held_and_waits_twice_as_long():
    discovery = learned(10, 20)
    now = holds(discovery, 1, 20)
    assert discovery.believed == Limit(10, 18)

    discovery.stopped()
    assert discovery.believed == Limit(10, 20)
    discovery.reopened(now + 30)
    assert discovery.believed == Limit(10, 20), "a failed try is no measurement"

    now = holds(discovery, 1, now + 30)
    assert discovery.believed == Limit(10, 20)
    holds(discovery, 1, now)
    assert discovery.believed != Limit(10, 20), "the second cycle that holds is enough"


def test_when_no_shorter_span_is_left_more_is_tried():
    discovery = learned(10, 20)
    now = holds(discovery, 1, 20)
    discovery.stopped()
    discovery.reopened(now)
    holds(discovery, 2, now)

    assert discovery.believed == Limit(11, 20)


def test_more_is_one_or_a_twentieth_whichever_is_more():
    discovery = learned(100, SHORTEST)
    holds(discovery, 1, SHORTEST)

    assert discovery.believed == Limit(105, SHORTEST)


def test_patience_doubles_up_to_a_limit():
    discovery, now, tries = learned(10, 20), 20.0, []
    for _ in range(9):
        before, cycles = discovery.believed, 0
        while discovery.believed == before:
            now = holds(discovery, 1, now)
            cycles += 1
        tries.append(cycles)
        discovery.stopped()
        discovery.reopened(now)

    assert tries == [1, 2, 4, 8, 16, 32, 64, 64, LONGEST_PATIENCE]


def test_a_429_outside_of_a_try_measures_anew():
    discovery = learned(10, 20)
    passes(discovery, 4, 21)
    discovery.stopped()
    discovery.reopened(30)

    assert discovery.believed == Limit(5, 10)


def test_a_try_that_held_is_no_longer_a_try():
    discovery = learned(10, 20)
    now = holds(discovery, 1, 20)
    discovery.stopped()
    discovery.reopened(now)
    now = holds(discovery, 2, now)
    assert discovery.believed == Limit(11, 20)
    now = holds(discovery, 1, now)

    discovery.stopped()
    discovery.reopened(now + 5)

    assert discovery.believed == Limit(1, 5), "measured anew, as the limit has changed"


def test_steady_work_finds_a_limit_that_is_hidden():
    """A service that lets 30 pass in 10 s, and says nothing but 429."""
    limit, service, now = Discovery(), [], 0.0
    while now < 3000:
        believed = limit.believed
        pace = believed.span / believed.amount if believed else 0.01
        now += pace
        service = [sent for sent in service if sent > now - 10]
        if len(service) < 30:
            service.append(now)
            limit.passed(now)
            continue
        limit.stopped()
        now = service[0] + 10.1
        service = [sent for sent in service if sent > now - 10] + [now]
        limit.reopened(now)

    assert 0.9 * 3 <= limit.believed.amount / limit.believed.span <= 1.1 * 3
