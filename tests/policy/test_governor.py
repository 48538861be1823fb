"""The fallback takes no more than its share and its money, at any moment."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.model import Usage
from batchrunner.policy.account import Account
from batchrunner.policy.governor import Governor

CENT = 0.01


def a_cent_a_token(model, usage):
    """A price list that knows one model."""
    return CENT * (usage.prompt + usage.completion) if model == "gpt" else None


def governor(max_cost=math.inf, spent=0.0, **more):
    return Governor(price=a_cent_a_token, money=Account(max_cost, spent), **more)


def answered(count, it):
    """So many answers of the regions."""
    it.answers += count


def take(it, cost=0.0):
    assert it.allows(cost)
    it.begin(cost)


def answer(it, cost=0.0, tokens=0):
    it.answers += 1
    it.answer("gpt", Usage("gpt", tokens, 0), cost)


# --- the share


def test_without_bounds_everything_is_allowed_and_nothing_is_held_back():
    it = Governor()
    for _ in range(100):
        take(it, it.cost("unknown", Usage("unknown", 10**9, 10**9)))

    assert it.held_back == ""


def test_a_share_of_nothing_never_allows():
    it = governor(max_share=0.0)
    assert not it.allows(0)
    answered(10**6, it)
    assert not it.allows(0)
    assert it.held_back == "its share reached 0%"


def test_a_whole_share_always_allows():
    it = governor(max_share=1.0)
    for _ in range(50):
        take(it)
    for _ in range(50):
        answer(it)

    assert it.allows(0)


def test_the_first_job_needs_answers_of_others_to_be_a_small_share():
    it = governor(max_share=0.1)
    assert not it.allows(0)
    answered(8, it)
    assert not it.allows(0)
    answered(1, it)
    assert it.allows(0), "one of ten"


def test_what_is_on_its_way_counts_as_taken():
    it = governor(max_share=0.5)
    answered(3, it)
    for _ in range(3):
        take(it)

    assert not it.allows(0), "four of seven are more than a half"
    assert it.held_back == "its share reached 50%"
    it.end(0, may_be_billed=False)
    assert it.allows(0)
    assert it.held_back == ""


def test_what_earlier_runs_took_counts():
    assert not governor(max_share=0.1, answers=100, taken=10).allows(0)
    assert governor(max_share=0.1, answers=100, taken=9).allows(0)
    assert not governor(max_cost=5.0, spent=5.0).allows(CENT)
    assert governor(max_cost=5.0, spent=4.98).allows(CENT)


# --- the money


def test_where_no_bound_is_set_nobody_asks_for_prices():
    def no_list(*_):
        raise AssertionError("the price list is large")

    it = Governor(price=no_list)

    assert it.cost("gpt", Usage("gpt", 5, 5)) == 0


def test_a_model_without_a_price_is_never_sent_where_a_bound_is_set():
    it = governor(max_cost=1e9)
    cost = it.cost("unknown", Usage("unknown", 1, 1))

    assert cost == math.inf
    assert not it.allows(cost)
    assert it.allows(it.cost("gpt", Usage("gpt", 1, 1)))


def test_a_job_is_paid_for_before_it_is_sent_and_costs_what_it_used():
    it = governor(max_cost=1.0)
    take(it, 0.6)
    assert not it.allows(0.6)
    assert it.allows(0.4)
    answer(it, 0.6, tokens=20)

    assert it.money.spent == pytest.approx(0.2)
    assert it.allows(0.6)


@pytest.mark.parametrize(("may_be_billed", "spent"), [(True, 0.6), (False, 0.0)])
def test_a_job_that_may_be_billed_without_an_answer_counts_in_full(may_be_billed, spent):
    it = governor(max_cost=1.0)
    take(it, 0.6)
    it.end(0.6, may_be_billed=may_be_billed)

    assert it.money.spent == spent
    assert (it.money.in_flight, it.money.reserved) == (0, 0)


def test_it_says_that_the_money_is_spent():
    it = governor(max_cost=2.5)
    take(it, 2.5)

    assert it.held_back == "its cost reached 2.5 USD"


def test_no_money_at_all_means_never():
    it = governor(max_cost=0.0)

    assert not it.allows(CENT)
    assert it.held_back == "its cost reached 0 USD"


# --- laws


@given(
    max_share=st.floats(0, 1),
    max_cost=st.floats(0, 20) | st.just(math.inf),
    events=st.lists(
        st.tuples(
            st.sampled_from(["ask", "region", "answer", "billed", "free"]),
            st.integers(0, 300),  # tokens that are expected at most
            st.floats(0, 1),  # the part of them that is used
        ),
        max_size=150,
    ),
)
def test_share_and_cost_hold_at_every_moment_and_reservations_end(max_share, max_cost, events):
    it, out = governor(max_share=max_share, max_cost=max_cost), []
    for event, tokens, part in events:
        cost = it.cost("gpt", Usage("gpt", tokens, 0))
        if event == "ask" and it.allows(cost):
            it.begin(cost)
            out.append((cost, tokens))
        elif event == "region":
            it.answers += 1
        elif out and event == "answer":
            cost, most = out.pop(0)
            answer(it, cost, int(part * most))
        elif out and event in ("billed", "free"):
            it.end(out.pop(0)[0], may_be_billed=event == "billed")
        assert it.money.in_flight == len(out)
        assert it.money.spent + it.money.reserved <= max_cost + 1e-9
        assert (
            it.taken + it.money.in_flight <= max_share * (it.answers + it.money.in_flight) + 1e-9
        )

    for cost, _ in out:
        it.end(cost, may_be_billed=False)
    assert it.money.in_flight == 0
    assert it.money.reserved == pytest.approx(0, abs=1e-9)
