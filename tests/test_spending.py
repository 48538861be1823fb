"""A budget holds for all runs of an output: what they cost, and what they may have cost."""

from collections import Counter

import pytest

from batchrunner.config import read_settings
from batchrunner.fleet import make_router
from batchrunner.policy.account import Account
from batchrunner.policy.budget import Budget
from batchrunner.prices import PriceList
from batchrunner.rates import Rates
from batchrunner.spending import Unanswered
from batchrunner.stats import RegionUsage, Stats, Tokens

PRICES = PriceList({"a": "azure"}, {"a": Rates.parse("1/2")})
ENVIRON = {
    "AZURE_OPENAI_API_KEY_1": "k",
    "AZURE_OPENAI_ENDPOINT_1": "https://a.openai.azure.com/",
    "AZURE_OPENAI_PRICE_1": "1/2",
}


def stats(answers=10, lost=0):
    """Each answer took 1000 + 500 tokens, which cost 0.002 USD."""
    models = {"x": Tokens(answers, 1000 * answers, 500 * answers)}
    usage = RegionUsage(ok=answers, errors=Counter(timeout=lost), models=models)
    return Stats(ok=answers, regions={"a": usage})


def test_answers_and_what_has_none_count():
    found = Unanswered(0.5, 700, calls=3)

    assert found.total(stats(lost=3), PRICES) == (pytest.approx(0.52), 15_700)


def test_calls_that_nobody_had_a_budget_for_count_as_mean_answers():
    assert Unanswered().total(stats(lost=2), PRICES) == (pytest.approx(0.024), 18_000)
    assert Unanswered(0.5, 700, calls=3).total(stats(lost=2), PRICES)[1] == 15_700
    assert Unanswered().total(Stats(), PRICES) == (0, 0)


def test_what_was_committed_comes_back_after_any_number_of_stops():
    budget = Budget(price=PRICES.answer, money=Account(9, 0.06), tokens=Account(1e9, 30_000))
    for n in range(5):
        found = Unanswered.of(budget, stats(answers=n, lost=n), PRICES, in_flight=0)
        found = Unanswered.from_json(found.as_json())
        assert found.total(stats(answers=n, lost=n), PRICES) == pytest.approx(budget.committed)


def test_what_a_kill_found_in_flight_counts_as_what_was_set_aside_or_as_mean_answers():
    nothing_yet = Unanswered(in_flight=50)
    assert nothing_yet.total(stats(), PRICES) == (pytest.approx(0.02 + 0.15), 15_000 + 112_500)
    well_known = Unanswered(reserved_usd=0.5, reserved_tokens=1e6, in_flight=50)
    assert well_known.total(stats(), PRICES) == (pytest.approx(0.77), 1_515_000)


def test_a_router_begins_with_what_is_spent():
    settings = read_settings({"max_cost": 1, "max_tokens_total": 10**6}, ENVIRON, {})
    router = make_router(settings, stats(), unanswered=Unanswered(0.5, 700))

    assert router.budget.committed == (pytest.approx(0.52), 15_700)
    assert (router.budget.money.most, router.budget.tokens.most) == (1, 10**6)


def test_without_bounds_there_is_no_budget():
    assert make_router(read_settings({}, ENVIRON, {}), stats()).budget is None


def test_nothing_may_be_spent_where_the_bound_is_zero():
    assert make_router(read_settings({"max_cost": 0}, ENVIRON, {})).budget.money.most == 0
