"""Runs with a budget or a deadline, on the virtual clock: they stop in time and can go on."""

import asyncio

import anyio
import pytest

from batchrunner.curfew import LAST_FILES, Curfew, lead
from batchrunner.histogram import Histogram
from batchrunner.inputs.defaults import Defaults
from batchrunner.inputs.feed import Feed
from batchrunner.prices import PriceList
from batchrunner.spending import Unanswered
from batchrunner.stats import RegionUsage, Stats
from tests.test_scenarios import region, scenario
from tests.test_supervisor import interrupt, lines, supervise
from tests.world import World

ONE = 9e-6  #: US dollars, at most, for a job of ``lines``


def world_of(*regions, openai=None, **more):
    return World(scenario(*regions, openai=openai), concurrency=8, **more)


def bounded(*regions, before=None, **options):
    regions = regions or (region("a"), region("b", rpm=600), region("c"))
    return world_of(*regions, options=options, before=before)


def world_prices(world):
    return PriceList.of(world.settings.targets)


def cost(world, stats):
    return world_prices(world).known(stats.regions)


def tokens(stats):
    used = [usage.tokens for usage in stats.regions.values()]
    return sum(one.prompt + one.completion for one in used)


async def run(world, count=200, supervisor=None):
    supervisor = supervisor or supervise(world, count)
    await supervisor.run()
    return supervisor


# --- budgets


async def test_a_run_stops_within_a_job_of_its_budget_and_never_beyond():
    world = bounded(max_cost=0.0005)

    ended = await run(world)

    assert ended.stopped.exit_code == 7
    assert "--max-cost 0.0005" in ended.stopped.reason
    assert 0.0005 - ONE < cost(world, ended.ledger.stats) <= 0.0005
    assert ended.ledger.stats.ambiguous == 0, "what was in flight was waited for"
    assert world.router.budget.money.in_flight == 0
    assert world.router.budget.money.spent == pytest.approx(cost(world, ended.ledger.stats))


async def test_a_higher_budget_lets_it_go_on_to_the_end():
    first = bounded(max_cost=0.0005)
    before = (await run(first)).ledger.stats

    refused = bounded(max_cost=0.0005, before=before)
    again = await run(refused, 200 - before.ok)
    assert again.stopped.exit_code == 7
    assert again.ledger.stats.calls == 0, "nothing is sent when the budget is spent already"

    rest = bounded(max_cost=0.01, before=before)
    ended = await run(rest, 200 - before.ok)
    assert ended.stopped is None
    both = before + ended.ledger.stats
    assert both.ok == 200
    assert rest.router.budget.money.spent == pytest.approx(cost(rest, both))


async def test_tokens_are_held_to_their_bound_too():
    ended = await run(bounded(max_tokens_total=1500))

    assert ended.stopped.exit_code == 7
    assert "--max-tokens-total 1,500" in ended.stopped.reason
    assert 1500 - 60 < tokens(ended.ledger.stats) <= 1500


async def test_throttled_and_failed_calls_cost_nothing():
    faults = [{"kind": "error", "rate": 0.3, "status": 500}]
    limited = region("a", rpm=60, request_window=5.0, request_limit=5, faults=faults)
    world = bounded(limited, max_cost=0.0005)

    ended = await run(world)

    usage = ended.ledger.stats.region("a")
    assert usage.errors["http_500"] > 10
    assert 0.0005 - ONE < cost(world, ended.ledger.stats) <= 0.0005


async def test_calls_that_may_have_been_billed_are_within_the_budget():
    hanging = [{"kind": "hang", "rate": 0.2}]
    world = bounded(region("a", faults=hanging), max_cost=0.0005, timeout=5.0)

    ended = await run(world)

    stats = ended.ledger.stats
    lost = sum(usage.errors["timeout"] for usage in stats.regions.values())
    spent = world.router.budget.money.spent
    assert lost > 5
    assert ended.stopped.exit_code == 7
    assert cost(world, stats) + lost * 4e-6 < spent <= 0.0005
    unanswered = Unanswered.of(world.pool.budget, stats, world_prices(world), 0)
    assert unanswered.usd == pytest.approx(spent - cost(world, stats))


async def test_a_second_call_for_a_late_answer_is_paid_for_before_it_is_sent():
    slow = {"median": 0.2, "sigma": 0.0, "slow_rate": 0.2, "slow_factors": [50, 90]}
    regions = (region("a", latency=slow), region("b", latency=slow))
    world = bounded(*regions, max_cost=0.003, hedge=True)

    ended = await run(world, 400)

    stats = ended.ledger.stats
    assert sum(usage.errors["overtaken"] for usage in stats.regions.values()) > 3
    assert cost(world, stats) < world.router.budget.money.spent <= 0.003
    assert world.router.budget.money.in_flight == 0


async def test_what_is_paid_for_already_goes_on_when_the_money_is_spent():
    regions = (region("paid", rpm=60), region("dear"))
    environ = {"AZURE_OPENAI_PRICE_1": "0/0"}
    world = world_of(*regions, environ=environ, options={"max_cost": 0.0003})

    ended = await run(world)

    assert ended.stopped is None
    assert ended.ledger.stats.ok == 200
    assert ended.ledger.stats.region("paid").ok > 100
    assert 0.0003 - ONE < cost(world, ended.ledger.stats) <= 0.0003


async def test_the_fallback_spends_of_the_same_budget():
    world = world_of(region("a", rpm=60), openai={}, options={"max_cost": 0.0005})

    ended = await run(world)

    assert ended.ledger.stats.region("openai").ok > 10
    assert 0.0005 - ONE < cost(world, ended.ledger.stats) <= 0.0005


