"""Which failed jobs a retry selects."""

import pytest

from batchrunner.errors import UsageError
from batchrunner.model import Attempt, Failure, Reply, Result
from batchrunner.outputs.lines import encode
from batchrunner.selection import Selection
from tests.outputs.builders import CFG, job, line


def failure(code="content_filter", region="eastus", status=400, custom_id="task-0"):
    attempts = () if region is None else (Attempt(region, "refused", status, 0.1),)
    reply = None if status is None else Reply(status, {}, b"{}")
    failed = Failure(code, "no", retryable=False)
    return encode(Result(job(0, custom_id), reply, attempts, failed), CFG)


def takes(*only, **about):
    return Selection.parse(only).takes(failure(**about))


def test_without_terms_every_failure_is_selected_and_no_answer():
    assert takes()
    assert not Selection().takes(line(0))
    assert not Selection.parse(["id=task-0"]).takes(line(0))


def test_terms_must_all_hold_and_of_several_selections_one_is_enough():
    assert takes("code=content_filter,region=eastus")
    assert not takes("code=content_filter,region=westus")
    assert takes("code=nothing", "region=eastus")
    assert takes(" code = content_filter , status = 400 ,")


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ("code=content_*", True),
        ("status=4*", True),
        ("status=5*", False),
        ("region=*", True),
        ("code=content?filter", False),
        ("code=[c]ontent_filter", False),
        ("region=east", False),
    ],
)
def test_a_star_stands_for_anything_and_nothing_else_does(only, expected):
    assert takes(only) is expected


@pytest.mark.parametrize("id_", ["a,b=c", "*", 'q"uote', "naïve 🙂", "a  b", "region=x", "#3"])
def test_an_id_is_taken_as_it_is(id_):
    assert takes(f"code=content_filter,id={id_}", custom_id=id_)
    assert not takes(f"id={id_}", custom_id="other")


def test_a_job_that_was_never_sent_has_no_region_and_no_status():
    assert takes("region=none,status=none", region=None, status=None)
    assert not takes("region=none")


@pytest.mark.parametrize(
    ("only", "why"),
    [
        ("kode=x", "'kode' cannot be selected by; write NAME=VALUE with one of code, region"),
        ("content_filter", "'content_filter' cannot be selected by"),
        ("code=", "code has no value"),
        ("code=a,code=b", "code stands there twice: write --only for each"),
        ("", "says nothing"),
        ("code=a,,region=b", "',region' cannot be"),
    ],
)
def test_what_cannot_be_understood_is_told(only, why):
    with pytest.raises(UsageError) as refused:
        Selection.parse([only])
    assert why in str(refused.value)
