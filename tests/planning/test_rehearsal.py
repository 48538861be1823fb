"""A run is rehearsed by the real scheduler, without sending anything."""

import pytest

from batchrunner.planning.forecast import forecast, spread
from batchrunner.planning.latency import Latency
from batchrunner.planning.rehearsal import rehearse
from batchrunner.prices import PriceList
from tests.planning.builders import ask, known, world

#: answers that take a second, so that nothing but the limits counts
QUICK = Latency(factor=0.1)


def planned(world, asks, jobs, budget):
    return forecast(world, asks, jobs, budget, PriceList.of(world.settings.targets))


def test_a_rehearsal_takes_what_the_requests_a_minute_allow():
    gone = rehearse(world(known(rpm=60, latency=QUICK)), [ask()] * 300)

    assert 240 <= gone.seconds <= 255
    assert gone.regions["a"].jobs == 300
    assert gone.regions["a"].throttled == 0


def test_a_rehearsal_takes_what_the_tokens_a_minute_allow():
    gone = rehearse(world(known(tpm=28_000, latency=QUICK)), [ask(prompt=100, cap=180)] * 450)

    assert 240 <= gone.seconds <= 275


def test_a_job_is_charged_what_it_may_answer_and_not_what_it_does():
    short = rehearse(world(known(tpm=30_000, latency=QUICK)), [ask(cap=100)] * 400)
    long = rehearse(world(known(tpm=30_000, latency=QUICK)), [ask(cap=2000)] * 400)

    assert long.seconds > 5 * short.seconds


def test_a_rehearsal_takes_what_the_slots_allow():
    gone = rehearse(world(known(), concurrency=4), [ask()] * 200)

    busy = gone.regions["a"].busy
    assert gone.seconds == pytest.approx(busy / 4, rel=0.1)


def test_limits_that_are_set_count_where_the_region_names_none():
    set_ = world(known(latency=QUICK), environ={"AZURE_OPENAI_RPM_1": "60"})

    assert rehearse(set_, [ask()] * 180).seconds == pytest.approx(
        170, abs=5
    )  # ten every ten seconds


def test_regions_of_one_quota_group_share_it():
    groups = {"AZURE_OPENAI_QUOTA_GROUP_1": "one", "AZURE_OPENAI_QUOTA_GROUP_2": "one"}
    two = known(rpm=60, latency=QUICK), known(rpm=60, latency=QUICK)

    shared = rehearse(world(*two, environ=groups), [ask()] * 300)
    apart = rehearse(world(*two), [ask()] * 300)

    assert shared.seconds > 1.7 * apart.seconds


def test_openai_takes_what_azure_cannot():
    gone = rehearse(world(known(rpm=60), openai=known()), [ask()] * 300)

    assert gone.regions["a"].jobs >= 60
    assert gone.regions["openai"].jobs > 100


def test_a_region_that_a_probe_found_dead_takes_nothing():
    gone = rehearse(world(known(problem="401 wrong key"), known(rpm=600)), [ask()] * 50)

    assert gone.regions["a"].jobs == 0
    assert gone.regions["b"].jobs == 50


def test_without_any_region_the_jobs_are_left():
    assert rehearse(world(known(problem="401")), [ask()] * 5).left == 5


def test_a_job_larger_than_every_limit_fails_and_holds_nobody_up():
    gone = rehearse(world(known(tpm=1000)), [ask(cap=5000), *[ask(cap=100)] * 5])

    assert gone.too_large == 1
    assert gone.regions["a"].jobs == 5


def test_a_prompt_larger_than_every_limit_fails_too():
    gone = rehearse(world(known(tpm=1000)), [ask(prompt=3000, cap=10), *[ask(cap=100)] * 5])

    assert (gone.too_large, gone.regions["a"].jobs) == (1, 5)


def test_the_same_rehearsal_ends_the_same():
    once, again = (rehearse(world(known(rpm=90)), [ask()] * 200) for _ in range(2))

    assert once.seconds == again.seconds
    assert once.done == again.done


@pytest.mark.parametrize("path", ["/chat/completions", "/responses", "/embeddings"])
def test_every_path_is_answered(path):
    gone = rehearse(world(known(rpm=600)), [ask(path=path)] * 20)

    assert gone.regions["a"].jobs == 20
    assert (gone.regions["a"].completion == 0) == (path == "/embeddings")


WORLDS = {
    "requests": lambda: world(known(rpm=300), known(rpm=600), known(rpm=900)),
    "tokens": lambda: world(known(tpm=160_000), known(tpm=265_000)),
    "slots": lambda: world(known(rpm=6000), known(rpm=6000), concurrency=48),
    "neither": lambda: world(known(rpm=400), known(rpm=400), known(rpm=400), concurrency=64),
    "openai": lambda: world(known(rpm=300, tpm=90_000), openai=known(rpm=300)),
}


@pytest.mark.parametrize("name", WORLDS)
def test_a_twentieth_of_the_jobs_tells_the_time_of_all_within_five_percent(name):
    """Rehearsing all of them takes a second or two, and that is the point."""
    asks = [
        ask(size=200 + 7 * (n % 90), prompt=50 + n % 100, cap=(100, 200, 400)[n % 3])
        for n in range(1500)
    ]
    tried = WORLDS[name]()

    whole = planned(tried, asks, 12_000, 12_000)
    part = planned(tried, asks, 12_000, 600)

    assert whole.rehearsed == 12_000
    assert part.rehearsed <= 2400
    within = 0.07 if name == "openai" else 0.05  # few jobs are left in each of its windows
    assert part.seconds == pytest.approx(whole.seconds, rel=within)
    assert part.cost_usd == pytest.approx(whole.cost_usd, rel=0.05)


def test_a_bounded_fallback_takes_its_share_of_the_money_in_a_short_rehearsal_too():
    bounded = world(
        known(rpm=60, latency=QUICK), openai=known(latency=QUICK), fallback_max_cost=0.04
    )
    whole = planned(bounded, [ask()], 3000, 3000)
    part = planned(bounded, [ask()], 3000, 300)

    assert whole.regions["openai"].cost_usd == pytest.approx(0.04, rel=0.1)
    assert part.regions["openai"].cost_usd == pytest.approx(0.04, rel=0.15)


def test_a_spread_keeps_order_and_takes_one_of_each_stretch():
    assert [number // 100 for number in spread(range(1000), 10)] == list(range(10))
    assert spread("ab", 5) == ["a", "b", "a", "b", "a"]
    assert spread("abc", 3) == ["a", "b", "c"]


def test_a_spread_does_not_meet_the_step_of_what_repeats_itself():
    found = spread([number % 4 for number in range(4000)], 1000)

    assert all(found.count(kind) == pytest.approx(250, abs=60) for kind in range(4))
