"""A tier looks at few regions, and misses none that a scan of all would find."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.model import Usage
from batchrunner.policy.lease import Lease
from batchrunner.policy.quota import Quota
from batchrunner.policy.ratelimit import Advertised, Limit
from batchrunner.policy.router import Router
from batchrunner.policy.tier import COMPARED, Outlook, Tier
from batchrunner.policy.verdict import Answered, Cause, Faulty, Throttled
from tests.policy.builders import job, region, wait_for

NOBODY = frozenset()


def tier(*regions, **more):
    return Tier(regions, **more)


def look(it, now=0.0, tokens=0.0, avoid="", **more):
    """What the tier has for a job, avoided regions as a text of their letters."""
    return it.look(now, job(**more), tokens, frozenset(avoid))


def ready(it, now=0.0, tokens=0.0, avoid=""):
    found = look(it, now, tokens, avoid)
    return [] if isinstance(found, Outlook) else [one.name for one in found]


def close(one, wait=8.0, now=0.0):
    one.quota.throttle(now, now, 1, one.quota.generation, Throttled(Cause.OTHER, wait))


def tight(amount=100.0):
    """No more than so many tokens a minute."""
    return Quota(tokens=Limit(amount, 60))


# --- who is looked at


def test_regions_that_are_ready_are_looked_at_in_turn():
    regions = [region(name) for name in "abcdef"]
    it = tier(*regions)
    assert ready(it) == list("abcd")
    it.take(regions[0])
    it.take(regions[2])

    assert ready(it) == list("bdef")
    assert ready(it, avoid="be") == list("dfac")


def test_of_those_that_are_ready_the_least_loaded_is_best():
    a, b, c = (region(name, in_flight=n) for name, n in (("a", 2), ("b", 1), ("c", 3)))
    it = tier(a, b, c)

    assert it.best(0, look(it)) is b
    assert it.best(0, look(it, avoid="b")) is a
    assert it.best(0, look(it, avoid="ab")) is c


def test_no_more_than_a_few_are_compared():
    regions = [region(f"r{n}") for n in range(50)]

    assert len(ready(tier(*regions))) == COMPARED


def test_in_order_the_first_that_is_ready_is_the_only_one():
    a, b = region("a"), region("b")
    it = tier(a, b, is_ordered=True)
    assert ready(it) == ["a"]
    close(a)
    assert ready(it) == ["b"]
    assert ready(it, now=8) == ["a"]


# --- who is shut


def test_a_region_that_is_shut_is_looked_at_again_when_its_time_has_come():
    a = region("a")
    close(a, wait=8)
    it = tier(a)

    assert look(it).soonest == 8
    assert ready(it, now=7.9) == []
    assert ready(it, now=8) == ["a"]


def test_a_region_that_is_shut_is_not_asked_again_until_then():
    a = region("a")
    close(a, wait=8)
    it = tier(a)
    look(it)
    a.quota = Quota()  # nobody told

    assert ready(it, now=7.9) == []
    it.wake(a)
    assert ready(it, now=7.9) == ["a"]


def test_a_smaller_job_finds_room_where_a_larger_one_found_none():
    a = region("a", quota=tight())
    a.quota.take(0, 80)
    it = tier(a)

    assert ready(it, 1, tokens=50) == []
    assert ready(it, 1, tokens=60) == []
    assert ready(it, 1, tokens=20) == ["a"]
    assert ready(it, 1, tokens=50) == []
    assert ready(it, 1, tokens=20) == ["a"]


def test_a_busy_region_is_no_reason_to_look_again_by_itself():
    a = region("a", slots=1, in_flight=1)
    it = tier(a)
    found = look(it)
    assert (found.found, found.busy, found.soonest) == (True, True, math.inf)
    a.in_flight = 0
    it.wake(a)

    assert ready(it) == ["a"]


def test_a_region_that_keeps_a_pace_says_so():
    a = region("a", slots=99, quota=Quota(Limit(16, 10)))
    for _ in range(4):
        a.quota.take(0, 0)
    found = look(tier(a))

    assert (found.paced, found.busy) == (True, False)
    assert 0 < found.soonest <= 0.21
    assert ready(tier(a, is_paced=False)) == ["a"]
    in_order = look(tier(a, region("b"), is_ordered=True))
    assert in_order.paced


@pytest.mark.parametrize("is_ordered", [False, True])
@pytest.mark.parametrize(
    ("more", "avoid"),
    [
        ({"barred": "401"}, ""),
        ({"missing": {"gpt": "404"}}, ""),
        ({}, "a"),
        ({"quota": tight(9)}, ""),
    ],
    ids=["out", "without the model", "avoided", "too small"],
)
def test_who_will_never_take_the_job_is_not_found(more, avoid, is_ordered):
    found = look(tier(region("a", **more), is_ordered=is_ordered), avoid=avoid, answer=10)

    assert found == Outlook()


def test_what_holds_up_others_is_not_told_to_a_job_that_they_are_not_for():
    a, b = region("a", slots=1, in_flight=1), region("b")
    close(b, wait=3)
    it = tier(a, b)
    assert look(it).busy

    assert not look(it, avoid="a").busy
    assert look(it, avoid="a").found
    assert not look(it, avoid="ab").found


def test_however_often_it_is_asked_the_heap_stays_small():
    regions = [region(f"r{n}", quota=tight()) for n in range(3)]
    for one in regions:
        one.quota.take(0, 90)
    it = tier(*regions)
    for n in range(3000):
        assert not ready(it, n / 100, tokens=50)
        it.wake(regions[n % 3])

    assert len(it._heap) < 100
    assert look(it, 31, tokens=50).soonest == pytest.approx(29, abs=0.2)
    assert ready(it, 61, tokens=50)


# --- laws


def scan(router, now, it, avoid):
    """What a look at every region in turn finds: ready or not, and when it is worth another."""
    tokens = router.estimate.tokens(it)
    mine = [
        one
        for one in router.regions
        if one.name not in avoid and one.serves(it.model) and one.fits(it)
    ]
    waits = {one.name: wait_for(one, now, tokens) for one in mine}
    pauses = {one.name: max(waits[one.name], one.quota.pause(now)) for one in mine}
    open_ = [one for one in mine if pauses[one.name] <= 0 and not one.is_busy]
    closed = [pauses[one.name] for one in mine if pauses[one.name] > 0 and not one.is_busy]
    return mine, {one.name for one in open_}, min(closed, default=math.inf)


QUOTAS = st.sampled_from(
    [(None, None), (Limit(3, 1), None), (None, Limit(99, 1)), (Limit(8, 10), Limit(300, 10))]
)
OK = Answered(Usage("gpt", 10, 10))
ENDS = st.sampled_from(
    [
        *[OK] * 3,
        Throttled(Cause.TOKENS, 2.0),
        Throttled(Cause.REQUESTS, None),
        Throttled(Cause.CAPACITY, 5.0),
        Faulty("http_500", ""),
        Faulty("connect", ""),
        None,
    ]
)
SAID = st.sampled_from([Advertised(), Advertised(Limit(20, 10), Limit(500, 60))])
STEPS = st.lists(
    st.tuples(
        st.floats(0, 3) | st.just(0.0),  # seconds later
        st.sampled_from([0, 5, 40, 90]),  # tokens of the next job
        st.sets(st.sampled_from("abc"), max_size=2),  # regions that it avoids
        st.none() | st.tuples(st.integers(0, 9), ENDS, SAID),  # which request ends, and how
        st.booleans(),  # whether the last jobs are on their way
    ),
    max_size=60,
)


@given(
    limits=st.lists(QUOTAS, min_size=3, max_size=3), start=st.sampled_from([0.0, 1e9]), steps=STEPS
)
def test_a_tier_finds_what_a_scan_of_all_regions_finds_and_never_says_later(limits, start, steps):
    regions = [
        region(name, quota=Quota(*limit), slots=2)
        for name, limit in zip("abc", limits, strict=True)
    ]
    router, now, out = Router(regions), start, []
    for pause, tokens, avoid, end, is_last in steps:
        now += pause
        it = job(answer=tokens)
        mine, open_, soonest = scan(router, now, it, avoid)
        picked = router.pick(now, it, frozenset(avoid))
        if open_:
            assert isinstance(picked, Lease)
            assert picked.region.name in open_
            out.append(picked)
        elif mine:
            assert isinstance(picked, float)
            assert 0 < picked <= soonest + 1e-6
            assert now + picked > now
        else:
            assert picked is None
        if end is not None and out:
            which, verdict, limits_ = end
            router.settle(now, out.pop(which % len(out)), verdict, limits_)
        if is_last:
            router.hurry()
