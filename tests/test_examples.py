"""A few failures of each cause, which a reader can look at."""

import json

from batchrunner.examples import KEPT, LONGEST, Examples
from batchrunner.stats import Stats
from tests.outputs.builders import FINAL, result


def examples(*ids, code="timeout"):
    made = Examples()
    for id_ in ids:
        made.add(code, id_, "eastus", "no answer")
    return made


def ids(made, code="timeout"):
    return [example["id"] for example in made.by_code.get(code, [])]


def test_the_first_of_each_code_are_kept():
    made = examples(*"abcdef")
    made.add("refused", "g", None, "no")

    assert ids(made) == list("abcdef")[:KEPT]
    assert made.by_code["refused"] == [{"id": "g", "region": None, "message": "no"}]


def test_a_long_message_is_cut():
    made = Examples()
    made.add("refused", "a", None, "x" * 10 * LONGEST)

    assert len(made.by_code["refused"][0]["message"]) == LONGEST


def test_a_job_that_runs_again_is_no_example_and_makes_room_for_one():
    made = examples(*"abc")
    made.remove("timeout", "b")
    made.add("timeout", "d", "eastus", "no answer")

    assert ids(made) == ["a", "c", "d"]


def test_a_code_without_examples_is_not_listed():
    made = examples("a")
    made.remove("timeout", "a")
    made.remove("timeout", "a")
    made.remove("unknown", "a")

    assert made.by_code == {}


def test_of_several_together_no_more_are_kept_than_of_one():
    made = examples("a", "b")
    made.merge(examples("c", "d"))
    made.merge(examples("e", code="refused"))

    assert ids(made) == ["a", "b", "c"]
    assert ids(made, "refused") == ["e"]


def test_they_come_back_from_a_checkpoint_which_stays_as_it_is():
    stats = Stats()
    stats.add(result(failure=FINAL))
    saved = json.loads(json.dumps(stats.as_json()))
    read = Stats.from_json(saved)
    assert read == stats

    read.examples.remove(FINAL.code, "task-0")
    read.add(result(1, failure=FINAL))

    assert ids(Stats.from_json(saved).examples, FINAL.code) == ["task-0"]


def test_a_line_of_the_results_gives_the_same_example_as_the_result():
    one, other = Stats(), Stats()
    one.add(result(failure=FINAL))
    other.add_line(
        {
            "custom_id": "task-0",
            "region": "eastus",
            "attempts": [{"region": "eastus", "outcome": "refused", "status": 200, "s": 0.25}],
            "error": {"code": FINAL.code, "message": FINAL.message},
        }
    )

    assert one == other
