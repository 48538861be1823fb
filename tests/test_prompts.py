"""Rows and prompts through the front door: what is sent, and what is said before that."""

import json
from pathlib import Path

import pytest

from batchrunner.simulator import prompt_digest
from tests import test_run
from tests.test_run import read_results

place, batchrunner = test_run.place, test_run.batchrunner

RUN = ("run", "in.jsonl", "--simulate", "swift.toml", "--json", "--model", "gpt-4o-mini")
ROWS = [{"sku": f"s-{n}", "title": f"Lamp {{{{ {n} }}}}", "prompt": "not this"} for n in range(9)]


@pytest.fixture
def rows(place):  # noqa: ARG001  # where they are written
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))


@pytest.mark.usefixtures("rows")
def test_each_row_is_asked_what_the_prompt_makes_of_it(batchrunner):
    code, _, err = batchrunner(*RUN, "--prompt", "Sort: {{ title }}", "--id-column", "sku")

    assert (code, err.count("Traceback")) == (0, 0)
    results = {result["custom_id"]: result for result in read_results()}
    assert len(results) == len(ROWS)
    for row in ROWS:
        message = results[row["sku"]]["response"]["body"]["choices"][0]["message"]
        assert message["content"].startswith(prompt_digest(f"Sort: {row['title']}"))


@pytest.mark.usefixtures("rows")
def test_the_same_prompt_in_a_file_goes_on_and_another_one_does_not(batchrunner):
    batchrunner(*RUN, "--prompt", "Sort: {{ title }}")
    before = Path("in.results.jsonl").read_bytes()
    Path("p.txt").write_text("Sort: {{ title }}")

    assert batchrunner(*RUN, "--prompt-file", "p.txt")[0] == 0
    assert Path("in.results.jsonl").read_bytes() == before
    assert batchrunner(*RUN, "--prompt", "Order: {{ title }}")[0] == 4


@pytest.mark.usefixtures("rows")
def test_an_unknown_column_is_told_with_those_that_exist_before_anything_is_sent(batchrunner):
    code, _, err = batchrunner(*RUN, "--prompt", "Sort: {{ titel }}")

    assert code == 2
    assert 'line 1: has no column "titel", which the prompt names; there are: "sku", "ti' in err
    assert not Path("in.results.jsonl").exists()


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--prompt", "a {{ title"), "prompt, line 1: is no template"),
        (("--prompt", "{{ title.__class__.mro() }}"), "prompt, line 1: nothing can be called"),
        (("--prompt-file", "none.txt"), "none.txt: no such file or directory"),
        (("--prompt", "a", "--prompt-file", "b"), "--prompt and --prompt-file say the same"),
        (("--params", "a"), "--params names a column of rows"),
    ],
    ids=str,
)
def test_what_is_no_prompt_is_one_error_and_nothing_is_sent(batchrunner, options, said):
    code, _, err = batchrunner(*RUN, *options)

    assert code == 2
    assert said in err
    assert not Path("in.results.jsonl").exists()


@pytest.mark.usefixtures("rows")
def test_a_row_that_a_prompt_cannot_be_made_of_is_recorded_on_demand(batchrunner):
    prompt = "{% if sku == 's-3' %}{{ title + 1 }}{% endif %}{{ title }}"

    code, out, _ = batchrunner(*RUN, "--prompt", prompt, "--bad-lines", "record")

    assert code == 1
    assert json.loads(out)["failures"] == {"bad_line": 1}
    (bad,) = [result for result in read_results() if result["error"]]
    assert bad["error"]["message"].startswith("prompt, line 1: + needs numbers")


def test_lines_that_are_rows_are_told_of_the_option(batchrunner):
    Path("in.jsonl").write_text('{"title": "a"}\n')

    code, _, err = batchrunner(*RUN)

    assert code == 2
    assert "--prompt" in err
