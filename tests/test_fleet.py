"""Bounds of the fallback hold for all runs of an output together."""

from collections import Counter

from batchrunner.config import read_settings
from batchrunner.fleet import make_router
from batchrunner.stats import RegionUsage, Stats, Tokens

ENVIRON = {"OPENAI_API_KEY": "sk-0123456789abcdef"}


def governor(before, spent=0.0, **options):
    return make_router(read_settings(options, ENVIRON, {}), before, spent).governor


def answered(model, answers, tokens=1000):
    usage = RegionUsage(ok=answers, models={model: Tokens(answers, tokens, tokens)})
    others = RegionUsage(ok=9 * answers)
    regions = {"openai": usage, "eastus": others}
    return Stats(ok=11 * answers, codes=Counter(), regions=regions, reused=answers)


def test_what_earlier_runs_took_counts():
    found = governor(answered("gpt-4o-mini", 7), fallback_max_share=0.5)

    assert (found.answers, found.taken) == (70, 7)


def test_what_earlier_runs_paid_counts():
    found = governor(answered("gpt-4o-mini", 7, 1_000_000), fallback_max_cost=1)

    assert found.money.spent > 0.5
    assert not found.allows(0.5)


def test_what_may_have_been_paid_without_an_answer_or_without_a_known_price_counts_too():
    assert governor(answered("my-own", 7), 0.9, fallback_max_cost=1).money.spent == 0.9
    assert governor(Stats(), 0.9, fallback_max_cost=1).money.spent == 0.9


def test_without_a_bound_nothing_is_priced():
    assert governor(answered("gpt-4o-mini", 7), 0.9).money.spent == 0
