"""An answer that breaks the schema is asked for again, and everything that was paid counts."""

from random import Random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.answers import Answers
from batchrunner.caller import Caller
from batchrunner.config import Settings, read_settings
from batchrunner.fleet import make_router
from batchrunner.hedge import Hedge
from batchrunner.ledger import Ledger
from batchrunner.model import (
    CANCELLED,
    INVALID,
    OVERTAKEN,
    Attempt,
    Failure,
    Job,
    Reply,
    Result,
    Usage,
)
from batchrunner.outputs.lines import decode, encode
from batchrunner.policy.quota import Quota
from batchrunner.policy.ratelimit import MINUTE, Limit
from batchrunner.policy.retry import Retry
from batchrunner.policy.router import Router
from batchrunner.pool import RegionPool
from batchrunner.prices import cost_usd
from batchrunner.stats import Stats
from tests.policy.builders import completion, error, region, reply
from tests.test_hedge import Regions, in_flight, knowing, now, outcomes

ANSWERS = Answers({"type": "object", "required": ["city"]})
USAGE = {"prompt_tokens": 10, "completion_tokens": 5}
PAID = Usage("gpt-4o-mini", 10, 5)
GOOD = reply(200, completion(content='{"city":"Bonn"}', usage=USAGE))
BAD = reply(200, completion(content="{}", usage=USAGE))
WORSE = reply(200, completion(content="Bonn", usage=USAGE))
CUT = reply(200, completion("length", usage=USAGE, content='{"city":'))
REFUSAL = reply(200, completion(content=None, refusal="No.", usage=USAGE))
FILTERED = reply(200, completion("content_filter", usage=USAGE, content=""))
SORRY = reply(500, error("Sorry"))
THROTTLED = reply(429, error("busy"), retry_after="1")
CFG = "c0ffee00"


class Asked(Regions):
    """It also notes what was asked, and does not let anybody ask without end."""

    def __init__(self, **said):
        super().__init__(**said)
        self.bodies = []

    async def __call__(self, name, job):
        self.bodies.append(orjson.loads(job.body)["messages"])
        assert len(self.bodies) <= 200
        return await super().__call__(name, job)


def job(ordinal=0):
    body = b'{"messages":[{"role":"user","content":"Where?"}]}'
    return Job(ordinal, f"{ordinal:016x}", "a", "/chat/completions", "gpt-4o-mini", body, 20)


def make(send, *, answers=ANSWERS, max_reasks=2, attempts=6, hedge=None):
    return Caller(
        RegionPool(Router([region(name) for name in send.said], "ordered")),
        send,
        Retry(attempts),
        Random(1),
        hedge=hedge,
        answers=answers,
        max_reasks=max_reasks,
    )


async def test_the_second_answer_is_taken_and_both_are_counted():
    send = Asked(a=[(1, BAD), (1, GOOD)])

    result = await make(send).call(job())

    assert result.failure is None
    assert result.reply == GOOD
    assert result.job == job()
    assert outcomes(result) == [("a", INVALID), ("a", "ok")]
    assert result.attempts[0].usage == result.usage == PAID
    assert result.attempts[1].usage is None


async def test_only_the_last_answer_is_carried():
    send = Asked(a=[(1, BAD), (1, WORSE), (1, GOOD)])

    await make(send).call(job())

    assert [len(messages) for messages in send.bodies] == [1, 3, 3]
    assert [messages[0]["content"] for messages in send.bodies] == ["Where?"] * 3
    assert send.bodies[1][1]["content"] == "{}"
    assert send.bodies[2][1]["content"] == "Bonn"
    assert "not JSON" in send.bodies[2][2]["content"]


@pytest.mark.parametrize("most", [0, 1, 3])
async def test_it_ends_after_so_many_times_and_keeps_the_last_reply(most):
    send = Asked(a=[(1, BAD)])

    result = await make(send, max_reasks=most).call(job())

    assert outcomes(result) == [("a", INVALID)] * (most + 1)
    assert result.failure.code == "invalid_output"
    assert not result.failure.retryable
    assert "city" in result.failure.message
    assert result.reply == BAD
    assert result.usage is None


@pytest.mark.parametrize(
    ("answer", "code"), [(CUT, "truncated"), (REFUSAL, "refusal"), (FILTERED, "filtered")]
)
async def test_what_asking_again_does_not_cure_is_final_at_once(answer, code):
    send = Asked(a=[(1, BAD), (1, answer)])

    result = await make(send, max_reasks=9).call(job())

    assert result.failure.code == code
    assert result.reply == answer
    assert [attempt.usage for attempt in result.attempts] == [PAID, PAID]


@pytest.mark.parametrize("answer", [BAD, CUT, REFUSAL, FILTERED])
async def test_without_a_schema_every_answer_is_one(answer):
    result = await make(Asked(a=[(1, answer)]), answers=None).call(job())

    assert result.failure is None
    assert outcomes(result) == [("a", "ok")]


