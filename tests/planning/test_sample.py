"""What an input asks for is read once, and of a large one only a stated part is parsed."""

import json

import anyio
import pytest

from batchrunner.config import read_settings
from batchrunner.errors import IdentityError, InputError
from batchrunner.inputs.glimpse import glimpse
from batchrunner.inputs.shape import PLAIN
from batchrunner.intake import defaults
from batchrunner.planning import sample as module
from batchrunner.planning.sample import is_chosen, look


def lines_of(count, **more):
    return [
        json.dumps({"id": f"r{i}", "prompt": f"{i:06d} " * 10, "max_tokens": 50 + i % 3, **more})
        for i in range(count)
    ]


@pytest.fixture
def looked(tmp_path):
    """The sample of an input that holds these lines."""

    def looked(lines, name="jobs.jsonl", options=None, **more):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n")
        given = defaults(read_settings({"model": "gpt", **(options or {})}, {}, {}))

        async def main():
            return await look(await glimpse(path, PLAIN), given, **more)

        return anyio.run(main)

    return looked


def test_a_small_input_is_parsed_whole(looked):
    found = looked([*lines_of(30), "", "  "])

    assert (found.jobs, found.lines, found.parsed, found.is_whole) == (30, 30, 30, True)
    assert found.caps == {50: 10, 51: 10, 52: 10}
    assert all(ask.model == "gpt" and 15 < ask.prompt < 30 for ask in found.asks)


def test_an_input_of_just_as_many_lines_is_parsed_whole(looked):
    assert looked(lines_of(100), whole=100).parsed == 100


def test_of_a_large_input_every_line_counts_and_the_sample_lies_evenly(looked):
    found = looked(lines_of(5000), whole=100)

    assert found.jobs == found.lines == 5000
    assert not found.is_whole
    assert found.parsed < 500
    assert 20 <= len(found.asks) <= 41
    assert len(found.asks) == pytest.approx(5000 / found.every, abs=2)


@pytest.mark.parametrize("period", [2, 3, 4, 5, 8, 16])
def test_the_sample_does_not_meet_the_step_of_what_repeats_itself(looked, period):
    lines = [json.dumps({"prompt": "x", "max_tokens": 1 + n % period}) for n in range(20_000)]
    found = looked(lines, whole=1000)

    assert all(n == pytest.approx(len(found.asks) / period, rel=0.5) for n in found.caps.values())
    assert len(found.caps) == period


def test_the_sample_has_as_much_of_the_end_as_of_the_beginning(looked):
    short, long = lines_of(2000), lines_of(2000, user="x" * 4000)
    found = looked([line.replace('"r', '"s') for line in short] + long, whole=100)

    large = sum(ask.size > 4000 for ask in found.asks)
    assert large == pytest.approx(len(found.asks) / 2, abs=2)


def test_a_limit_ends_the_input_early(looked):
    assert looked(lines_of(100), limit=7).jobs == 7


def test_bad_lines_are_refused_as_a_run_does(looked):
    with pytest.raises(InputError, match=r"line 2: .*(?s:.)*nothing was sent"):
        looked([lines_of(1)[0], '{"prompt": 5}'])


def test_bad_lines_beyond_the_sample_say_that_not_all_were_looked_at(looked):
    lines = lines_of(3000)
    lines[next(n for n in range(2000, 3000) if is_chosen(n, 256))] = "no json"

    with pytest.raises(InputError, match="run looks at all"):
        looked(lines, whole=100)


def test_bad_lines_that_are_recorded_are_no_jobs(looked):
    found = looked([*lines_of(9), "no json"], records_bad=True)

    assert (found.jobs, found.bad, len(found.asks)) == (9, 1, 9)


def test_ids_must_be_unique_where_all_are_looked_at(looked):
    with pytest.raises(InputError, match="ids must be unique"):
        looked([lines_of(1)[0]] * 2)


def test_a_file_of_another_format_is_given_up_early(looked):
    with pytest.raises(InputError, match=r"1,000 lines cannot be a job"):
        looked(["rubbish"] * 1500)


def test_jobs_with_a_result_are_not_planned_again(looked):
    asked = []

    def is_done(ordinal, mark):
        asked.append((ordinal, mark))
        return ordinal < 4

    found = looked(lines_of(10), is_done=is_done)

    assert (found.jobs, found.done, len(found.asks)) == (6, 4, 6)
    assert all(len(mark) == 16 for _, mark in asked)


def test_jobs_with_a_result_count_where_their_lines_are_not_parsed(looked):
    found = looked(lines_of(1000), whole=100, is_done=lambda ordinal, _: ordinal % 2 == 1)

    assert (found.jobs, found.done) == (500, 500)


def test_a_line_that_is_not_the_one_answered_stops_the_plan(looked):
    def is_done(_ordinal, _mark):
        raise IdentityError("another line")

    with pytest.raises(IdentityError):
        looked(lines_of(3), is_done=is_done)


def test_what_the_services_counted_is_compared_with_the_estimate(looked):
    found = looked(lines_of(4), prompts={0: 100, 2: 50, 9: 1000})

    told, estimated = found.told
    assert told == 150
    assert estimated == found.asks[0].prompt + found.asks[2].prompt


def test_prompts_are_counted_where_a_counter_is_given(looked):
    found = looked(lines_of(3), count=lambda *_: 7)

    assert found.is_counted
    assert [ask.prompt for ask in found.asks] == [7, 7, 7]


def test_rows_of_a_table_are_asked_for_by_a_template(looked):
    rows = ["title", *(f"story {n}" for n in range(5))]
    found = looked(rows, "rows.csv", {"prompt": "Translate: {{ title }}"})

    assert (found.jobs, found.noun) == (5, "row")


def test_an_empty_input_has_no_jobs(looked):
    assert looked([""]).jobs == 0


def test_a_large_input_is_one_of_more_lines_than_a_run_takes_seconds_for():
    assert module.WHOLE == 100_000
