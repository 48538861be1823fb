"""A very late job is asked for once more, elsewhere; the first answer wins, and nothing leaks."""

import asyncio
from random import Random

import pytest

from batchrunner.caller import Caller
from batchrunner.hedge import ENOUGH, LEARNT_EVERY, Hedge
from batchrunner.model import OVERTAKEN, Fault, FaultKind
from batchrunner.policy.account import Account
from batchrunner.policy.governor import Governor
from batchrunner.policy.retry import Retry
from batchrunner.policy.router import Router
from batchrunner.pool import RegionPool
from tests.policy.builders import completion, error, job, region, reply

PATIENCE = 2.0
USAGE = {"prompt_tokens": 10, "completion_tokens": 5}
OK = reply(200, completion(content="Hi", usage=USAGE))
SORRY = reply(500, error("Sorry"))
REFUSED = reply(400, error("No", "content_filter"))
THROTTLED = reply(429, error("busy"), retry_after="1")
CROWDED = Fault(FaultKind.LOCAL, "too many open files")
GONE = Fault(FaultKind.RESET, "the connection ended")
NEVER = 1e6  #: seconds


class Regions:
    """A fake Send: what each region says, in turn, and after how many seconds."""

    def __init__(self, **said):
        self.said = {name: list(answers) for name, answers in said.items()}
        self.sent = []

    async def __call__(self, name, _):
        self.sent.append((name, asyncio.get_running_loop().time()))
        answers = self.said[name]
        seconds, outcome = answers.pop(0) if len(answers) > 1 else answers[0]
        await asyncio.sleep(seconds)
        return outcome


def knowing(patience=PATIENCE):
    hedge = Hedge()
    hedge.patience = patience
    return hedge


def make(send, *regions, hedge=None, attempts=6, **more):
    """A caller that has learned that nearly all answers come within two seconds."""
    router = Router(list(regions) or [region(name) for name in send.said], "ordered", **more)
    return Caller(RegionPool(router), send, Retry(attempts), Random(1), hedge=hedge or knowing())


def outcomes(result):
    return [(attempt.region, attempt.outcome) for attempt in result.attempts]


def in_flight(caller):
    return [one.in_flight for one in caller.pool.statistics()]


def now():
    return asyncio.get_running_loop().time()


# --- when


def test_what_is_late_is_known_after_a_hundred_answers():
    hedge = Hedge()
    for _ in range(ENOUGH - 1):
        hedge.learn(1.0)
    assert hedge.patience is None
    hedge.learn(1.0)

    assert hedge.patience == pytest.approx(1.0, rel=0.1)


def test_what_is_late_is_later_than_ninety_nine_of_a_hundred():
    hedge = Hedge()
    for n in range(1000):
        hedge.learn(8.0 if n % 200 == 0 else 1.0)
    assert hedge.patience == pytest.approx(1.0, rel=0.1)
    for n in range(1000):
        hedge.learn(8.0 if n % 40 == 0 else 1.0)

    assert hedge.patience == pytest.approx(8.0, rel=0.1)


