"""What happened, in sentences; and how numbers are spelled in them."""

import pytest

from batchrunner.report import wording
from batchrunner.report.story import story, verdict
from tests.report.made import material, slices, usage


def test_a_run_that_went_well_is_one_sentence_and_a_list_of_shares():
    made = material({"eastus": usage(75), "openai": usage(25)})

    assert story(made) == [
        "All 100 jobs were answered, in 10.0 s (10 a second), for $0.0062.",
        "Of the answers eastus gave 75 % and OpenAI 25 %.",
    ]
    assert verdict(made) == "complete"


def test_a_run_that_stopped_says_what_is_left_and_why():
    made = material(
        {"eastus": usage(60)},
        failed=5,
        total=100,
        stop="SIGINT: run the same command again to go on",
    )

    assert story(made)[0].startswith("60 of 100 jobs were answered, 5 failed, 35 are still to do")
    assert story(made)[-1] == ("It is not complete: SIGINT: run the same command again to go on.")
    assert verdict(made) == "not complete"
    killed = material({"eastus": usage(6)}, total=10, stop="not finished: run it again")
    assert story(killed)[-1] == "Not finished: run it again."


@pytest.mark.parametrize(("name", "shown"), [("eastus", "eastus"), ("openai", "OpenAI")])
def test_who_gave_all_answers_is_said_so(name, shown):
    assert story(material({name: usage(3), "b": usage(0)}))[1] == f"{shown} gave all answers."


def test_what_was_not_sent_and_what_was_asked_again_is_told():
    made = material({"eastus": usage(60)}, steered=({"at_s": 1.0, "what": "paused"},))
    made.stats.reused, made.stats.reasks = 12, 1

    assert story(made)[1:3] == [
        "12 jobs got the last word of an equal one, with nothing sent.",
        "1 call asked again, since an answer broke the schema.",
    ]
    assert "It was steered by hand: 1 change." in story(made)


def test_the_remedy_at_the_end_of_a_long_reason_is_not_cut_off():
    stop = "no region is left (" + "; ".join(["eastus: 401 " + "x" * 250] * 4) + "): put it right"

    assert story(material({"eastus": usage(0)}, total=5, stop=stop))[-1].endswith("put it right.")


def test_the_gravest_closings_come_first():
    regions = {name: usage(10) for name in "abcd"}
    times = {
        "a": slices(throttled_s=0.4),
        "b": slices(out_s=1.0),
        "c": slices(resting_s=0.5),
        "d": slices(throttled_s=0.2),
    }

    assert story(material(regions, times))[2] == (
        "b was out for 10.0 s, c rested for 5.0 s, a was throttled for 4.0 s "
        "and 1 more was closed for a while."
    )


@pytest.mark.parametrize(
    ("regions", "fields", "first"),
    [
        ({}, {}, "There was no job to do."),
        ({"a": usage(1)}, {"wall_s": 0.0}, "The job was answered, for < $0.0001."),
        ({"a": usage(0)}, {"total": 3}, "0 of 3 jobs were answered, 3 are still to do."),
    ],
    ids=["nothing", "one", "just begun"],
)
def test_small_outputs_have_a_story_too(regions, fields, first):
    assert story(material(regions, **fields))[0] == first


@pytest.mark.parametrize(
    ("spelled", "wanted"),
    [
        (wording.duration(0.123), "0.12 s"),
        (wording.duration(59.96), "1 min"),
        (wording.duration(185), "3 min 5 s"),
        (wording.duration(3599.9), "1 h"),
        (wording.duration(7800), "2 h 10 min"),
        (wording.duration(3 * 86400 + 4 * 3600), "3 d 4 h"),
        (wording.rate(0.5), "30 a minute"),
        (wording.rate(0.001), "3.6 an hour"),
        (wording.share(0), "0 %"),
        (wording.share(0.0004), "< 0.1 %"),
        (wording.share(0.9999), "99.9 %"),
        (wording.share(1), "100 %"),
        (wording.share(0.089), "8.9 %"),
        (wording.dollars(None), wording.UNKNOWN),
        (wording.dollars(0.0), "$0.00"),
        (wording.dollars(1234.5), "$1,234"),
        (wording.compact(903_392), "903 k"),
        (wording.compact(12_345_678), "12.3 M"),
        (wording.rate(0.05), "3 a minute"),
        (wording.count(1, "job"), "1 job"),
        (wording.listed(["a", "b", "c"]), "a, b and c"),
        (wording.listed([]), ""),
        (wording.name("a\u202eb\0c\u2028d" + "x" * 10_000), "a b c d" + "x" * 52 + "…"),
    ],
    ids=str,
)
def test_numbers_and_names_are_spelled_for_people(spelled, wanted):
    assert spelled == wanted
