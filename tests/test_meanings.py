"""Every outcome and every code has its sentence."""

from typing import get_args

import pytest

from batchrunner import answers, model
from batchrunner.meanings import CAUSES, OUTCOMES, REMEDIES, meaning, remedy
from batchrunner.model import Fault, FaultKind, Reply
from batchrunner.policy import verdict
from batchrunner.policy.verdict import Cause, Faulty, Verdict, judge


def test_every_verdict_has_its_sentence():
    named = {kind.outcome for kind in get_args(Verdict) if kind is not Faulty}

    assert named <= set(OUTCOMES)


@pytest.mark.parametrize("kind", FaultKind)
def test_every_fault_has_its_sentence(kind):
    assert judge(Fault(kind, "")).outcome in OUTCOMES


def test_every_way_to_fail_without_a_status_has_its_sentence():
    assert judge(Reply(200, {}, b"{}")).outcome in OUTCOMES
    assert set(OUTCOMES) >= {*verdict._PASSING, model.CANCELLED, model.INVALID, model.OVERTAKEN}


@pytest.mark.parametrize("status", [100, 204, 408, 409, 424, 425, 500, 503, 599])
def test_a_status_is_told_by_its_number(status):
    outcome = judge(Reply(status, {}, b"{}")).outcome

    assert meaning(outcome) == f"the region failed with status {status}"


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_of_throttling_has_its_sentence(cause):
    assert CAUSES[cause] in meaning("throttled", cause)


def test_every_code_of_ours_has_its_remedy():
    cut = {code for code, _ in answers._CUT.values()}
    ours = {answers.INVALID, *cut, "refusal", "bad_line", "unwritable", "too_large"}
    faults = {kind.value for kind in FaultKind} - {"tls", "local"}  # no job fails of these
    known = {"content_filter", "context_length_exceeded", "bad_payload", *verdict._PASSING}

    assert ours | faults | known <= set(REMEDIES)


def test_what_nobody_knows_is_told_as_it_is():
    assert meaning("warped", "stars") == "warped: stars"
    assert "changed input" in remedy("http_418", is_retryable=False)
    assert "started again" in remedy("http_503", is_retryable=True)
