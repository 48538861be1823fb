"""All regions together cost and use no more than they may, at any moment."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.model import Usage
from batchrunner.policy.account import Account
from batchrunner.policy.budget import Budget
from batchrunner.policy.lease import Lease
from batchrunner.policy.router import Router
from batchrunner.policy.verdict import Answered, Barred, Faulty

from .builders import job, region, requests

CENT = 0.01
LOST, FREE = Faulty("timeout", ""), Faulty("http_409", "")


def prices(name, model, usage):
    """A cent a token; twice that in the dear region, nothing where it is paid for already."""
    factor = {"dear": 2.0, "free": 0.0}.get(name, 1.0)
    return factor * CENT * (usage.prompt + usage.completion) if model == "gpt" else None


def budget(cost=math.inf, tokens=math.inf, spent=0.0, used=0.0):
    return Budget(price=prices, money=Account(cost, spent), tokens=Account(tokens, used))


def router(*names, slots=9, **bounds):
    return Router([region(name, slots=slots) for name in names], budget=budget(**bounds))


def leased(it, ordinal=0, *, answer=10, avoid=frozenset(), **more):
    found = it.pick(0, job(ordinal, answer=answer, **more), avoid)
    assert isinstance(found, Lease), it.refusal
    return found


def used(tokens, model="gpt"):
    return Answered(Usage(model, 0, tokens))


# --- one job after another


def test_what_a_job_may_cost_is_set_aside_and_replaced_by_what_it_cost():
    it = router("a", cost=0.25)
    first, _ = leased(it, 0), leased(it, 1)
    assert it.budget.committed == (pytest.approx(0.2), 20)
    assert it.pick(0, job(2, answer=10)) == math.inf, "what is in flight may use less"

    it.settle(0, first, used(4))
    assert it.budget.committed == (pytest.approx(0.14), 14)
    leased(it, 2)


def test_a_job_that_will_never_fit_is_refused_with_figures_and_a_remedy():
    it = router("a", cost=0.25)
    for n in range(2):
        it.settle(0, leased(it, n), used(10))

    assert it.pick(0, job(2, answer=10)) is None
    assert it.refusal == (
        "--max-cost 0.25: the runs cost up to 0.2 USD, and the next job up to 0.1: "
        "raise it and run the same command again"
    )
    leased(it, 3, answer=5)
    assert it.refusal == "", "a smaller one still fits"


def test_tokens_are_bounded_whatever_they_cost():
    it = router("free", tokens=25)
    for n in range(2):
        it.settle(0, leased(it, n, model="my-own"), used(10, "my-own"))

    assert it.pick(0, job(2, answer=10, model="my-own")) is None
    assert "--max-tokens-total 25: the runs use up to 20, and the next job up to 10" in it.refusal


def test_what_earlier_runs_spent_counts():
    it = router("a", cost=0.25, spent=0.2, tokens=100, used=50)

    assert it.pick(0, job(answer=10)) is None
    assert it.budget.committed == (0.2, 50)


def test_the_whole_of_a_bound_can_be_spent():
    it = router("a", tokens=30)
    for n in range(3):
        it.settle(0, leased(it, n), used(10))

    assert it.budget.committed[1] == 30
    assert it.pick(0, job(3, answer=1)) is None


@pytest.mark.parametrize(
    ("verdict", "tokens"),
    [
        (LOST, 10),  # the service may have answered all the same
        (None, 10),  # cancelled
        (Faulty("http_503", ""), 0),
        (requests(1.0), 0),
        (Barred("401"), 0),
        (used(3), 3),
        (Answered(Usage("gpt", 0, 0)), 10),  # the service does not say
        (used(3, "a name without a price"), 3),
    ],
    ids=["timeout", "cancelled", "503", "throttled", "barred", "answer", "no usage", "renamed"],
)
def test_what_may_be_billed_counts_and_the_rest_is_given_back(verdict, tokens):
    it = router("a", cost=1.0)
    it.settle(0, leased(it), verdict)

    known = isinstance(verdict, Answered) and verdict.usage.model != "gpt"
    assert it.budget.tokens.spent == tokens
    assert it.budget.money.spent == pytest.approx(0.1 if known else tokens * CENT)
    assert (it.budget.money.in_flight, it.budget.money.reserved) == (0, 0)


def test_without_a_price_nothing_is_paid_where_the_cost_is_bounded():
    it = router("a", cost=1e9)

    assert it.pick(0, job(model="my-own")) is None
    assert "no price of 'my-own' is known" in it.refusal
    assert "AZURE_OPENAI_PRICE_n" in it.refusal


def test_prompts_that_were_longer_than_thought_make_more_be_set_aside():
    it = router("a", tokens=10_000)
    lease = leased(it, body=b"x" * 400)
    assert it.budget.tokens.reserved == 110
    it.settle(0, lease, Answered(Usage("gpt", 150, 10)))

    leased(it, 1, body=b"x" * 400)
    assert it.budget.tokens.reserved > 160, "half as much again, of what is expected now"


# --- regions of several prices


def test_a_job_that_is_too_dear_in_one_region_goes_to_a_cheaper_one():
    it = router("dear", "a", cost=0.15)
    assert [leased(it).region.name] == ["a"]

    free = router("dear", "free", cost=0.0)
    for n in range(20):
        lease = leased(free, n)
        free.settle(0, lease, used(10))
        assert lease.region.name == "free"


def test_a_job_waits_for_the_cheap_region_while_it_is_busy():
    it = router("dear", "free", slots=1, cost=0.15)
    first = leased(it)
    assert first.region.name == "free"

    assert it.pick(0, job(1, answer=10)) == math.inf
    it.settle(0, first, used(10))
    assert leased(it, 1).region.name == "free"


def test_a_job_that_the_cheap_region_failed_is_not_refused_by_the_budget():
    it = router("dear", "free", cost=0.15)

    assert it.pick(0, job(answer=10), frozenset({"free"})) is None
    assert it.refusal == ""


def test_a_second_call_elsewhere_is_paid_for_too():
    it = router("a", "b", cost=0.15)
    first = leased(it)

    assert it.pick(0, job(answer=10), frozenset({first.region.name})) == math.inf
    assert it.budget.money.in_flight == 1


# --- laws


@given(
    most=st.floats(0, 20) | st.just(math.inf),
    tokens=st.integers(0, 2000) | st.just(math.inf),
    spent=st.floats(0, 10),
    events=st.lists(
        st.tuples(
            st.sampled_from(["ask", "ask", "answer", "billed", "given back"]),
            st.integers(0, 300),  # tokens that are expected at most
            st.floats(0, 1),  # the part of them that is used
        ),
        max_size=150,
    ),
)
def test_what_is_committed_never_exceeds_a_bound_and_reservations_end(most, tokens, spent, events):
    it, out, paid = router("a", slots=999, cost=most, tokens=tokens, spent=spent), [], spent
    for n, (event, answer, part) in enumerate(events):
        before = it.budget.committed
        if event == "ask":
            found = it.pick(0, job(n, answer=answer))
            if isinstance(found, Lease):
                out.append((found, answer))
                assert it.budget.committed[0] <= most + 1e-9
                assert it.budget.committed[1] <= tokens
            elif found is None:
                assert it.refusal
                assert spent + answer * CENT > most - 1e-9 or before[1] + answer > tokens
            else:
                assert out, "nobody waits for nothing"
        elif out:
            lease, expected = out.pop(0)
            real = max(1, int(part * expected)) if expected else 0
            verdict = {"answer": used(real), "billed": LOST, "given back": FREE}[event]
            it.settle(0, lease, verdict)
            amounts = {"answer": real, "billed": expected, "given back": 0}
            paid += CENT * amounts[event]
            spent = it.budget.money.spent
            assert it.budget.committed[0] <= max(before[0], paid) + 1e-9
        assert it.budget.money.in_flight == len(out)

    for lease, _ in out:
        it.settle(0, lease, FREE)
    assert it.budget.money.in_flight == 0
    assert (it.budget.money.reserved, it.budget.tokens.reserved) == (0, 0)
    assert it.budget.money.spent == pytest.approx(paid, abs=1e-6)