async def test_asking_again_costs_no_attempt_and_faults_cost_no_reask():
    send = Asked(a=[(1, BAD), (1, SORRY), (1, BAD), (1, GOOD)], b=[(1, SORRY), (1, BAD)])
    caller = make(send, attempts=3)

    result = await caller.call(job())

    assert result.failure is None
    kinds = [attempt.outcome for attempt in result.attempts]
    assert kinds == [INVALID, "http_500", "http_500", INVALID, "ok"]
    assert in_flight(caller) == [0, 0]


async def test_a_throttled_reask_waits_like_any_request_and_asks_the_same():
    send = Asked(a=[(1, BAD), (1, THROTTLED), (1, GOOD)])

    result = await make(send, max_reasks=1).call(job())

    assert [attempt.outcome for attempt in result.attempts] == [INVALID, "throttled", "ok"]
    assert send.bodies[1] == send.bodies[2]
    assert now() >= 4


async def test_a_region_whose_answers_break_the_schema_is_not_to_blame():
    send = Asked(a=[(1, BAD)])
    caller = make(send, max_reasks=20)

    await caller.call(job())

    (status,) = caller.pool.statistics()
    assert status.state == "open"


async def test_a_late_reask_is_hedged_too():
    send = Asked(a=[(1, BAD), (60, GOOD)], b=[(1, GOOD)])
    caller = make(send, hedge=knowing(2.0))

    result = await caller.call(job())

    assert outcomes(result) == [("a", INVALID), ("a", OVERTAKEN), ("b", "ok")]
    assert send.bodies[1] == send.bodies[2]
    assert in_flight(caller) == [0, 0]


async def test_a_hedged_reask_takes_the_tokens_of_what_it_asks():
    wordy = reply(200, completion(content="Bonn " * 1000, usage=USAGE))
    send = Asked(a=[(1, wordy), (60, GOOD)], b=[(1, GOOD)])
    caller = make(send, hedge=knowing(2.0))
    small = Quota(tokens=Limit(500, MINUTE))
    small.take(now(), 300)
    caller.pool = RegionPool(Router([region("a"), region("b", quota=small)], "ordered"))

    result = await caller.call(job())

    assert outcomes(result) == [("a", INVALID), ("a", "ok")]


async def test_of_two_answers_at_one_moment_the_valid_one_is_taken():
    send = Asked(a=[(3, BAD)], b=[(1, GOOD)])

    result = await make(send, hedge=knowing(2.0)).call(job())

    assert outcomes(result)[-1] == ("b", "ok")
    assert result.failure is None
    assert len(send.sent) == 2


async def test_two_invalid_answers_at_one_moment_are_asked_for_again_once():
    send = Asked(a=[(3, BAD), (1, GOOD)], b=[(1, BAD)])

    result = await make(send, hedge=knowing(2.0), max_reasks=1).call(job())

    assert result.failure is None
    assert [attempt.outcome for attempt in result.attempts][1:] == [INVALID, "ok"]


async def test_answers_that_break_the_schema_teach_how_long_answers_take():
    hedge = Hedge()

    await make(Asked(a=[(1, BAD)]), hedge=hedge, max_reasks=99).call(job())

    assert hedge.patience is not None


async def test_a_job_that_is_left_tells_what_was_paid():
    told = []
    caller = make(Asked(a=[(1, BAD)]), max_reasks=9)
    caller.left = told.extend
    caller.pool.close()

    assert await caller.call(job()) is None
    assert told == []

    caller = make(Asked(a=[(1, BAD)]), max_reasks=9)
    caller.left = told.extend
    send = caller.send

    async def closing(name, one):
        caller.close()
        return await send(name, one)

    caller.send = closing
    assert await caller.call(job()) is None
    assert [attempt.usage for attempt in told] == [PAID]


# --- what it took

OUTCOMES = ["throttled", "http_500", CANCELLED, OVERTAKEN]
USAGES = st.builds(
    Usage,
    st.sampled_from(["gpt-4o-mini", "gpt-4o", ""]),
    st.integers(0, 9999),
    st.integers(0, 9999),
    st.just(0),
)
INVALIDS = st.builds(
    Attempt,
    st.sampled_from("ab"),
    st.just(INVALID),
    st.just(200),
    st.integers(0, 99),
    st.none(),
    USAGES,
)
OTHERS = st.builds(
    Attempt, st.sampled_from("ab"), st.sampled_from(OUTCOMES), st.just(None), st.integers(0, 99)
)