def test_what_is_late_is_learned_anew_now_and_then():
    hedge, seen = Hedge(), set()
    for n in range(ENOUGH + 3 * LEARNT_EVERY):
        hedge.learn(1.0 * 1.5 ** (n // LEARNT_EVERY))
        seen.add(hedge.patience)

    assert len(seen) == 1 + 4


async def test_answers_teach_what_is_late_and_nothing_else_does():
    hedge = Hedge()
    caller = make(Regions(a=[(1, REFUSED)]), hedge=hedge)
    for n in range(ENOUGH):
        await caller.call(job(n))
    assert hedge.patience is None
    caller = make(Regions(a=[(1, OK)]), hedge=hedge)
    for n in range(ENOUGH):
        await caller.call(job(n))

    assert hedge.patience == pytest.approx(1.0, rel=0.1)


async def test_a_straggler_is_asked_for_twice_and_the_first_answer_wins():
    send = Regions(a=[(NEVER, OK)], b=[(1, OK)])
    caller = make(send)
    result = await caller.call(job())

    assert send.sent == [("a", 0), ("b", PATIENCE)]
    assert now() == PATIENCE + 1
    assert outcomes(result) == [("a", OVERTAKEN), ("b", "ok")]
    assert [attempt.seconds for attempt in result.attempts] == [3, 1]
    assert (result.region, result.failure, result.reply) == ("b", None, OK)
    assert in_flight(caller) == [0, 0]


async def test_the_first_one_may_still_win():
    send = Regions(a=[(PATIENCE + 1, OK)], b=[(NEVER, OK)])
    caller = make(send)
    result = await caller.call(job())

    assert now() == PATIENCE + 1
    assert outcomes(result) == [("b", OVERTAKEN), ("a", "ok")]
    assert in_flight(caller) == [0, 0]


async def test_two_answers_at_the_same_moment_are_one_answer():
    caller = make(Regions(a=[(PATIENCE + 1, OK)], b=[(1, OK)]))
    result = await caller.call(job())

    assert [outcome for _, outcome in outcomes(result)] == [OVERTAKEN, "ok"]
    assert result.failure is None
    assert in_flight(caller) == [0, 0]


async def test_who_answers_in_time_is_asked_once():
    send = Regions(a=[(PATIENCE - 0.01, OK)], b=[(0, OK)])
    result = await make(send).call(job())

    assert send.sent == [("a", 0)]
    assert outcomes(result) == [("a", "ok")]


async def test_nobody_is_asked_twice_before_it_is_known_what_is_late_or_where_it_is_not_wanted():
    for hedge in (Hedge(), None):
        send = Regions(a=[(50, OK)], b=[(0, OK)])
        caller = make(send)
        caller.hedge = hedge
        result = await caller.call(job())
        assert outcomes(result) == [("a", "ok")]


async def test_no_more_than_two_are_asked():
    send = Regions(a=[(40, OK)], b=[(NEVER, OK)], c=[(0, OK)])
    result = await make(send).call(job())

    assert [name for name, _ in send.sent] == ["a", "b"]
    assert outcomes(result) == [("b", OVERTAKEN), ("a", "ok")]


# --- when not


async def test_a_job_that_no_other_region_takes_is_waited_for():
    send = Regions(a=[(50, OK)])
    assert outcomes(await make(send).call(job())) == [("a", "ok")]

    send = Regions(a=[(50, OK)], b=[(0, OK)])
    busy = region("b", slots=1, in_flight=1)
    assert outcomes(await make(send, region("a"), busy).call(job())) == [("a", "ok")]
    assert busy.in_flight == 1


async def test_a_region_that_failed_the_job_before_is_not_asked():
    send = Regions(a=[(0, SORRY)], b=[(50, OK)])
    result = await make(send).call(job())

    assert outcomes(result) == [("a", "http_500"), ("b", "ok")]


async def test_nobody_is_asked_twice_while_others_wait_for_a_region():
    """The other region has room, but somebody waits, though only for the first one."""
    send = Regions(a=[(50, OK)], b=[(0, OK)])
    caller = make(send, region("a", slots=1), region("b"))
    slow = asyncio.ensure_future(caller.call(job(0)))
    await asyncio.sleep(1)
    waits = asyncio.ensure_future(caller.pool.lease(job(1), frozenset("b")))
    result = await slow

    assert outcomes(result) == [("a", "ok")]
    caller.pool.settle(await waits, None)
    assert in_flight(caller) == [0, 0]


async def test_nobody_is_asked_twice_once_the_pool_is_closed():
    send = Regions(a=[(50, OK)], b=[(0, OK)])
    caller = make(send)
    slow = asyncio.ensure_future(caller.call(job()))
    await asyncio.sleep(1)
    caller.close()

    assert outcomes(await slow) == [("a", "ok")]


async def test_the_fallback_is_not_asked_beyond_its_share():
    send = Regions(a=[(50, OK)], openai=[(0, OK)])
    regions = region("a"), region("openai", is_fallback=True)
    caller = make(send, *regions, governor=Governor(max_share=0.0))

    assert outcomes(await caller.call(job())) == [("a", "ok")]


# --- what follows


async def test_two_faults_count_as_two():
    send = Regions(a=[(3, SORRY)], b=[(4, GONE)])
    result = await make(send, attempts=2).call(job())

    assert now() == PATIENCE + 4
    assert outcomes(result) == [("a", "http_500"), ("b", "reset")]
    assert result.failure.retryable


async def test_after_two_faults_the_job_goes_elsewhere():
    send = Regions(a=[(3, SORRY)], b=[(4, SORRY)], c=[(1, OK)])
    result = await make(send).call(job())

    assert outcomes(result) == [("a", "http_500"), ("b", "http_500"), ("c", "ok")]
    assert send.sent[-1] == ("c", PATIENCE + 4)


@pytest.mark.parametrize("outcome", [SORRY, THROTTLED, GONE], ids=["fault", "429", "reset"])
@pytest.mark.parametrize("first", [True, False])
async def test_when_one_fails_the_other_is_still_waited_for(outcome, first):
    bad, good = (3, outcome), (9, OK)
    caller = make(Regions(a=[bad if first else good], b=[good if first else (0.5, outcome)]))
    result = await caller.call(job())

    assert result.failure is None
    assert result.reply is OK
    assert len(result.attempts) == 2
    assert outcomes(result)[-1] == ("b" if first else "a", "ok")
    assert in_flight(caller) == [0, 0]


async def test_a_refusal_ends_both():
    caller = make(Regions(a=[(NEVER, OK)], b=[(1, REFUSED)]))
    result = await caller.call(job())

    assert now() == PATIENCE + 1
    assert outcomes(result) == [("a", OVERTAKEN), ("b", "refused")]
    assert result.failure.code == "content_filter"
    assert in_flight(caller) == [0, 0]


@pytest.mark.parametrize("seconds", [0, 1, PATIENCE, PATIENCE + 0.5, PATIENCE + 1, 10])
async def test_whoever_is_cancelled_leaves_nothing_behind(seconds):
    caller = make(Regions(a=[(NEVER, OK)], b=[(NEVER, OK)]))
    task = asyncio.ensure_future(caller.call(job()))
    await asyncio.sleep(seconds)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert in_flight(caller) == [0, 0]
    assert caller.pool.waiting == 0


async def test_accounts_return_to_zero_after_many_of_them():
    rng = Random(7)

    async def send(*_):
        await asyncio.sleep(rng.choice([0.1, 0.5, 3, 30]))
        return rng.choice([OK, OK, OK, OK, SORRY, REFUSED, THROTTLED, GONE])

    regions = [region(name, slots=3) for name in "ab"]
    fallback = region("openai", slots=3, is_fallback=True)
    governor = Governor(max_share=0.5, money=Account(1e6), price=lambda *_: 0.01)
    router = Router([*regions, fallback], governor=governor)
    caller = Caller(RegionPool(router), send, Retry(4), rng, hedge=knowing(0.6))
    results = []

    async def work(first):
        for n in range(first, 200, 4):
            result = await caller.call(job(n))
            results.append(result)

    tasks = [asyncio.ensure_future(work(first)) for first in range(4)]
    asyncio.get_running_loop().call_later(50, tasks[0].cancel)
    ended = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(one) for one in ended] == [asyncio.CancelledError] + [type(None)] * 3
    assert sum(outcome == OVERTAKEN for one in results for _, outcome in outcomes(one)) > 4
    for result in results:
        words = [outcome for _, outcome in outcomes(result) if outcome in ("ok", "refused")]
        assert len(words) <= 1
    assert in_flight(caller) == [0, 0, 0]
    assert governor.money.in_flight == 0
    assert governor.money.reserved == pytest.approx(0, abs=1e-9)
    assert governor.taken <= 0.5 * governor.answers


async def test_the_fallback_is_not_asked_a_second_time_while_azure_is_open():
    send = Regions(a=[(5, OK)], openai=[(1, OK)])
    regions = region("a"), region("openai", is_fallback=True)
    result = await make(send, *regions).call(job())

    assert outcomes(result) == [("a", "ok")]


@pytest.mark.parametrize("hedge", [Hedge(), knowing()])
async def test_where_this_machine_is_at_its_limits_a_job_rests_for_a_second(hedge):
    send = Regions(a=[(0, CROWDED), (0, CROWDED), (0, OK)])
    result = await make(send, hedge=hedge).call(job())

    assert result.failure is None
    assert send.sent == [("a", 0.0), ("a", 1.0), ("a", 2.0)]


async def test_two_attempts_that_this_machine_hinders_are_one_reason_to_rest():
    send = Regions(a=[(PATIENCE + 1, CROWDED), (0, OK)], b=[(1, CROWDED)])
    await make(send).call(job())

    assert send.sent == [("a", 0.0), ("b", PATIENCE), ("a", PATIENCE + 2)]


async def test_a_job_that_begins_after_a_pause_has_not_waited_for_it():
    caller = make(Regions(a=[(0, OK)]), hedge=Hedge())
    caller.pool.pause()
    await asyncio.sleep(60)
    caller.pool.resume()

    result = await caller.call(job())

    assert result.attempts[0].wait == 0.0
