"""What a person changes holds from that moment on, and takes back nothing."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.model import Usage
from batchrunner.policy.breaker import State
from batchrunner.policy.helm import Helm, let_in, limit_region, take_out
from batchrunner.policy.lease import Lease
from batchrunner.policy.quota import Quota
from batchrunner.policy.ratelimit import MINUTE, Advertised, Limit, requests_per_minute
from batchrunner.policy.router import Router
from batchrunner.policy.verdict import Answered, Barred
from tests.policy.builders import job, region

NOWHERE = frozenset()
OK = Answered(Usage("gpt", 0, 0))


def picked(helm, router, now=0.0, *, avoid=NOWHERE):
    """What a job is given that has waited since the beginning."""
    return helm.pick(router, now, job(), avoid, 0.0)


def leased(helm, router, now=0.0, **options):
    """The name of the region that takes a job now; else None."""
    found = picked(helm, router, now, **options)
    return found.region.name if isinstance(found, Lease) else None


# --- pause


def test_a_pause_leases_nothing_and_afterwards_all_is_as_before():
    helm, router = Helm(8), Router([region("a")])

    assert helm.pause(5.0)
    assert picked(helm, router, 6.0) == math.inf
    assert helm.resume(65.0)
    assert leased(helm, router, 65.0) == "a"


def test_the_same_again_changes_nothing_and_says_so():
    helm = Helm(8)

    assert not helm.resume(1.0)
    assert helm.pause(2.0)
    assert not helm.pause(3.0)
    assert helm.elapsed(9.0) == 2.0
    assert helm.resume(12.0)
    assert not helm.resume(13.0)
    assert helm.elapsed(13.0) == 3.0


def test_a_pause_is_no_waiting_for_azure():
    """The fallback may take a job that waited 30 seconds, pauses not counted."""
    azure, openai = region("a", slots=1), region("openai", is_fallback=True)
    azure.breaker.doubt(0.0)
    azure.breaker.begin(0.0)  # its canary is on its way, for ever
    helm, router = Helm(8), Router([azure, openai], fallback_after=30.0)
    helm.pause(10.0)
    helm.resume(1000.0)

    assert picked(helm, router, 1010.0) == pytest.approx(10.0)
    assert leased(helm, router, 1020.0) == "openai"


# --- concurrency


def test_in_flight_stay_below_the_new_number_and_what_was_sent_is_not_touched():
    helm, router = Helm(8), Router([region("a"), region("b")])
    leases = [picked(helm, router) for _ in range(6)]
    helm.limit(router, 4)

    assert router.in_flight == 6
    for lease in leases[:2]:
        assert picked(helm, router) == math.inf
        router.settle(0.0, lease, OK)
    assert picked(helm, router) == math.inf
    router.settle(0.0, leases[2], OK)
    assert leased(helm, router) is not None
    assert picked(helm, router) == math.inf
    assert router.in_flight == 4


def test_more_than_at_the_start_reaches_regions_that_have_no_number_of_their_own():
    own, other = region("own", slots=2, is_capped=True), region("other", slots=2)
    other.quota.configure(0.0, requests=Limit(600, MINUTE))
    helm, router = Helm(2), Router([own, other], is_paced=False)
    helm.limit(router, 10)
    names = [leased(helm, router) for _ in range(14)]

    assert names.count("own") == 2
    assert names.count("other") == 8


def test_a_lower_number_leaves_what_was_learned_of_the_regions():
    a = region("a", slots=40)
    helm = Helm(40)
    helm.limit(Router([a]), 2)

    assert (a.adaptive.cap, a.adaptive.limit) == (40, 40)


# --- limits


def sent(router, now, most=10_000):
    """Send all that goes at ``now``; returns how much that was."""
    count = 0
    while count < most and isinstance(lease := router.pick(now, job(0)), Lease):
        router.settle(now, lease, OK)
        count += 1
    return count


def sent_between(router, since, until):
    """Send all that goes, looking every twentieth of a second."""
    steps = round((until - since) * 20)
    return sum(sent(router, since + step / 20) for step in range(steps))


def test_a_lower_limit_counts_what_was_sent_before():
    a = region("a", quota=Quota(requests_per_minute(360)))
    router = Router([a], is_paced=False)
    assert sent_between(router, 0.0, 2.0) == 60
    limit_region(router, 2.0, a, rpm=120)

    assert sent_between(router, 2.0, 10.0) == 0
    assert sent_between(router, 10.0, 20.0) == 20
    assert a.quota.requests_per_minute == 120


def test_a_higher_limit_is_used_at_once():
    a = region("a", quota=Quota(requests_per_minute(120)), slots=999)
    router = Router([a], is_paced=False)
    assert sent_between(router, 0.0, 4.0) == 20
    limit_region(router, 4.0, a, rpm=360)

    assert sent_between(router, 4.0, 8.0) == 40


def test_a_limit_where_none_was_known_counts_what_was_sent_in_the_minute():
    a = region("a")
    router = Router([a], is_paced=False)
    assert sent(router, 0.0, most=50) == 50
    limit_region(router, 2.0, a, rpm=600)

    assert a.quota.known
    assert sent_between(router, 2.0, 9.0) == 50


def test_a_lower_limit_of_the_service_holds():
    a = region("a", quota=Quota(requests_per_minute(600)))
    router = Router([a], is_paced=False)
    lease = router.pick(0.0, job(0))
    router.settle(0.0, lease, OK, Advertised(requests=requests_per_minute(60)))
    limit_region(router, 1.0, a, rpm=3000)

    assert a.quota.requests_per_minute == 60


def test_regions_of_a_group_share_the_new_limit():
    quota = Quota(requests_per_minute(600))
    a, b, c = region("a", quota=quota), region("b", quota=quota), region("c")
    router = Router([a, b, c], is_paced=False)
    limit_region(router, 0.0, a, rpm=120)

    assert router.sharing(b) == ["a", "b"]
    assert b.quota.requests_per_minute == 120
    assert c.quota.requests_per_minute is None


def test_who_waited_for_the_old_limit_is_looked_at_again():
    a = region("a", quota=Quota(tokens=Limit(1000, MINUTE)), slots=99)
    router = Router([a], is_paced=False)
    router.settle(0.5, router.pick(0.0, job(0, answer=900)), OK)
    assert router.pick(1.0, job(1, answer=900)) > 58
    limit_region(router, 1.0, a, tpm=10_000)

    assert isinstance(router.pick(1.0, job(1, answer=900)), Lease)


def test_a_job_that_fitted_before_fits_still_and_goes_alone():
    a = region("a", quota=Quota(tokens=Limit(1000, MINUTE)), slots=99)
    router = Router([a], is_paced=False)
    limit_region(router, 0.0, a, tpm=100)

    assert isinstance(router.pick(0.0, job(0, answer=500)), Lease)
    assert a.quota.wait_for_tokens(0.0, 1.0) == pytest.approx(60, abs=0.2)
    assert router.pick(0.0, job(2, answer=1001)) is None  # as ever


def test_a_region_is_given_a_number_of_its_own():
    a = region("a", slots=8)
    helm, router = Helm(8), Router([a])
    leases = [picked(helm, router) for _ in range(8)]
    limit_region(router, 0.0, a, concurrency=3)
    for lease in leases[:5]:
        router.settle(0.0, lease, OK)
        assert picked(helm, router) == math.inf
    router.settle(0.0, leases[5], OK)

    assert leased(helm, router) == "a"
    helm.limit(router, 50)
    assert a.adaptive.cap == 3


# --- out and in


def test_jobs_go_elsewhere_and_come_back():
    a, b = region("a"), region("b")
    helm, router = Helm(8), Router([a, b], "ordered")
    lease = picked(helm, router)
    take_out(a)

    assert leased(helm, router) == "b"
    assert a.status(0.0).state == "out"
    router.settle(1.0, lease, OK)  # what was in flight is an answer like any other
    assert let_in(router, 2.0, a)
    assert not let_in(router, 2.0, a)
    assert leased(helm, router) == "a"


def test_jobs_that_no_other_region_takes_wait():
    a, b = region("a"), region("b", missing={"gpt": "404"})
    helm, router = Helm(8), Router([a, b])
    take_out(a)

    assert picked(helm, router) == math.inf
    assert let_in(router, 9.0, a)
    assert leased(helm, router, 9.0) == "a"


def test_a_job_that_failed_elsewhere_goes_back_there_rather_than_wait_for_who_is_out():
    a, b = region("a"), region("b")
    helm, router = Helm(8), Router([a, b])
    take_out(b)

    assert picked(helm, router, avoid=frozenset("a")) is None  # it rests, and begins anew
    assert leased(helm, router) == "a"


def test_openai_is_taken_out_like_any_other():
    a, openai = region("a", missing={"gpt": "404"}), region("openai", is_fallback=True)
    helm, router = Helm(8), Router([a, openai])
    assert leased(helm, router) == "openai"
    take_out(openai)

    assert picked(helm, router) == math.inf


def test_a_region_that_refused_a_key_gets_one_request_when_it_is_let_in():
    a = region("a")
    helm, router = Helm(8), Router([a])
    router.settle(0.0, picked(helm, router), Barred("401 no such key", model_only=False))
    assert picked(helm, router) is None
    assert let_in(router, 5.0, a)

    canary = picked(helm, router, 5.0)
    assert picked(helm, router, 5.0) == math.inf
    router.settle(6.0, canary, Barred("401 no such key", model_only=False))
    assert picked(helm, router, 6.0) is None
    assert let_in(router, 7.0, a)
    router.settle(8.0, picked(helm, router, 7.0), OK)
    assert a.breaker.state(8.0) is State.CLOSED
    assert leased(helm, router, 8.0) == "a"


def test_a_model_that_was_missing_is_tried_again_too():
    a = region("a", missing={"gpt": "404"})
    helm, router = Helm(8), Router([a])
    assert let_in(router, 0.0, a)

    assert leased(helm, router) == "a"


def test_a_region_that_is_let_in_while_it_rests_is_tried_at_once():
    a = region("a", missing={"other": "404"})
    helm, router = Helm(8), Router([a])
    for _ in range(5):
        a.breaker.fail(0.0, a.breaker.generation)
    assert picked(helm, router) == pytest.approx(5.0)
    assert let_in(router, 1.0, a)

    assert leased(helm, router, 1.0) == "a"


# --- the law: whatever the limit was before, no request goes that the new one does not allow


LIMITS = st.sampled_from([6.0, 30.0, 60.0, 90.0, 120.0, 600.0])


@given(
    st.none() | LIMITS,
    st.lists(st.tuples(st.floats(0.01, 25.0), st.none() | LIMITS), min_size=1, max_size=40),
)
def test_no_request_goes_that_the_limit_of_its_moment_does_not_allow(first, steps):
    a = region("a", quota=Quota(None if first is None else requests_per_minute(first)), slots=9999)
    router = Router([a], is_paced=False)
    now, limit, times = 0.0, first and requests_per_minute(first), []
    for pause, rpm in steps:
        now += pause
        if rpm is not None:
            limit_region(router, now, a, rpm=rpm)
            limit = requests_per_minute(rpm)
        count = sent(router, now, most=25)
        times += [now] * count
        if count and limit is not None:
            within = sum(at > now - limit.span for at in times)
            assert within <= math.ceil(limit.amount)
    assert router.in_flight == a.in_flight == 0
