"""What a job will be charged is learned from what earlier ones were."""

from dataclasses import replace

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


def test_one_reply_says_already_what_a_byte_is_worth():
    estimate = Estimate()
    estimate.learn(job(body=BODY), Usage(prompt=50))

    assert estimate.tokens(job(body=BODY)) == pytest.approx(50, rel=0.01)
    assert estimate.tokens(job(body=2 * BODY)) == pytest.approx(100, rel=0.01)


def test_one_reply_to_a_tiny_prompt_says_little():
    estimate = Estimate()
    estimate.learn(job(body=b"x" * 8), Usage(prompt=8))

    assert 90 < estimate.tokens(job(body=BODY)) < 130


def test_the_part_of_a_body_that_is_no_prompt_is_learned():
    estimate = Estimate()
    for n in range(2000):
        size = 100 + 37 * n % 900
        estimate.learn(job(body=b"x" * size), Usage(prompt=12 + round(0.3 * (size - 60))))

    for size in (60, 100, 500, 2000):
        expected = 12 + 0.3 * (size - 60)
        assert estimate.tokens(job(body=b"x" * size)) == pytest.approx(expected, rel=0.03, abs=1)


def test_prompts_of_one_size_keep_the_slope_to_start_with():
    estimate = Estimate()
    for _ in range(20_000):
        estimate.learn(job(body=BODY), Usage(prompt=120))

    slope = estimate.tokens(job(body=BODY + b"x" * 40)) - estimate.tokens(job(body=BODY))
    assert slope == pytest.approx(40 / BYTES_PER_TOKEN, rel=0.05)


def test_change_is_followed():
    estimate = Estimate()
    for prompt in [100] * 3000 + [300] * 3000:
        estimate.learn(job(body=BODY), Usage(prompt=prompt))

    assert estimate.tokens(job(body=BODY)) == pytest.approx(300, rel=0.02)


def test_the_smallest_of_several_jobs_is_the_first_that_is_charged_least():
    sizes = [(BODY, 9), (b"", 90), (BODY, 7), (b"", 107)]
    jobs = [job(body=body, answer=answer) for body, answer in sizes]
    assert Estimate().smallest(jobs) == 1

    jobs[1] = job(body=BODY, answer=None)
    assert Estimate().smallest(jobs) == 2
    assert Estimate().smallest([jobs[3], jobs[2]]) == 0, "of equals the first"


def test_counted_tokens_count_instead_of_bytes():
    counted = replace(job(body=b"x" * 4000, answer=7), prompt_tokens=30)
    estimate = Estimate()
    assert estimate.tokens(counted) == 30 + 7

    for _ in range(500):
        estimate.learn(counted, Usage(prompt=36))
    assert estimate.tokens(counted) == pytest.approx(36 + 7, rel=0.01)


@pytest.mark.parametrize(
    ("answer", "usage"),
    [(50, Usage("gpt", 101, 50)), (None, Usage("gpt", 101, int(ANSWER)))],
)
def test_the_usage_to_expect_at_most_is_in_whole_tokens(answer, usage):
    assert Estimate().usage(job(body=BODY + b"x", answer=answer)) == usage


def test_asking_changes_nothing():
    estimate = Estimate()
    estimate.learn(job(body=BODY), Usage(prompt=70, completion=30))
    before = estimate.tokens(job(body=BODY, answer=None))
    for _ in range(3):
        estimate.usage(job(body=BODY, answer=None))
        estimate.tokens(job(model="other", body=BODY))

    assert estimate.tokens(job(body=BODY, answer=None)) == before


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
        assert estimate.tokens(job(answer=0)) >= 0
