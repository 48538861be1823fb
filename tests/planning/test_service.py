"""The model of the regions counts as the services do; and what is left of an earlier run."""

import asyncio
from random import Random

import pytest

from batchrunner.config import read_settings
from batchrunner.errors import IdentityError
from batchrunner.model import Attempt, Failure, Job, Reply, Result
from batchrunner.outputs.lines import encode
from batchrunner.planning.earlier import answered
from batchrunner.planning.lengths import Lengths
from batchrunner.planning.service import Meter, Service
from batchrunner.policy.ratelimit import Limit, advertised
from batchrunner.policy.verdict import Oversized, Throttled, judge
from tests.planning.builders import ask, known, world

CHAT = "/chat/completions"


def service(*regions, asks=None, **options):
    made = world(*regions, **options)
    targets = {target.name: target for target in made.settings.targets}
    return Service(targets, made.known, asks or [ask()] * 100, Lengths(), Random(1))


def job(ordinal=0):
    return Job(ordinal, "", "", CHAT, "gpt", b"")


def test_a_meter_counts_what_was_taken_for_one_span():
    meter = Meter(Limit(10, 60))
    meter.take(0, 6)
    meter.take(30, 4)

    assert meter.wait(40, 1) == 20
    assert meter.wait(40, 7) == 50
    assert meter.wait(60, 6) == 0
    assert meter.wait(60, 11) > 3600


async def test_requests_beyond_the_limit_are_throttled_until_there_is_room():
    model = service(known(rpm=2))
    replies = await asyncio.gather(*(model.send("a", job(n)) for n in range(3)))

    assert [reply.status for reply in replies] == [200, 200, 429]
    verdict = judge(replies[2], CHAT)
    assert isinstance(verdict, Throttled)
    assert verdict.wait == pytest.approx(60, abs=0.1)
    assert model.taken["a"].throttled == 1


async def test_tokens_count_with_the_longest_answer_that_is_allowed():
    model = service(known(tpm=1000), asks=[ask(prompt=100, cap=400)] * 3)
    replies = await asyncio.gather(*(model.send("a", job(n)) for n in range(3)))

    assert [reply.status for reply in replies] == [200, 200, 429]


async def test_what_is_larger_than_the_limit_is_called_so():
    model = service(known(tpm=1000), asks=[ask(prompt=1, cap=4000)])

    assert isinstance(judge(await model.send("a", job()), CHAT), Oversized)


async def test_replies_name_the_limits_that_are_known_and_what_is_left():
    model = service(known(rpm=5, tpm=9000), known(), asks=[ask(prompt=100, cap=200)] * 2)
    said = advertised((await model.send("a", job(0))).headers)
    silent = advertised((await model.send("b", job(1))).headers)

    assert (said.requests, said.tokens) == (Limit(5, 60), Limit(9000, 60))
    assert (said.requests_left, said.tokens_left) == (4, 8700)
    assert (silent.requests, silent.tokens) == (None, None)


async def test_a_period_that_a_region_did_not_name_is_not_named_here():
    model = service(known(rpm=600, is_named=False))

    assert advertised((await model.send("a", job())).headers).minute == Limit(600, 60)


async def test_regions_of_one_group_are_counted_together():
    groups = {"AZURE_OPENAI_QUOTA_GROUP_1": "one", "AZURE_OPENAI_QUOTA_GROUP_2": "one"}
    model = service(known(rpm=1), known(rpm=1), environ=groups)
    replies = await asyncio.gather(model.send("a", job(0)), model.send("b", job(1)))

    assert [reply.status for reply in replies] == [200, 429]


@pytest.fixture
def results(tmp_path):
    """Results of three jobs: answered, failed for good, failed for now."""
    settings = read_settings({}, {}, {})
    path = tmp_path / "out.jsonl"
    attempt = (Attempt("a", "ok", 200, 1.0),)
    reply = Reply(200, {}, b'{"choices":[{"message":{}}]}')
    failures = [
        None,
        Failure("content_filter", "no", retryable=False),
        Failure("timeout", "late", retryable=True),
    ]
    path.write_bytes(
        b"".join(
            encode(
                Result(Job(n, f"{n:016x}", f"{n}", CHAT, "gpt", b"{}"), reply, attempt, failure),
                settings.fingerprint[:8],
            )
            for n, failure in enumerate(failures)
        )
    )
    return path


def left(path, **options):
    is_done = answered(path, read_settings(options, {}, {}), "line")
    return [n for n in range(4) if not is_done(n, None)]


def test_what_a_run_would_send_again_is_planned_again(results):
    assert left(results) == [2, 3]
    assert left(results, retry_failed=True) == [1, 2, 3]


def test_after_restart_everything_is_planned(results):
    assert answered(results, read_settings({"restart": True}, {}, {}), "line") is None
    assert answered(results.with_name("none"), read_settings({}, {}, {}), "line") is None


def test_a_line_that_was_edited_is_told(results):
    is_done = answered(results, read_settings({}, {}, {}), "line")

    assert is_done(0, f"{0:016x}")
    with pytest.raises(IdentityError, match="line 1"):
        is_done(0, "f" * 16)


def test_results_of_other_settings_are_told(results):
    with pytest.raises(IdentityError):
        answered(results, read_settings({"temperature": 1}, {}, {}), "line")