async def test_a_budget_that_is_enough_changes_nothing():
    free, tight = bounded(), bounded(max_cost=1.0, max_tokens_total=10**6)

    assert (await run(free)).ledger.stats == (await run(tight)).ledger.stats
    assert tight.router.budget.committed[1] == tokens((await run(bounded())).ledger.stats)


async def test_a_model_without_a_price_is_not_paid_for():
    supervisor = supervise(bounded(max_cost=1.0), 5)
    supervisor.feed = Feed(lines(5), Defaults(model="my-own"))

    await supervisor.run()

    assert supervisor.stopped.exit_code == 7
    assert "no price of 'my-own' is known" in supervisor.stopped.reason
    assert supervisor.ledger.stats.calls == 0


# --- deadlines

SLOW = {"median": 4.0, "sigma": 0.0, "slow_rate": 0.0, "tokens_per_second": 1000}
LATE = {**SLOW, "slow_rate": 0.1, "slow_factors": [20, 30]}


def end_at(world, count, seconds):
    supervisor = supervise(world, count)
    supervisor.beside.append(Curfew(supervisor, seconds, "06:00").watch)
    return supervisor


async def test_a_run_with_a_deadline_lets_what_is_in_flight_end_and_ends_in_time():
    world = world_of(region("a", latency=SLOW))

    ended = await run(world, supervisor=end_at(world, 500, 60.0))

    now = asyncio.get_running_loop().time()
    assert ended.stopped.exit_code == 7
    assert "the deadline (06:00) has come" in ended.stopped.reason
    assert 60 - 2 * 4.3 < now <= 60, "nothing was sent that could not end"
    assert ended.ledger.stats.ambiguous == 0
    assert 50 < ended.ledger.stats.ok < 500


async def test_what_is_later_than_nearly_all_answers_is_cancelled_at_the_deadline_and_counted():
    world = world_of(region("a", latency=LATE))

    ended = await run(world, supervisor=end_at(world, 500, 60.0))

    assert asyncio.get_running_loop().time() == pytest.approx(60.0 - LAST_FILES, abs=0.01)
    stats = ended.ledger.stats
    assert ended.stopped.exit_code == 7
    assert stats.region("a").errors["cancelled"] == stats.ambiguous > 0
    assert stats.calls == stats.ok + stats.ambiguous


async def test_what_a_deadline_cancelled_counts_in_the_budget():
    world = world_of(region("a", latency=LATE), options={"max_cost": 1.0})

    ended = await run(world, supervisor=end_at(world, 500, 60.0))

    left = Unanswered.of(world.pool.budget, ended.ledger.stats, world_prices(world), 0)
    assert left.calls == ended.ledger.stats.ambiguous > 0
    assert left.usd > left.calls * 4e-6


async def test_a_deadline_that_is_far_away_changes_nothing():
    world = world_of(region("a"))

    ended = await run(world, supervisor=end_at(world, 50, 1e6))

    assert ended.stopped is None
    assert asyncio.get_running_loop().time() < 60


async def test_a_run_whose_last_jobs_end_before_the_deadline_is_complete():
    world = world_of(region("a", latency=SLOW))

    ended = await run(world, supervisor=end_at(world, 3, 6.0))

    assert ended.ledger.stats.ok == 3
    assert ended.stopped is None


async def test_a_deadline_that_has_come_before_the_first_job_sends_nothing():
    world = world_of(region("a"))
    await anyio.sleep(5)

    ended = await run(world, supervisor=end_at(world, 50, 5.5))

    assert ended.stopped.exit_code == 7
    assert ended.ledger.stats.ok == 0
    assert asyncio.get_running_loop().time() < 5.5


async def test_jobs_that_wait_for_a_quota_do_not_hold_up_the_end():
    world = world_of(region("a", rpm=1, request_window=600.0, request_limit=2))

    ended = await run(world, supervisor=end_at(world, 50, 30.0))

    assert ended.stopped.exit_code == 7
    assert ended.ledger.stats.ok == 2
    assert asyncio.get_running_loop().time() <= 30


@pytest.mark.parametrize(
    ("signals", "latest"), [([20.0], 45.0), ([20.0, 1.0], 21.0), ([55.0], 60.0)]
)
async def test_a_signal_does_what_it_does_without_a_deadline(signals, latest):
    endless = {**SLOW, "median": 500.0}
    world = world_of(region("a", latency=endless), options={"timeout": 1000.0})
    supervisor = end_at(world, 50, 60.0)
    async with anyio.create_task_group() as group:
        group.start_soon(interrupt, supervisor, *signals)
        await supervisor.run()
        now = asyncio.get_running_loop().time()
        group.cancel_scope.cancel()

    assert now == pytest.approx(latest, abs=LAST_FILES + 0.01)
    assert supervisor.stopped.exit_code == (130 if signals[0] < 30 else 7)


def test_the_time_for_the_last_answers_is_what_nearly_all_took_and_at_most_half():
    latency = Histogram()
    for _ in range(100):
        latency.add(5.0)
    stats = Stats(regions={"a": RegionUsage(latency=latency), "b": RegionUsage()})

    assert lead(stats, 1000.0) == pytest.approx(5.0, rel=0.05)
    assert lead(stats, 6.0) == 3.0
    assert lead(Stats(), 1000.0) == 10.0
    assert lead(Stats(), 0.0) == 0.0