@st.composite
def results(draw):
    ordinal, paid = draw(st.integers(0, 99)), draw(USAGES)
    attempts = draw(st.lists(INVALIDS | OTHERS, max_size=6))
    if draw(st.booleans()):
        last = Attempt("a", INVALID, 200, 1.0, None, paid)
        failure = Failure("invalid_output", "it is not JSON", retryable=False)
        return Result(job(ordinal), BAD, (*attempts, last), failure)
    usage = {"prompt_tokens": paid.prompt, "completion_tokens": paid.completion}
    body = orjson.dumps({"model": paid.model, "choices": [], "usage": usage})
    attempts.append(Attempt("b", "ok", 200, 1.0))
    return Result(job(ordinal), Reply(200, {}, body), tuple(attempts), None, paid)


@given(st.lists(results(), max_size=5))
def test_lines_give_the_statistics_of_their_results(many):
    one, other = Stats(), Stats()
    for result in many:
        one.add(result)
        other.add_line(decode(encode(result, CFG)))

    assert one == other == Stats.from_json(orjson.loads(orjson.dumps(one.as_json())))
    paid = [
        usage for result in many for usage in (result.usage, *(a.usage for a in result.attempts))
    ]
    total = sum(r.tokens.prompt for r in one.regions.values())
    assert total == sum(usage.prompt for usage in paid if usage)


def test_calls_behind_the_first_invalid_answer_are_reasks():
    ok, bad = Attempt("a", "ok", 200, 1), Attempt("a", INVALID, 200, 1, None, PAID)
    busy = Attempt("a", "throttled", 429, 1)
    stats = Stats()
    for attempts in ([busy, ok], [bad, busy, bad, ok], [bad]):
        stats.add(Result(job(), GOOD, tuple(attempts), None, PAID))

    assert stats.reasks == 3
    assert stats.invalid == 3
    assert (stats + stats).reasks == 6
    assert Stats.from_json({"ok": 1, "failed": 0, "codes": {}, "regions": {}}).reasks == 0


def test_an_answer_that_was_not_taken_costs_as_much_as_one_that_was():
    paid = Usage("gpt-4o-mini", 10_000, 5_000)
    bad = Attempt("a", INVALID, 200, 1, None, paid)
    ok = Attempt("a", "ok", 200, 1)
    once, twice = Stats(), Stats()
    once.add(Result(job(), GOOD, (ok,), None, paid))
    twice.add(Result(job(), GOOD, (bad, ok), None, paid))

    cost = cost_usd(once.region("a"), "azure")
    assert cost
    assert cost_usd(twice.region("a"), "azure") == pytest.approx(2 * cost)


async def test_a_resumed_run_has_the_account_of_the_fallback_that_it_left():
    bounds = {"fallback_max_share": 0.9, "fallback_max_cost": 5}
    settings = read_settings(bounds, {"OPENAI_API_KEY": "sk-0123456789abcdef"}, {})
    send = Asked(openai=[(1, BAD), (1, GOOD), (1, BAD)], a=[(1, BAD), (1, SORRY)])
    router = Router(
        [region("a"), region("openai", is_fallback=True)],
        "ordered",
        governor=make_router(settings, Stats()).governor,
    )
    caller = make(send, max_reasks=3)
    caller.pool = RegionPool(router)
    stats = Stats()

    for ordinal in range(3):
        stats.add(await caller.call(job(ordinal)))

    left, found = router.governor, make_router(settings, stats).governor
    assert stats.region("openai").errors[INVALID] > 1
    assert (found.answers, found.taken) == (left.answers, left.taken)
    assert found.money.spent == pytest.approx(left.money.spent, abs=1e-6)
    assert left.money.spent > 0


def test_a_line_has_the_usage_of_what_was_not_taken():
    bad = Attempt("a", INVALID, 200, 1, None, Usage("m", 10, 5, 3))
    line = decode(encode(Result(job(), GOOD, (bad, Attempt("a", "ok", 200, 1))), CFG))

    assert line["attempts"][0]["usage"] == {
        "model": "m",
        "prompt": 10,
        "completion": 5,
        "cached": 3,
    }
    assert "usage" not in line["attempts"][1]


@pytest.mark.parametrize("again", [False, True])
def test_retry_failed_runs_them_again_and_forgets_nothing_that_was_paid(tmp_path, again):
    path = tmp_path / "out.jsonl"
    bad = Attempt("a", INVALID, 200, 1, None, PAID)
    codes = ["invalid_output", "refusal", "truncated", "filtered"]
    path.write_bytes(
        b"".join(
            encode(Result(job(n), BAD, (bad,), Failure(code, "", retryable=False)), CFG)
            for n, code in enumerate(codes)
        )
    )

    ledger = Ledger.open(path, Settings(retry_failed=again, accept_config_change=True))

    done = [ledger.is_done(n, job(n).fingerprint) for n in range(4)]
    assert done == [not again] * 4
    assert ledger.stats.failed == (0 if again else 4)
    assert ledger.stats.region("a").tokens.prompt == 40
    assert ledger.stats.invalid == 4
