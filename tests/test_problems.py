"""What is said of a run that has trouble: from looks at it, one after the other."""

from collections import Counter

import pytest

from batchrunner.problems import CALM, KEPT, LONG, TOGETHER, Problems
from tests.views.builders import progress, status, usage


def look(problems, at, *regions, usages=None, **given):
    """The texts that are told after one look."""
    told = problems.look(progress(regions, usages, wall_s=at, **given))
    return [problem.text for problem in told]


def test_a_region_that_is_throttled_is_told_with_how_long_and_why():
    problems = Problems()
    assert look(problems, 1, status(), usages={"eastus": usage(5)}) == []

    refused = usage(5)
    refused.throttled["tokens"] += 4
    closed = status(state="throttled", opens_in=12.2)

    assert look(problems, 2, closed, usages={"eastus": refused}) == [
        "eastus throttled for 12 s (tokens)"
    ]
    assert look(problems, 3, closed, usages={"eastus": refused}) == []


def test_the_same_again_is_one_problem_that_is_told_now_and_then():
    problems, told = Problems(), []
    for second in range(20):
        state = "throttled" if second % 2 else "open"
        told += look(problems, second, status(state=state, opens_in=3.0 * (second % 2)))

    assert [problem.text for problem in problems.kept] == [
        "eastus throttled 10 times, last for 3 s"
    ]
    assert (problems.kept[0].since, problems.kept[0].at) == (1, 19)
    assert len(told) == 20 // CALM


def test_the_same_after_a_long_time_is_a_new_problem():
    problems = Problems()
    look(problems, 0, status())
    for at in (1, 2 + TOGETHER):
        look(problems, at, status(state="throttled", opens_in=2.0))
        look(problems, at + 0.5, status())

    assert [(p.since, p.text) for p in problems.kept] == [
        (2 + TOGETHER, "eastus throttled for 2 s")
    ]


def test_a_moment_is_not_worth_a_word():
    problems = Problems()
    look(problems, 0, status())

    assert look(problems, 1, status(state="throttled", opens_in=0.4)) == []


def test_faults_are_counted_by_what_they_were():
    problems = Problems()
    look(problems, 0, status())
    look(problems, 1, status(), usages={"eastus": usage(errors={"http_503": 1})})
    look(problems, 2, status(), usages={"eastus": usage(errors={"http_503": 3, "timeout": 1})})

    assert [(p.times, p.text) for p in problems.kept] == [
        (3, "eastus: 3 \N{MULTIPLICATION SIGN} http_503"),
        (1, "eastus: 1 \N{MULTIPLICATION SIGN} timeout"),
    ]


def test_what_is_no_fault_of_a_region_is_not_held_against_it():
    ours = {"refused": 3, "cancelled": 2, "overtaken": 1, "barred": 1}
    problems = Problems()
    look(problems, 0, status())

    assert look(problems, 1, status(), usages={"eastus": usage(errors=ours)}) == []


def test_a_region_that_is_out_is_told_once_and_that_it_answers_again():
    problems = Problems()
    out = status(state="out", reason="401 Access denied")
    told = [look(problems, at, out) for at in range(3)]

    assert told == [["eastus out: 401 Access denied"], [], []]
    assert look(problems, 4, status()) == ["eastus answers again"]


def test_a_model_that_a_region_lacks_is_told_though_the_region_is_open():
    told = look(Problems(), 1, status(reason="gpt-4o: 404 no such deployment"))

    assert told == ["eastus does not serve gpt-4o: 404 no such deployment"]


@pytest.mark.parametrize(
    ("state", "seconds", "is_told"),
    [
        ("resting", 1, True),
        ("throttled", LONG - 1, False),
        ("throttled", LONG, True),
    ],
)
def test_who_was_away_for_long_is_said_to_be_back(state, seconds, is_told):
    problems = Problems()
    look(problems, 0, status(state=state, opens_in=5.0))

    assert look(problems, seconds, status()) == ["eastus answers again"] * is_told


def test_failed_jobs_are_told_by_their_code():
    problems = Problems()
    look(problems, 0)

    assert look(problems, 1, failed={"content_filter": 1}) == ["1 job failed: content_filter"]
    look(problems, 2, failed={"content_filter": 5})
    assert problems.kept[0].text == "5 jobs failed: content_filter"


def test_what_earlier_runs_met_is_no_news():
    before = {"eastus": usage(5, throttled=9, errors={"http_500": 3})}

    assert look(Problems(), 0, status(), usages=before, failed={"content_filter": 7}) == []


def test_jobs_that_run_again_are_no_problem():
    problems = Problems()
    look(problems, 0, failed={"http_500": 7})

    assert look(problems, 1, failed={"http_500": 2}) == []
    assert look(problems, 2, failed={"http_500": 3}) == ["1 job failed: http_500"]


def test_a_code_that_is_none_is_not_repeated():
    """Codes come from services; one could hold what a model said."""
    bad = {"Once upon a time there was a model": 1, "x" * 500: 1}
    problems = Problems()
    look(problems, 0)

    assert look(problems, 1, failed=bad) == ["1 job failed: other"] * 2


def test_no_text_steers_the_terminal_or_is_without_end():
    reason = "401 \x1b]0;owned\x07\u202e" + "x" * 10_000
    (text,) = look(Problems(), 1, status("e\x1b[2J", state="out", reason=reason))

    assert text.isprintable()
    assert len(text) < 200


def test_what_holds_the_whole_run_up_is_told_once():
    problems = Problems()
    told = [look(problems, at, note="waiting for the disk: 4 MB are left") for at in range(3)]

    assert told == [["waiting for the disk: 4 MB are left"], [], []]
    assert look(problems, 4, held_back="2 % of the jobs") == [
        "openai is held back: 2 % of the jobs"
    ]


def test_only_the_last_few_are_kept():
    problems = Problems()
    look(problems, 0)
    codes = Counter()
    for number in range(3 * KEPT):
        codes[f"code_{number}"] += 1
        look(problems, 1 + number, failed=codes)

    texts = [problem.text for problem in problems.kept]
    assert texts == [f"1 job failed: code_{n}" for n in range(2 * KEPT, 3 * KEPT)]
    assert len(problems._told) <= CALM + 1
