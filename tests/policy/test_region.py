"""What is known of one region, and what can be said of it at any moment."""

import math

import pytest

from batchrunner.policy.adaptive import Adaptive
from batchrunner.policy.quota import Quota
from batchrunner.policy.ratelimit import Advertised, Limit
from batchrunner.policy.region import Region, RegionStatus
from batchrunner.policy.verdict import Cause, Throttled
from tests.policy.builders import job, region, wait_for


def sick(name="eastus", at=0.0):
    it = region(name)
    for _ in range(5):
        it.breaker.fail(at, it.breaker.generation)
    return it


def throttled(name="eastus", at=0.0, wait=8.0):
    it = region(name)
    it.quota.throttle(at, at, 1, it.quota.generation, Throttled(Cause.TOKENS, wait))
    return it


def said(it, now):
    status = it.status(now)
    return status.state, status.opens_in, status.reason


def test_a_region_serves_every_model_until_it_says_otherwise():
    it = region("eastus")
    assert it.serves("gpt")

    it.missing["gpt"] = "404"
    assert not it.serves("gpt")
    assert it.serves("other")

    it.barred = "401"
    assert not it.serves("other")


def test_an_answer_proves_that_a_region_serves_after_all():
    it = region("eastus", missing={"gpt": "404", "other": "404"}, barred="401")
    it.readmit("gpt")

    assert it.serves("gpt")
    assert not it.serves("other")


@pytest.mark.parametrize(("in_flight", "busy"), [(0, False), (3, False), (4, True), (5, True)])
def test_a_region_is_busy_when_all_its_slots_are_taken(in_flight, busy):
    assert region("eastus", slots=4, in_flight=in_flight).is_busy is busy


def test_it_waits_for_both_its_health_and_its_quota():
    assert wait_for(region("eastus"), 0, 100) == 0
    assert wait_for(sick(), 0, 100) == 5
    assert wait_for(throttled(), 0, 100) == 8

    both = sick()
    both.quota = throttled(wait=3.0).quota
    assert wait_for(both, 0, 100) == 5
    assert wait_for(both, 4, 100) == 1


def test_the_least_wait_is_that_of_a_request_without_tokens():
    it = region("eastus", quota=Quota(Limit(10, 60), Limit(100, 60)))
    it.quota.take(0, 80)
    assert wait_for(it, 0, 21) > 60
    assert wait_for(it, 0, 20) == it.wait_for_any(0) == 0

    it.quota.throttle(0, 0, 1, it.quota.generation, Throttled(Cause.CAPACITY, 8))
    assert wait_for(it, 0, 20) == it.wait_for_any(0) == 8
    assert wait_for(it, 0, 21) > 60
    assert sick().wait_for_any(0) == 5


@pytest.mark.parametrize(
    ("answer", "fits"), [(None, True), (0, True), (100, True), (101, False), (5000, False)]
)
def test_what_may_be_answered_has_to_fit_the_limit_of_tokens(answer, fits):
    it = region("eastus", quota=Quota(Limit(10, 60), Limit(100, 60)))

    assert it.fits(job(answer=answer, body=b"x" * 4000)) is fits
    assert region("eastus").fits(job(answer=answer)), "no limit is known"


def test_the_load_is_the_scarcest_of_slots_requests_and_tokens():
    it = region("eastus", slots=4, quota=Quota(Limit(10, 60), Limit(1000, 60)))
    assert it.load(0) == 0

    it.in_flight = 1
    assert it.load(0) == 0.25
    for _ in range(5):
        it.quota.take(0, 10)
    assert it.load(0) == 0.5
    it.quota.take(0, 850)
    assert it.load(0) == 0.9


def test_an_open_region_has_nothing_to_explain():
    it = region("eastus", slots=4, in_flight=2, peak=3)

    assert it.status(0) == RegionStatus(
        name="eastus",
        state="open",
        reason="",
        opens_in=0.0,
        in_flight=2,
        limit=4,
        peak_in_flight=3,
        throttled_s=0.0,
    )


def test_a_region_that_lacks_a_model_is_open_and_says_which():
    it = region("eastus", missing={"gpt": "gpt: 404", "other": "other: 404"})

    assert said(it, 0) == ("open", 0, "gpt: 404; other: 404")


def test_a_region_that_is_out_says_why():
    it = sick()
    it.barred = "401 Access denied"

    assert said(it, 0) == ("out", 0, "401 Access denied")


def test_a_sick_region_rests_until_its_canary_is_answered():
    it = sick()
    assert said(it, 0) == ("resting", 5, "")
    assert said(it, 3) == ("resting", 2, "")
    assert said(it, 6) == ("resting", 0, "")

    it.breaker.begin(6)
    assert wait_for(it, 6, 0) == math.inf
    assert said(it, 6) == ("resting", 0, "")

    it.breaker.succeed(it.breaker.generation)
    assert said(it, 7) == ("open", 0, "")


def test_a_throttled_region_counts_its_closed_time_as_it_passes():
    it = throttled(wait=8.0)

    assert said(it, 2) == ("throttled", 6, "")
    assert it.status(0).throttled_s == 0
    assert it.status(2).throttled_s == 2
    assert said(it, 8) == ("open", 0, "")
    assert it.status(100).throttled_s == 8


def test_a_region_begins_with_a_breaker_of_its_own():
    one, other = (Region(name=n, quota=Quota(), adaptive=Adaptive(4)) for n in ("a", "b"))
    one.breaker.fail(0, 0)

    assert other.breaker != one.breaker


def test_what_is_known_of_its_limits_is_said_and_how_much_of_them_is_taken():
    it = Region(name="a", quota=Quota(Limit(10, 60), Limit(1000, 60)), adaptive=Adaptive(4))
    it.quota.take(0.0, 250.0)
    status = it.status(1.0)

    assert (status.rpm, status.tpm, status.use) == (10, 1000, 0.25)


def test_without_known_limits_nothing_is_said_of_them():
    status = region("eastus").status(0.0)

    assert (status.rpm, status.tpm, status.use) == (None, None, 0.0)


def test_a_limit_that_shrinks_below_what_is_taken_is_all_used():
    it = Region(name="a", quota=Quota(Limit(100, 60)), adaptive=Adaptive(4))
    for _ in range(50):
        it.quota.take(0.0, 1.0)
    it.quota.advertise(1.0, Advertised(Limit(5, 60), None), None, 0.0, 0)

    assert it.status(1.0).use == 1.0
