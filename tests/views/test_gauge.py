"""What is read off a run: rate, time, money."""

import pytest

from batchrunner.summary import Bounds
from batchrunner.views.gauge import Gauge, Snapshot, at_the_end
from batchrunner.views.line import line
from tests.views.builders import progress, status, usage


def watched(gauge, *, per_second, seconds=120, **given):
    """A run in which regions answer so many jobs a second."""
    for second in range(seconds + 1):
        begun = given.get("resumed", 0) + given.get("reused", 0)
        run = progress(ok=begun + per_second * second, total=10_000, wall_s=second, **given)
        gauge.look(run)
    return gauge.read(run)


@pytest.mark.parametrize("kind", ["resumed", "reused"])
def test_jobs_that_no_region_was_asked_for_are_no_rate(kind):
    told = watched(Gauge(), per_second=10, **{kind: 5_000})

    assert told.now == pytest.approx(10)
    assert told.remaining.likely == pytest.approx((10_000 - 5_000 - 1_200) / 10, rel=0.01)


def test_slow_answers_make_the_end_later():
    slow = usage(seconds=[40.0] * 10)
    told = watched(Gauge(), per_second=10)
    later = watched(Gauge(), per_second=10, usages={"eastus": slow})

    assert later.remaining.high > told.remaining.high + 30


@pytest.mark.parametrize(
    ("other", "least"),
    [
        (status("b", "resting", opens_in=90.0, in_flight=0), 50.0),
        (status("b", "out", in_flight=0), 50.0),
        (status("b", "throttled", opens_in=90.0, in_flight=1), 0.0),
        (status("b", "open", in_flight=0), 0.0),
    ],
)
def test_the_run_does_not_end_before_the_first_region_opens(other, least):
    closed = status("a", "throttled", opens_in=50.0, in_flight=0)
    told = watched(Gauge(), per_second=83, regions=[closed, other])

    assert told.progress.total - told.progress.done < 100
    assert told.remaining.low >= least
    assert (told.remaining.low < 10) == (least == 0)


def test_tokens_and_money_grow_with_the_jobs():
    run = progress((), {"eastus": usage(250, tokens=300)}, total=1_000)
    told = Snapshot(progress=run, costs={"eastus": 1.5})

    assert told.tokens == (25_000, 50_000, 0)
    assert told.projected_tokens == 300_000
    assert (told.cost_usd, told.projected_usd) == (1.5, 6.0)
    assert told.is_all_priced


def test_a_price_that_is_not_known_is_not_taken_for_nothing():
    run = progress((), {"eastus": usage(250)}, total=1_000)

    assert Snapshot(progress=run).cost_usd is None
    assert Snapshot(progress=run, costs={"eastus": None}).cost_usd is None
    assert not Snapshot(progress=run, costs={"eastus": None, "west": 1.0}).is_all_priced


def test_of_few_jobs_nothing_is_concluded():
    assert at_the_end(1.0, progress(ok=19, total=1_000)) is None
    assert at_the_end(1.0, progress(ok=20, total=1_000)) == 50.0
    assert at_the_end(1.0, progress(ok=5, total=5)) == 1.0
    assert at_the_end(1.0, progress(ok=0, total=0)) is None


def test_the_cost_is_looked_up_now_and_then():
    gauge = Gauge()
    run = progress((), {"eastus": usage(100, tokens=3000)}, wall_s=1.0)
    first = gauge.read(run).cost_usd
    run.stats.regions["eastus"] = usage(200, tokens=3000)
    same = gauge.read(run).cost_usd
    later = progress((), run.stats.regions, wall_s=4.0)

    assert first is not None
    assert first == same
    assert gauge.read(later).cost_usd == pytest.approx(2 * first)


def test_a_line_of_text_says_how_near_the_bounds_are():
    bounds = Bounds(3.1, 5.0, 1_200_000, 5_000_000, ends_in=725.0)
    told = line(Snapshot(progress=progress((), bounds=bounds)))

    assert (
        " | budget 3.10 of 5.00 USD | 1,200,000 of 5,000,000 tokens | deadline in 12m05s" in told
    )
    assert "budget" not in line(Snapshot(progress=progress()))


def test_a_pause_is_no_pace():
    """While it lasts nothing is foreseen; afterwards it is as if it had not been."""
    gauge, done = Gauge(), 0
    for second in range(361):
        is_paused = 60 < second <= 300
        done += 0 if is_paused else 10
        run = progress(ok=done, total=10_000, wall_s=second, paused=is_paused)
        gauge.look(run)
        if is_paused:
            assert gauge.read(run).remaining is None
            assert gauge.read(run).now == 0
    told = gauge.read(run)

    assert told.now == pytest.approx(10, rel=0.01)
    assert told.remaining.likely == pytest.approx((10_000 - done) / 10, rel=0.05)
