"""What a job will be charged is learned from what earlier ones were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.model import Usage
from batchrunner.policy.estimate import ANSWER, BYTES_PER_TOKEN, HEAD_START, WEIGHT, Estimate
from tests.policy.builders import job

BODY = b"x" * 400


@pytest.mark.parametrize(
    ("body", "answer", "tokens"),
    [
        (BODY, 0, 100),
        (BODY, 50, 150),
        (BODY, None, 100 + ANSWER),
        (b"", 7, 7),
        (b"", None, ANSWER),
    ],
)
def test_a_job_is_charged_its_prompt_and_the_most_it_may_answer(body, answer, tokens):
    assert Estimate().tokens(job(body=body, answer=answer)) == tokens


def test_bytes_per_token_are_learned():
    estimate, dense = Estimate(), job(body=BODY)
    for _ in range(500):
        estimate.learn(dense, Usage(prompt=200))

    assert estimate.tokens(dense) == pytest.approx(200, rel=0.01)


def test_the_length_of_answers_is_learned_for_jobs_that_leave_it_open():
    estimate, open_ended = Estimate(), job(answer=None)
    for _ in range(500):
        estimate.learn(open_ended, Usage(completion=30))

    assert estimate.tokens(open_ended) == pytest.approx(30, rel=0.1)
    assert estimate.tokens(job(answer=1000)) == 1000


def test_one_reply_changes_little():
    estimate = Estimate()
    estimate.learn(job(body=BODY), Usage(prompt=50))

    assert 85 < estimate.tokens(job(body=BODY)) < 100


def test_the_start_is_worth_five_replies():
    estimate, open_ended = Estimate(), job(answer=None)
    for replies in range(1, 496):
        estimate.learn(open_ended, Usage(completion=56))
        expected = 56 + (ANSWER - 56) * HEAD_START / (replies + HEAD_START)
        assert estimate.tokens(open_ended) == pytest.approx(expected)


def test_however_many_there_were_a_reply_weighs_enough_for_change_to_be_followed():
    estimate, open_ended = Estimate(), job(answer=None)
    for _ in range(5000):
        estimate.learn(open_ended, Usage(completion=100))
    before = estimate.tokens(open_ended)
    estimate.learn(open_ended, Usage(completion=1100))

    assert estimate.tokens(open_ended) - before == pytest.approx(1000 * WEIGHT, rel=0.01)


def test_each_model_has_its_own_averages():
    estimate = Estimate()
    for _ in range(500):
        estimate.learn(job(model="dense", body=BODY), Usage(prompt=200))

    assert estimate.tokens(job(model="other", body=BODY)) == 100


def test_an_answer_that_does_not_say_what_it_used_teaches_nothing():
    estimate = Estimate()
    estimate.learn(job(body=BODY, answer=None), Usage())

    assert estimate.tokens(job(body=BODY, answer=None)) == 100 + ANSWER


@given(
    seen=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.binary(max_size=50)))
)
def test_whatever_is_learned_an_estimate_is_finite_and_not_negative(seen):
    estimate = Estimate()
    for prompt, completion, body in seen:
        estimate.learn(job(body=body), Usage(prompt=prompt, completion=completion))

    assert 0 <= estimate.tokens(job(body=BODY, answer=None)) < float("inf")
    assert BYTES_PER_TOKEN > 0
