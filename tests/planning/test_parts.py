"""What a plan is put together from: limits, lengths, latencies, changes, words."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from statistics import fmean

import pytest

from batchrunner.histogram import Histogram
from batchrunner.model import EMBEDDINGS, Attempt, Fault, FaultKind, Job, Reply, Result, Usage
from batchrunner.planning.bottleneck import bottleneck
from batchrunner.planning.changes import changes
from batchrunner.planning.earlier import learned
from batchrunner.planning.forecast import Forecast, Share
from batchrunner.planning.latency import Latency, fitted
from batchrunner.planning.lengths import EVERY, Lengths
from batchrunner.planning.limits import ASSUMED, Known, from_earlier, from_headers, known_limits
from batchrunner.planning.plan import make_plan
from batchrunner.planning.probe import CALLS, ask_all
from batchrunner.planning.spread import Spread
from batchrunner.planning.words import stops
from batchrunner.policy.ratelimit import Limit, advertised
from batchrunner.stats import Stats
from batchrunner.views.plan import count, plan_lines
from tests.planning.builders import MODEL, ask, known, sample, world

NOW = datetime(2026, 12, 1, 5, 30, tzinfo=UTC)


def histogram(*values):
    found = Histogram()
    for value in values:
        found.add(value)
    return found


def spread(*values):
    return Spread.of(histogram(*values))


# spreads


def test_a_spread_draws_what_was_measured_as_often_as_it_was():
    found = spread(*[10] * 90, *[100] * 10)

    assert found.at(0.5) == pytest.approx(10, rel=0.03)
    assert found.at(0.95) == pytest.approx(100, rel=0.03)
    assert found.mean == pytest.approx(19, rel=0.03)
    assert len(found.values) == 1000
    assert (Spread().mean, Spread().count) == (0.0, 0)


# latencies


def test_what_was_measured_is_drawn_and_grows_with_the_answer():
    latency = Latency(spread(*[2.0] * 50), length=100)

    assert latency.is_measured
    assert latency.seconds(Random(1), "gpt", 0, 100) == pytest.approx(2.0, rel=0.03)
    assert latency.seconds(Random(1), "gpt", 0, 236) == pytest.approx(4.0, rel=0.03)


def test_too_few_answers_teach_no_latency():
    assert not Latency(spread(1.0, 2.0)).is_measured


def test_a_probe_scales_what_is_assumed():
    fast = fitted(0.2, MODEL, 16)

    assert fast.assumed(0.6, MODEL, 10, 16) == pytest.approx(0.2)


def test_a_bad_day_has_answers_that_are_very_late():
    good, bad = (
        [Latency(is_bad=bad).seconds(rng, MODEL, 10, 100) for _ in range(3000)]
        for bad, rng in ((False, Random(1)), (True, Random(1)))
    )

    assert max(bad) > 2 * max(good)
    assert fmean(bad) < 1.2 * fmean(good)


# lengths


def test_no_answer_is_longer_than_its_job_allows():
    lengths = [Lengths().length(Random(n), ask(cap=100)) for n in range(50)]

    assert max(lengths) == 100
    assert Lengths().length(Random(1), ask(path=EMBEDDINGS)) == 0


def test_answers_that_were_cut_are_as_long_again_when_cut_again():
    asks = [ask(cap=cap) for cap in (50, 100, 400)] * 30
    seen = Lengths({EVERY: spread(*[50] * 50, *[100] * 40, *[140] * 60)})

    mean = fmean(seen.fitted(asks).length(Random(n), one) for n, one in enumerate(asks))

    assert mean == pytest.approx(seen.seen[EVERY].mean, rel=0.05)


def test_ends_are_nearer_where_an_earlier_run_says_how_long_answers_are():
    seen = Lengths({EVERY: spread(*[100] * 50)})

    assert seen.off(1).factor / seen.off(0).factor < 1.3
    assert Lengths().off(1).factor / Lengths().off(0).factor > 5


# limits


def test_headers_say_what_holds_and_for_how_long():
    said = advertised(
        {
            "x-ratelimit-limit-requests": "300",
            "x-ratelimit-renewalperiod-requests": "10",
            "x-ratelimit-limit-tokens": "90000",
        }
    )
    found = from_headers(said, Latency())

    assert (found.rpm, found.tpm, found.is_named, found.source) == (1800, 90_000, True, "probe")


def test_headers_without_a_period_speak_of_a_minute():
    found = from_headers(advertised({"x-ratelimit-limit-requests": "600"}), Latency())

    assert (found.requests, found.is_named) == (Limit(600, 60), False)


def test_a_probe_is_newer_than_an_earlier_run_whose_latency_is_better():
    targets = world(Known()).settings.targets
    then = from_earlier(100, None, Latency(spread(*[2.0] * 50)))

    found = known_limits(targets, {"a": then}, {"a": known(rpm=300, latency=fitted(1, MODEL, 16))})

    assert (found["a"].rpm, found["a"].source) == (300, "probe")
    assert found["a"].latency.is_measured


def test_without_a_probe_the_earlier_run_counts_and_else_nothing_is_known():
    targets = world(Known(), Known()).settings.targets
    found = known_limits(targets, {"a": from_earlier(100, 5000, Latency())}, {})

    assert (found["a"].rpm, found["a"].tpm, found["a"].source) == (100, 5000, "earlier run")
    assert found["b"].source == "unknown"


# earlier runs


def test_a_run_teaches_lengths_by_the_name_that_was_asked_for():
    stats = Stats()
    for number in range(40):
        job = Job(number, "", "", "/chat/completions", MODEL, b"")
        attempt = Attempt("a", "ok", 200, 1.5)
        usage = Usage(f"{MODEL}-2024-07-18", 30, 100)
        stats.add(Result(job, Reply(200, {}, b""), (attempt,), usage=usage))

    found = learned(stats, {MODEL: {f"{MODEL}-2024-07-18": 40}}, {"a": {"rpm": 60, "tpm": None}})

    assert set(found.lengths) == {MODEL, EVERY}
    assert found.lengths[MODEL].mean == pytest.approx(100, rel=0.03)
    assert (found.regions["a"].rpm, found.regions["a"].latency.is_measured) == (60, True)


def test_a_run_with_few_answers_teaches_nothing():
    assert learned(Stats(), {}, {}).lengths == {}


# probes


async def test_a_probe_asks_each_region_a_few_times_and_reads_limits_and_latency():
    asked = []

    async def send(region, job):
        asked.append((region, job.path))
        body = b'{"choices":[{"message":{}}],"usage":{"prompt_tokens":8,"completion_tokens":16}}'
        return Reply(200, {"x-ratelimit-limit-requests": "90"}, body)

    found = await ask_all(send, ["a", "b"], MODEL)

    assert sorted(asked) == [(name, "/chat/completions") for name in "ab" for _ in range(CALLS)]
    assert (found["a"].rpm, found["a"].problem) == (90, "")


async def test_a_probe_asks_once_where_the_key_is_wrong():
    asked = []

    async def send(region, job):
        asked.append((region, job))
        return Reply(401, {}, b'{"error":{"message":"wrong key"}}')

    found = await ask_all(send, ["a"], MODEL)

    assert len(asked) == 1
    assert "401 wrong key" in found["a"].problem


async def test_a_probe_asks_a_model_in_the_way_that_it_takes():
    asked = []

    async def send(_region, job):
        asked.append(job.body)
        if b"max_completion_tokens" in job.body:
            return Reply(400, {}, b'{"error":{"message":"unknown: max_completion_tokens"}}')
        body = b'{"choices":[{"message":{}}],"usage":{"prompt_tokens":8,"completion_tokens":16}}'
        return Reply(200, {"x-ratelimit-limit-requests": "90"}, body)

    found = await ask_all(send, ["a"], MODEL)

    assert len(asked) == CALLS
    assert [b'"max_tokens"' in body for body in asked] == [False, True, True]
    assert (found["a"].rpm, found["a"].problem) == (90, "")
    assert found["a"].latency != ASSUMED


async def test_a_probe_of_a_region_that_cannot_be_reached_says_why():
    async def send(_region, _job):
        return Fault(FaultKind.CONNECT, "refused")

    assert "connect refused" in (await ask_all(send, ["a"], MODEL))["a"].problem


async def test_limits_are_read_from_a_refusal_too():
    async def send(_region, _job):
        return Reply(429, {"x-ratelimit-limit-tokens": "5000", "retry-after": "1"}, b"")

    found = (await ask_all(send, ["a"], MODEL))["a"]

    assert (found.tpm, found.problem) == (5000, "")


# bottlenecks


def share(jobs=10, requests=None, tokens=None):
    return Share(jobs, 1, 1, 0.0, requests, tokens, 0)


def held_up(slots, **regions):
    found = Forecast(60, regions, slots, 10, 1.0, 0, 0)
    return bottleneck(found, 64, frozenset(regions) - {"openai"})


def test_the_one_limit_that_is_used_up_is_named_with_its_region():
    found = held_up(0.3, a=share(tokens=0.97), b=share(requests=0.2))

    assert (found.kind, found.region) == ("tokens", "a")
    assert found.words == "tokens per minute of a: 97% used"


def test_the_same_limit_of_every_region_is_said_once():
    found = held_up(1.0, a=share(requests=0.97), b=share(requests=0.92))

    assert found.words == "requests per minute of every region: 92% used"


def test_the_fallback_is_not_what_holds_a_run_up():
    assert held_up(0.2, a=share(requests=0.9), openai=share(tokens=1.0)).kind == "requests"


def test_taken_slots_hold_a_run_up_where_limits_do_not():
    assert held_up(0.95, a=share(requests=0.4)).kind == "concurrency"


def test_a_run_that_uses_nothing_up_waits_for_its_answers():
    assert held_up(0.1, a=share(requests=0.1)).kind == "answers"


# changes


def test_a_region_like_the_one_that_takes_most_is_tried():
    found = {
        change.words: change for change in changes(world(known(60), known(90)), {200: 5}, 9999)
    }

    more = found["one more region like b"].world
    assert [target.name for target in more.settings.targets] == ["a", "b", "b+"]
    assert more.known["b+"].rpm == 90


def test_half_the_answer_is_tried_or_what_an_earlier_run_needed():
    half = [c for c in changes(world(known()), {200: 5}, 9999) if "max_tokens" in c.words]
    seen = Lengths({EVERY: spread(*[40] * 199, 60)})
    fit = [c for c in changes(world(known(), lengths=seen), {200: 5, 500: 1}, 9999) if c.cap]

    assert half[0].words == "max_tokens 100 instead of 200"
    assert half[0].of(ask(cap=200)).cap == 100
    assert fit[0].words == "max_tokens 48 instead of up to 500"
    assert (fit[0].of(ask(cap=500)).cap, fit[0].of(ask(cap=20)).cap) == (48, 20)


def test_a_cap_that_answers_come_near_is_left_alone():
    seen = Lengths({EVERY: spread(*[190] * 99)})

    assert not [
        c for c in changes(world(known(), lengths=seen), {200: 5}, 9999) if "max_tok" in c.words
    ]


def test_openai_is_tried_without_and_with():
    used = world(known(60), openai=known(60))
    unused = world(known(60), openai=known(60), no_fallback=True)
    alone = world(openai=known(60))
    endless = world(known(60), openai=known(), no_fallback=True)

    assert "without OpenAI (--no-fallback)" in [c.words for c in changes(used, {}, 9999)]
    assert "with OpenAI as the fallback" in [c.words for c in changes(unused, {}, 9999)]
    said = [c.words for c in changes(endless, {}, 9999)]
    assert "with OpenAI, if it had no limits" in said
    assert not [c for c in changes(alone, {}, 9999) if "OpenAI" in c.words]


# deadlines and budgets


def test_only_what_is_exceeded_stops_a_run():
    settings = world(known(), max_cost=5.0, max_tokens_total=1000, deadline="1m").settings

    assert stops(settings, (4.0, 900), 50, 60) == []
    assert len(stops(settings, (6.0, 1100), 70, 60)) == 3
    small = settings.model_copy(update={"max_cost": 0.01})
    assert stops(small, (0.0376, 0), 50, 60) == [
        "--max-cost 0.01 would stop it: 0.038 USD expected"
    ]
    assert stops(settings, (None, 900), 50, 60) == []


# plans


def test_workers_that_wait_for_a_quota_are_not_what_holds_a_run_up():
    """120 jobs, all of them pulled at once: no more concurrency would help."""
    plan = make_plan(world(known(60), known(120), concurrency=256), sample([ask()] * 120))

    assert plan.bottleneck.kind == "requests"
    assert plan.bottleneck.use > 0.9
    assert not [effect for effect in plan.effects if "--concurrency" in effect.change]


@pytest.mark.parametrize("jobs", [3, 120, 256])
def test_jobs_that_all_have_a_slot_are_held_up_by_their_answers(jobs):
    plan = make_plan(world(known(), concurrency=256), sample([ask()] * jobs))

    assert plan.bottleneck.kind == "answers"


def test_embeddings_have_no_answers_to_be_shortened_or_guessed():
    vector = ask(path=EMBEDDINGS, model="text-embedding-3-small", cap=0)
    plan = make_plan(world(known(60)), sample([vector] * 5))

    assert not [effect for effect in plan.effects if "max_tokens" in effect.change]
    assert not [told for told in plan.assumptions if told.startswith("answers")]


def test_regions_of_one_quota_use_it_together():
    group = {f"AZURE_OPENAI_QUOTA_GROUP_{number}": "g" for number in (1, 2)}
    plan = make_plan(world(known(60), known(120), environ=group), sample([ask()] * 300))

    assert [row.requests_use for row in plan.regions] == [1.0, 1.0]


def test_a_plan_without_jobs_takes_nothing():
    plan = make_plan(world(known(60)), sample([])).as_json()

    assert plan["jobs"] == 0
    assert plan["seconds"] == {"low": 0, "expected": 0, "high": 0, "is_lower_bound": False}
    assert plan["cost_usd"] == {"low": 0, "expected": 0, "high": 0}
    assert plan["bottleneck"]["words"] == "nothing: no job is left"


def test_a_plan_of_a_large_input_is_made_of_its_sample():
    wide = world(known(6000), known(6000), concurrency=2000)
    plan = make_plan(wide, sample([ask()] * 500, 10**6, every=2000), budget=1000)

    assert sum(row.jobs for row in plan.regions) == pytest.approx(10**6, rel=0.001)
    assert plan.rehearsed <= 4000
    assert plan.seconds.expected == pytest.approx(10**6 / 12_000 * 60, rel=0.1)
    assert "1,000,000 lines were counted" in plan.assumptions[0]


def test_names_of_regions_cannot_forge_the_text():
    plan = make_plan(world(known(60, problem="401 \x1b[31mred\n")), sample([ask()] * 5))
    text = "\n".join(plan_lines(plan, "jobs\x1b[2J.jsonl"))

    assert "\x1b" not in text
    assert "5 jobs would be left over" in text


def test_the_text_fits_a_narrow_terminal_however_large_the_numbers():
    name = "a-region-whose-host-has-a-very-long-name-" * 2
    large = world(
        known(60),
        known(60),
        openai=known(60),
        environ={"AZURE_OPENAI_REGION_1": name[:64], "AZURE_OPENAI_CONCURRENCY_2": "1"},
    )
    large = replace(large, known={**large.known, name[:64]: large.known.pop("a")})
    plan = make_plan(large, sample([ask(prompt=10**5)] * 30, 9_999_999, every=2), budget=100)

    assert max(map(len, plan_lines(plan, "jobs.jsonl"))) <= 80


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (None, "-"),
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (12_345, "12.3k"),
        (999_900, "1M"),
        (4_560_000, "4.56M"),
        (7.2e9, "7.2G"),
    ],
)
def test_tokens_are_shown_in_three_digits(tokens, text):
    assert count(tokens) == text


def test_an_estimate_of_nothing_is_finite():
    plan = make_plan(world(known(60)), sample([ask(size=0, prompt=0, cap=1)]))

    assert math.isfinite(plan.seconds.expected)
