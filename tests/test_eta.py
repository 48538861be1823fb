"""How long a run will go on: the range is tried on runs whose end is known."""

import heapq
import random

import pytest

from batchrunner.eta import BLOCK, Arrivals

SEEDS = range(12)
JOBS = 2400


def steady(rng):
    """Ten answers a second, by chance."""
    return spread(rng, lambda _: 10.0)


def slowing(rng):
    """The pace falls to two fifths of what it was, all the time."""
    return spread(rng, lambda share: 10 * (1 - 0.6 * share))


def halved(rng):
    """In the middle the pace is halved, which nobody can foresee."""
    return spread(rng, lambda share: 10 if share < 0.5 else 5)


def spread(rng, rate):
    times, at = [], 0.0
    for number in range(JOBS):
        at += rng.expovariate(rate(number / JOBS))
        times.append(at)
    return times


def bursts(rng):
    """A quota opens each minute and is used up in six seconds."""
    phase, times, minute = rng.uniform(0, 60), [], 0
    while len(times) < JOBS:
        start = max(0.0, 60 * minute - phase)
        times += [start + rng.uniform(0.5, 6) for _ in range(200)]
        minute += 1
    return sorted(times)[:JOBS]


def tailed(rng):
    """Workers with answers of which a few take a minute."""
    free, times = [0.0] * 32, []
    for _ in range(JOBS):
        end = heapq.heappop(free) + min(60.0, rng.lognormvariate(0.7, 1.0))
        heapq.heappush(free, end)
        times.append(end)
    return sorted(times)


def forecasts(times, slow=0.0, every=8):
    """What was forecast every two seconds, with the truth beside it."""
    arrivals, at, done = Arrivals(), 0.0, 0
    while True:
        at += 0.25
        while done < len(times) and times[done] <= at:
            done += 1
        if done == len(times):
            return
        arrivals.look(at, done)
        if round(at * 4) % every == 0:
            yield arrivals.remaining(len(times) - done, slow), times[-1] - at


def judged(run, slow=0.0):
    """In how many of the cases the truth was in the range, and how wide that was at the median."""
    hits, widths = [], []
    for seed in SEEDS:
        for told, truth in forecasts(run(random.Random(seed)), slow):
            if told is not None:
                hits.append(told.low <= truth <= told.high)
                widths.append((told.high - told.low) / truth)
    return sum(hits) / len(hits), sorted(widths)[len(widths) // 2]


@pytest.mark.parametrize(
    ("run", "slow", "least", "widest"),
    [
        (steady, 0.0, 0.95, 0.5),
        (bursts, 1.0, 0.85, 2.5),
        (tailed, 20.0, 0.8, 0.8),
        (slowing, 0.0, 0.55, 0.8),
        (halved, 0.0, 0.55, 1.7),
    ],
)
def test_the_range_holds_the_truth_as_often_as_it_should(run, slow, least, widest):
    """Eight of ten where a run goes on as it went; less where it changes its pace for good."""
    share, width = judged(run, slow)

    assert share >= least
    assert width <= widest


def test_nothing_is_told_before_something_is_known():
    arrivals = Arrivals()
    assert arrivals.remaining(10) is None

    arrivals.look(0.25, 0)
    assert arrivals.remaining(10) is None

    arrivals.look(30.0, 0)
    assert arrivals.remaining(10) is None
    assert arrivals.remaining(0).high == 0.0


def test_the_range_is_wide_at_first_and_becomes_narrow():
    told = [t for t, _ in forecasts(steady(random.Random(1))) if t is not None]
    widths = [(one.high - one.low) / one.likely for one in told]

    assert widths[0] > 0.6
    assert max(widths[len(widths) // 2 : -20]) < 0.5


def test_a_minute_without_an_answer_is_no_end():
    """Two hundred a minute, all in its first seconds; those left need the fifth and the sixth."""
    arrivals, truth = Arrivals(), 30 + 60 + 5
    for quarter in range(1, 270 * 4):
        at = quarter / 4
        arrivals.look(at, 200 * (int(at) // 60) + min(200, round(at % 60 * 40)))
    told = arrivals.remaining(400)

    assert arrivals.now == 0.0
    assert told.low < truth < told.high < 4 * truth
    assert told.likely == pytest.approx(truth, rel=0.25)


def test_a_run_that_no_longer_moves_says_later_and_later():
    arrivals = Arrivals()
    for second in range(1, 100):
        arrivals.look(second, min(300, second * 10))
    early = arrivals.remaining(100).likely
    arrivals.look(300, 300)

    assert arrivals.remaining(100).likely > 2 * early


def test_while_nothing_can_be_sent_no_end_is_sooner():
    arrivals = Arrivals()
    for second in range(1, 61):
        arrivals.look(second, second * 10)
    told = arrivals.remaining(5, slow=2.0, pause=30.0)

    assert (told.low, told.likely, told.high) == (30.0, 31.0, 33.0)


def test_what_is_kept_stays_small_however_long_a_run_is():
    arrivals = Arrivals()
    for minute in range(1, 60 * 24 * 7):
        arrivals.look(minute * 60, minute * 1000)

    assert len(arrivals._levels) < 25
    assert arrivals.remaining(10_000).likely == pytest.approx(600, rel=0.01)
    assert arrivals.now == pytest.approx(1000 / 60, rel=0.01)


def test_a_look_after_a_long_time_counts_as_evenly_spread():
    """A machine that was asleep is no reason to be wrong for the rest of the run."""
    arrivals = Arrivals()
    for second in range(1, 61):
        arrivals.look(second, second * 10)
    arrivals.look(160.0, 1600)
    told = arrivals.remaining(1000)

    assert told.likely == pytest.approx(100, rel=0.02)


def test_a_count_that_goes_back_or_a_look_at_the_same_time_changes_nothing():
    arrivals = Arrivals()
    for second in range(1, 61):
        arrivals.look(second, second * 10)
    before = arrivals.remaining(100)
    arrivals.look(60, 600)
    arrivals.look(60, 590)

    assert arrivals.remaining(100) == before
    assert arrivals.average == pytest.approx(10)


def test_six_blocks_doubled_are_a_minute():
    assert BLOCK * 2**6 == 60
