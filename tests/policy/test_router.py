"""The router: who answers next, and what every outcome changes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.model import Usage
from batchrunner.policy.account import Account
from batchrunner.policy.adaptive import Adaptive
from batchrunner.policy.breaker import State
from batchrunner.policy.governor import Governor
from batchrunner.policy.lease import Lease
from batchrunner.policy.quota import Quota
from batchrunner.policy.ratelimit import NOTHING, Advertised, Limit
from batchrunner.policy.region import Region
from batchrunner.policy.router import Router
from batchrunner.policy.verdict import (
    Answered,
    Barred,
    Cause,
    Faulty,
    Hindered,
    Oversized,
    Refused,
    Throttled,
)
from tests.policy.builders import job, region, wait_for

OK = Answered(Usage("gpt", 10, 10, 0))
FAULT = Faulty("http_500", "Sorry")
LOST = Faulty("connect", "refused")
LOCKED = Faulty("http_409", "Locked")
NO_KEY = Barred("401 no such key")
NO_MODEL = Barred("404 no such deployment", model_only=True)
OUR_FAULT = Hindered("too many open files")
BAD = Refused("content_filter", "No")
TOO_LARGE = Oversized("Request too large")


def throttled(wait=8.0, cause=Cause.TOKENS):
    return Throttled(cause, wait)


def make(*regions, **more):
    return Router(list(regions), **more)


def take(router, now=0.0, it=None, **more):
    """Pick a region that must be there; returns the lease."""
    lease = router.pick(now, it or job(), **more)
    assert isinstance(lease, Lease), lease
    return lease


def names(router, count, now=0.0, **more):
    """Who gets so many jobs at once."""
    return [take(router, now, **more).region.name for _ in range(count)]


def spend(router, verdict, now=0.0, it=None, **more):
    """Send a job and let it end at once; returns who had it."""
    lease = take(router, now, it, **more)
    router.settle(now, lease, verdict)
    return lease.region.name


def close(it, now=0.0, wait=8.0):
    """Throttle a region as a reply would."""
    it.quota.throttle(now, now, 1, it.quota.generation, throttled(wait))


def fall_ill(it, now=0.0):
    for _ in range(5):
        it.breaker.fail(now, it.breaker.generation)


# --- who is next


def test_balanced_jobs_go_to_the_least_loaded_region():
    router = make(region("a", slots=4), region("b", slots=2))

    assert names(router, 6) == ["a", "b", "a", "b", "a", "a"]


def test_balance_looks_at_quotas_as_well_as_slots():
    small = region("small", slots=100, quota=Quota(tokens=Limit(1000, 60)))
    large = region("large", slots=100, quota=Quota(tokens=Limit(3000, 60)))
    router = make(small, large)

    got = [names(router, 1, now=0.25 * n, it=job(answer=100))[0] for n in range(36)]

    assert (got.count("small"), got.count("large")) == (9, 27)


def test_ordered_jobs_go_to_the_first_region_named_that_has_room():
    router = make(region("a", slots=2), region("b", slots=2), strategy="ordered")

    assert names(router, 4) == ["a", "a", "b", "b"]


@pytest.mark.parametrize("strategy", ["balanced", "ordered"])
def test_the_next_priority_helps_out_when_a_region_is_merely_busy(strategy):
    router = make(
        region("late", slots=2, priority=2),
        region("first", slots=2, priority=1),
        strategy=strategy,
    )

    assert names(router, 4) == ["first", "first", "late", "late"]


def test_a_region_without_quota_left_is_passed_over_by_jobs_that_it_cannot_take():
    small = region("small", quota=Quota(tokens=Limit(100, 60)))
    router = make(small, region("large"), strategy="ordered")

    assert names(router, 1, it=job(answer=80)) == ["small"]
    assert names(router, 1, it=job(answer=80)) == ["large"]
    assert names(router, 1, it=job(answer=20)) == ["small"]


def test_regions_to_avoid_are_avoided():
    router = make(region("a"), region("b"), strategy="ordered")

    assert names(router, 1, avoid=frozenset("a")) == ["b"]
    assert router.pick(0, job(), frozenset("ab")) is None


def test_when_all_are_closed_the_wait_is_for_the_soonest():
    a, b = region("a"), region("b")
    router = make(a, b)
    close(a, wait=8)
    close(b, wait=3)

    assert router.pick(0, job()) == 3
    assert make(b, a).pick(0, job()) == 3
    assert router.pick(0, job(), frozenset("b")) in (3, 8), "it is looked at again at least then"
    assert names(router, 1, now=3) == ["b"]


def test_when_all_are_busy_a_request_in_flight_has_to_end_first():
    router = make(region("a", slots=1), region("b", slots=1))
    lease = take(router)
    take(router)

    assert router.pick(0, job()) == math.inf
    router.settle(1, lease, OK)
    assert names(router, 1, now=1) == [lease.region.name]


def test_when_one_is_busy_and_one_closed_the_closed_one_may_be_sooner():
    a, b = region("a", slots=1), region("b")
    router = make(a, b)
    close(b, wait=3)
    take(router)

    assert router.pick(0, job()) == 3


def test_no_regions_answer_nothing():
    assert make().pick(0, job()) is None
    assert make().targets("gpt") == []


# --- a burst in parts

TIGHT = Limit(16, 10)  #: four at once, and no more until a refusal of them would be known


def test_a_burst_goes_out_in_parts():
    router = make(region("a", slots=100, quota=Quota(TIGHT)))

    assert names(router, 4) == ["a"] * 4
    assert 0 < router.pick(0, job()) <= 0.21
    assert names(router, 4, now=0.21) == ["a"] * 4


def test_a_region_that_keeps_a_pace_sends_nobody_to_the_next_priority_nor_to_the_fallback():
    first = region("first", slots=100, quota=Quota(TIGHT), priority=1)
    router = make(first, region("second", priority=2), region("openai", is_fallback=True))
    names(router, 4)

    assert 0 < router.pick(0, job(), waited=1e6) <= 0.21


def test_another_region_of_the_same_tier_goes_on_while_one_keeps_a_pace():
    a, b = (region(name, slots=100, quota=Quota(TIGHT)) for name in "ab")

    assert sorted(names(make(a, b), 8)) == ["a"] * 4 + ["b"] * 4


def test_the_first_region_named_is_waited_for_while_it_keeps_a_pace():
    a, b = (region(name, slots=100, quota=Quota(TIGHT)) for name in "ab")
    router = make(a, b, strategy="ordered")

    assert names(router, 4) == ["a"] * 4
    assert 0 < router.pick(0, job()) <= 0.21


def test_where_nobody_wants_a_pace_none_is_kept():
    router = make(region("a", slots=100, quota=Quota(TIGHT)), is_paced=False)

    assert names(router, 14) == ["a"] * 14


def test_the_last_jobs_go_out_in_parts_though_the_limit_was_reached():
    slow, quick = (make(region("a", slots=100, quota=Quota(TIGHT))) for _ in range(2))
    for router in (slow, quick):
        for part, count in enumerate([4, 4, 4, 3]):
            names(router, count, now=part * 0.5)
    quick.hurry()

    assert sum(isinstance(slow.pick(10.9, job()), Lease) for _ in range(9)) == 1
    assert sum(isinstance(quick.pick(10.9, job()), Lease) for _ in range(9)) >= 4


# --- the fallback


def with_fallback(**more):
    azure, openai = region("azure", slots=2), region("openai", is_fallback=True)
    return azure, openai, make(openai, azure, **more)


def test_the_fallback_is_not_used_while_azure_is_open():
    _, _, router = with_fallback()

    assert names(router, 2) == ["azure", "azure"]


def test_the_fallback_is_not_for_regions_that_are_merely_busy():
    _, _, router = with_fallback()
    names(router, 2)

    assert router.pick(0, job(), waited=1e6) == math.inf


def test_one_busy_region_among_closed_ones_keeps_the_fallback_out():
    azure, other = region("azure", slots=1), region("other")
    router = make(azure, other, region("openai", is_fallback=True))
    close(other, wait=30)
    take(router)

    assert router.pick(0, job(), waited=1e6) == 30


@pytest.mark.parametrize(
    "exhaust",
    [
        close,
        fall_ill,
        lambda it: setattr(it, "barred", "401"),
        lambda it: it.missing.update(gpt="404"),
    ],
    ids=["throttled", "resting", "out", "without the model"],
)
def test_the_fallback_is_used_when_every_region_is_exhausted(exhaust):
    azure, _, router = with_fallback()
    exhaust(azure)

    assert names(router, 1) == ["openai"]


def test_the_fallback_is_used_by_jobs_that_azure_has_failed():
    _, _, router = with_fallback()

    assert names(router, 1, avoid=frozenset({"azure"})) == ["openai"]


def test_the_fallback_is_not_for_the_priority_below_either():
    first, second = region("first", priority=1), region("second", priority=2)
    router = make(first, second, region("openai", is_fallback=True, priority=-1))
    close(first)
    assert names(router, 1) == ["second"]
    close(second)
    assert names(router, 1) == ["openai"]


def test_the_fallback_waits_as_long_as_it_is_told():
    azure, _, router = with_fallback(fallback_after=10)
    close(azure, wait=60)

    assert router.pick(0, job(), waited=0) == 10
    assert router.pick(4, job(), waited=4) == 6
    assert names(router, 1, now=10, waited=10) == ["openai"]


def test_a_region_that_opens_sooner_than_the_fallback_is_waited_for():
    azure, _, router = with_fallback(fallback_after=10)
    close(azure, wait=3)

    assert router.pick(0, job(), waited=0) == 3


@pytest.mark.parametrize("out", [{"barred": "401"}, {"missing": {"gpt": "404"}}])
def test_the_fallback_does_not_wait_for_regions_that_will_never_answer(out):
    azure, openai = region("azure", **out), region("openai", is_fallback=True)
    router = make(azure, openai, fallback_after=10)

    assert names(router, 1) == ["openai"]


def test_the_wait_is_for_azure_or_the_fallback_whichever_is_sooner():
    azure, openai, router = with_fallback()
    close(azure, wait=30)
    close(openai, wait=5)

    assert router.pick(0, job()) == 5


def test_a_job_that_only_the_fallback_serves_waits_for_reservations_to_end():
    price = lambda model, usage: 0.6  # noqa: E731, ARG005
    governor = Governor(money=Account(1.0), price=price)
    router = make(region("openai", is_fallback=True), governor=governor)
    lease = take(router)

    assert router.pick(0, job()) == math.inf
    router.settle(0, lease, LOST)
    second = take(router)
    router.settle(0, second, OK)
    assert router.pick(0, job()) is None
    assert governor.held_back == "its cost may exceed 1 USD with one more job"


def test_a_job_is_priced_once_when_it_is_sent_and_once_when_it_was_answered():
    priced = []
    governor = Governor(money=Account(1.0), price=lambda model, _: priced.append(model) or 0.6)
    router = make(region("openai", is_fallback=True), governor=governor)
    lease = take(router)
    assert (priced, lease.cost, governor.money.reserved) == (["gpt"], 0.6, 0.6)
    router.settle(0, lease, OK)
    assert priced == ["gpt"] * 2

    assert router.pick(0, job()) is None
    assert priced == ["gpt"] * 3


def test_a_job_that_only_the_fallback_serves_waits_for_the_answers_of_azure():
    azure, openai = region("azure", slots=2), region("openai", is_fallback=True)
    router = make(azure, openai, governor=Governor(max_share=0.5))
    lease = take(router)
    azure.missing["other"] = "404"

    assert router.pick(0, job(model="other")) == math.inf
    router.settle(0, lease, OK)
    assert take(router, it=job(model="other")).region is openai


def test_a_job_that_azure_has_failed_does_not_wait_for_the_governor():
    azure, openai = region("azure", slots=2), region("openai", is_fallback=True)
    router = make(azure, openai, governor=Governor(max_share=0.5))
    take(router)

    assert router.pick(0, job(), avoid=frozenset({"azure"})) is None


def test_a_bound_that_no_end_of_a_request_can_lift_is_not_waited_for():
    router = make(region("openai", is_fallback=True), governor=Governor(money=Account(1.0)))
    router.regions[0].in_flight = 1

    assert router.pick(0, job()) is None
    assert "no price" in router.governor.held_back


# --- what an outcome changes


def test_a_lease_takes_slot_request_and_tokens_together():
    quota = Quota(Limit(10, 60), Limit(1000, 60))
    a = region("a", quota=quota)
    lease = take(make(a), 7.0, job(answer=100, body=b"x" * 40))

    assert (lease.tokens, lease.sent) == (110, 7)
    assert (a.in_flight, a.peak) == (1, 1)
    assert quota._requests.named.used(7) == 1
    assert quota._tokens.named.used(7) == 110


@pytest.mark.parametrize(
    ("verdict", "requests", "tokens"),
    [
        (OK, 1, 100),
        (BAD, 1, 100),
        (FAULT, 1, 100),
        (LOCKED, 1, 100),
        (NO_KEY, 1, 100),
        (NO_MODEL, 1, 100),
        (None, 1, 100),
        # what the service refused for its tokens did not take them
        (throttled(), 1, 0),
        # what never arrived counts for nothing
        (LOST, 0, 0),
        (OUR_FAULT, 0, 0),
    ],
    ids=str,
)
def test_what_a_request_costs_depends_on_how_far_it_came(verdict, requests, tokens):
    quota = Quota(Limit(10, 60), Limit(1000, 60))
    a = region("a", quota=quota)
    spend(make(a), verdict, it=job(answer=100))

    assert a.in_flight == 0
    assert a.peak == 1
    assert quota._requests.named.used(1) == requests
    assert quota._tokens.named.used(1) == tokens


def test_an_oversized_job_leaves_the_tokens_to_smaller_ones():
    a = region("a", quota=Quota(tokens=Limit(1000, 60)))
    spend(make(a), TOO_LARGE, it=job(answer=900))

    assert a.quota.wait_for_tokens(0, 1000) == 0


@pytest.mark.parametrize(
    ("verdict", "opens"),
    [
        (FAULT, True),
        (LOST, True),
        (Faulty("timeout", "60 s"), True),
        (Faulty("bad_payload", "<html>"), True),
        (OK, False),
        (BAD, False),
        (throttled(0.0), False),
        (TOO_LARGE, False),
        (LOCKED, False),
        (OUR_FAULT, False),
        (None, False),
    ],
    ids=str,
)
def test_only_the_regions_own_faults_open_its_breaker(verdict, opens):
    a = region("a", quota=Quota())
    router = make(a)
    for now in range(0, 1000, 200):
        spend(router, verdict, float(now))

    assert (a.breaker.state(800) is State.OPEN) == opens


@pytest.mark.parametrize("verdict", [OK, BAD, throttled(), TOO_LARGE], ids=str)
def test_any_word_of_the_service_proves_that_the_region_is_alive(verdict):
    a = region("a")
    fall_ill(a)
    router = make(a)
    spend(router, verdict, 5.0)

    assert a.breaker.state(5) is State.CLOSED


@pytest.mark.parametrize("verdict", [LOCKED, OUR_FAULT, NO_MODEL, None], ids=str)
def test_a_canary_that_proves_nothing_is_followed_by_another(verdict):
    a = region("a")
    fall_ill(a)
    router = make(a)
    lease = take(router, 5.0)
    assert router.pick(5, job()) == math.inf
    router.settle(6, lease, verdict)

    assert a.breaker.state(6) is State.TRIAL
    assert names(router, 1, now=6, it=job(model="other")) == ["a"]


def test_a_canary_that_fails_means_a_longer_rest():
    a = region("a")
    fall_ill(a)
    router = make(a)
    spend(router, FAULT, 5.0)

    assert router.pick(5, job()) == 10


@pytest.mark.parametrize(
    "verdict", [FAULT, LOST, LOCKED, TOO_LARGE, NO_MODEL, OUR_FAULT, None], ids=str
)
def test_a_probe_of_the_quota_that_proves_nothing_is_followed_by_another(verdict):
    a = region("a")
    close(a, wait=8)
    router = make(a)
    lease = take(router, 8.0)
    assert 0.1 < router.pick(8, job()) < 0.2, "so long does a refusal take"
    router.settle(8.05, lease, verdict)

    take(router, 8.05, job(model="other"))
    assert 0.1 < router.pick(8.05, job(model="other")) < 0.2


def test_a_probe_that_is_not_refused_in_time_opens_the_quota_before_it_is_answered():
    a = region("a")
    close(a, wait=8)
    router = make(a)
    slow = take(router, 8.0)
    patience = router.pick(8, job())

    assert names(router, 2, now=8 + patience) == ["a", "a"]
    router.settle(20, slow, OK)
    assert a.in_flight == 2


@pytest.mark.parametrize("verdict", [OK, BAD], ids=str)
def test_a_probe_that_passes_opens_the_quota(verdict):
    a = region("a")
    close(a, wait=8)
    router = make(a)
    spend(router, verdict, 8.0)

    assert names(router, 2, now=8) == ["a", "a"]


def test_a_burst_closes_and_cuts_once():
    a = region("a", slots=100)
    router = make(a)
    leases = [take(router) for _ in range(10)]
    for lease in leases:
        router.settle(1, lease, throttled(8))

    assert a.adaptive.limit == 70
    assert router.pick(1, job()) == 8
    assert a.status(9).throttled_s == 8


def test_answers_let_concurrency_grow_while_it_is_used():
    a = Region(name="a", quota=Quota(), adaptive=Adaptive(100))
    router = make(a)
    start = a.adaptive.limit
    leases = [take(router) for _ in range(start)]
    router.settle(1, leases.pop(), OK)
    assert a.adaptive.limit == start + 1

    for lease in [*leases, take(router), take(router)]:
        router.settle(2, lease, BAD)
    assert a.adaptive.limit == start + 1, "a refusal is quick and shows nothing"


def test_a_region_that_tells_its_limits_is_trusted_with_its_whole_concurrency():
    a = Region(name="a", quota=Quota(), adaptive=Adaptive(100))
    router = make(a)
    router.settle(1, take(router), OK, Advertised(Limit(50, 10), Limit(1000, 60)))

    assert a.adaptive.limit == 100
    assert a.quota.known


def test_limits_are_taken_in_whatever_the_verdict():
    for verdict in (OK, BAD, FAULT, throttled(), NO_KEY, TOO_LARGE, None):
        a = region("a")
        router = make(a)
        router.settle(0, take(router), verdict, Advertised(None, Limit(100, 60)))
        a.quota.take(100, 101)
        assert 60 < wait_for(a, 100, 1) < 61, "no more than a hundred tokens a minute"


def test_the_estimate_learns_from_answers_only():
    router = make(region("a"))
    it = job(answer=None, body=b"x" * 400)
    before = router.estimate.tokens(it)
    for verdict in (BAD, FAULT, throttled(0.0), None):
        spend(router, verdict, 0.0, it)
        assert router.estimate.tokens(it) == before
        router = make(region("a"))

    spend(router, OK, 0.0, it)
    assert router.estimate.tokens(it) < before


# --- out


def test_a_missing_model_takes_a_region_out_for_that_model_only():
    a, b = region("a"), region("b")
    router = make(a, b, strategy="ordered")
    spend(router, NO_MODEL, it=job(model="gpt"))

    assert names(router, 1, it=job(model="gpt")) == ["b"]
    assert names(router, 1, it=job(model="other")) == ["a"]
    assert router.targets("gpt") == [b]
    assert router.targets("other") == [a, b]
    assert a.status(0).reason == "gpt: 404 no such deployment"


def test_a_barred_region_is_out_for_every_model():
    a, b = region("a"), region("b")
    router = make(a, b, strategy="ordered")
    spend(router, NO_KEY, it=job(model="gpt"))

    assert names(router, 1, it=job(model="other")) == ["b"]
    assert router.targets("other") == [b]
    spend(router, NO_KEY, it=job(model="other"))
    assert router.pick(0, job()) is None
    assert [status.state for status in router.statistics(0)] == ["out", "out"]


def test_the_first_reason_for_being_out_is_kept():
    a = region("a")
    router = make(a)
    leases = [take(router), take(router), take(router, it=job(model="x")), take(router)]
    router.settle(0, leases[0], NO_MODEL)
    router.settle(0, leases[1], Barred("404 again", model_only=True))
    assert a.missing == {"gpt": "gpt: 404 no such deployment"}
    router.settle(0, leases[2], NO_KEY)
    router.settle(0, leases[3], Barred("403 later"))
    assert a.barred == "401 no such key"


# --- a quota that regions share


def test_a_shared_quota_is_spent_and_closed_together():
    quota = Quota(tokens=Limit(300, 60))
    a, b, c = region("a", quota=quota), region("b", quota=quota), region("c")
    router = make(a, b, c, strategy="ordered")

    assert names(router, 3, it=job(answer=100)) == ["a", "a", "a"]
    assert wait_for(b, 0, 1) > 59

    quota = Quota()
    a, b = region("a", quota=quota), region("b", quota=quota)
    router = make(a, b, c, strategy="ordered")
    one = take(router)
    other = take(router, avoid=frozenset("a"))
    router.settle(1, one, throttled(8))
    router.settle(1, other, throttled(30))
    assert names(router, 1, now=1) == ["c"]
    assert router.pick(1, job(), frozenset("c")) == 8
    assert b.adaptive.limit == 4, "late news of a burst cuts nobody"

    take(router, 9.0)
    assert wait_for(b, 9, 1) == wait_for(a, 9, 1) == 1.5, "one probe for all"


def test_a_shared_quota_does_not_share_health():
    quota = Quota()
    a, b = region("a", quota=quota), region("b", quota=quota)
    router = make(a, b, strategy="ordered")
    for _ in range(5):
        assert spend(router, FAULT) == "a"

    assert names(router, 1) == ["b"]


# --- against all advice


def test_force_asks_the_region_that_opens_soonest_though_it_is_closed():
    a, b, c = region("a"), region("b"), region("c")
    router = make(a, b, c)
    close(a, wait=8)
    close(b, wait=3)
    c.barred = "401"
    lease = router.force(0, job(answer=50))

    assert lease.region is b
    assert lease.tokens == 0
    assert b.in_flight == 1


def test_force_asks_a_region_that_is_out_when_no_other_is_left():
    a = region("a", barred="401")
    router = make(a)
    lease = router.force(0, job())
    router.settle(1, lease, OK)
    lease.region.readmit("gpt")

    assert names(router, 1, now=1) == ["a"]


# --- laws

VERDICTS = st.sampled_from(
    [
        OK,
        BAD,
        FAULT,
        LOST,
        LOCKED,
        NO_MODEL,
        OUR_FAULT,
        TOO_LARGE,
        None,
        throttled(None),
        throttled(8.0),
        throttled(None, Cause.CAPACITY),
        throttled(0.1, Cause.REQUESTS),
    ]
)
SAID = st.sampled_from(
    [NOTHING, Advertised(Limit(3, 1), None), Advertised(Limit(20, 10), Limit(500, 60))]
)
EVENTS = st.lists(
    st.tuples(
        st.floats(0, 20),  # seconds later
        st.integers(1, 5),  # jobs that are sent
        st.lists(st.tuples(st.integers(0, 9), VERDICTS, SAID), max_size=5),  # and that end
        st.sampled_from(["", "a", "b"]),  # who is avoided
    ),
    max_size=40,
)


def play(router, now, events):
    """Live through the events, and let what is still in flight be cancelled."""
    out = []
    for pause, count, ends, avoid in events:
        now += pause
        jobs = [job(ordinal, model="ab"[ordinal % 2], answer=40) for ordinal in range(count)]
        picked = [router.pick(now, it, frozenset(avoid)) for it in jobs]
        out += [lease for lease in picked if isinstance(lease, Lease)]
        for which, verdict, limits in ends[: len(out)]:
            router.settle(now, out.pop(which % len(out)), verdict, limits)
        assert sum(each.in_flight for each in router.regions) == len(out)
        assert all(0 <= each.in_flight <= each.peak <= 3 for each in router.regions)
    for lease in out:
        router.settle(now, lease, None)
    return now


@given(events=EVENTS, shared=st.booleans(), start=st.sampled_from([0.0, 1e9]))
def test_accounts_return_to_zero_and_every_region_is_picked_again(events, shared, start):
    quotas = [Quota(Limit(20, 10)), Quota()]
    router = make(
        region("a", quota=quotas[0], slots=3),
        region("b", quota=quotas[not shared], slots=3),
        region("openai", slots=3, is_fallback=True),
    )
    now = play(router, start, events)

    for each in router.regions:
        assert each.in_flight == 0
        assert each.quota.use(now + 500) == 0
        others = frozenset(other.name for other in router.regions if other is not each)
        wait = router.pick(now, job(model="c", answer=40), others)
        if isinstance(wait, float):  # until limits and health allow it
            assert 0 < wait <= 200
            now += wait
            wait = router.pick(now, job(model="c", answer=40), others)
        if isinstance(wait, float):  # until the pace does as well
            assert 0 < wait <= 10
            now += wait
            wait = router.pick(now, job(model="c", answer=40), others)
        assert isinstance(wait, Lease)
        router.settle(now, wait, OUR_FAULT)


@given(events=EVENTS)
def test_a_wait_that_is_told_is_always_worth_waiting(events):
    regions = [
        region("a", quota=Quota(Limit(5, 10))),
        region("b", quota=Quota(None, Limit(99, 1))),
    ]
    router, now = make(*regions), 1e9
    for _, count, ends, _ in events:
        for ordinal in range(count):
            it = job(ordinal, answer=40, model=str(ordinal))
            while not isinstance(picked := router.pick(now, it), Lease):
                if picked is None:
                    return
                assert picked < math.inf, "nothing is in flight"
                assert now + picked > now
                now += picked
            verdict, limits = ends[0][1:] if ends else (OK, NOTHING)
            router.settle(now, picked, verdict, limits)
