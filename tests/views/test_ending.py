"""How a run ends on a terminal, in a pipe, and on paper."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from batchrunner.summary import Stop, Summary
from batchrunner.views.ending import show
from tests.views.builders import progress, sick, status, usage

COSTS = {"westeurope": 1.2, "eastus": 2.31, "eastus2": 0.02, "swedencentral": 0.0, "openai": None}
STYLE = re.compile(r"\x1b\[[\d;]*m")
DEEP = Path("a/very/long/path/to/the/results/of/this/run/which/is/long/out.results.jsonl")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def shown(monkeypatch):
    """The ending of a run on a terminal of so many columns, or in a pipe."""

    def show_on(columns=None, run=None, **given):
        known = {"stop": Stop(7, "the budget is spent: raise it, and run the same command again")}
        stream = io.StringIO() if columns is None else Terminal()
        monkeypatch.setenv("COLUMNS", str(columns or 80))
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
        show(Summary(run or sick(), DEEP, 312.0, COSTS, **(known | given)), stream)
        return STYLE.sub("", stream.getvalue())

    return show_on


def test_every_region_has_a_row_with_what_it_did_and_cost(shown):
    head, *rows = shown().splitlines()[1:7]

    assert head == "region         state            ok  429s  errors     USD   p50   p95"
    assert rows[0] == "westeurope     ◐ throttled   9,120   214       0    1.20  0.8s  2.1s"
    assert rows[3] == "swedencentral  ✕ out             0     0       3    0.00     -     -"
    assert rows[4] == "openai         ● open          352     0       0       ?  0.5s  0.9s"


@pytest.mark.parametrize("columns", [100, 80, 60, 40, 24])
def test_only_paths_are_longer_than_a_terminal_is_wide(shown, columns):
    lines = shown(columns).splitlines()
    paths = [line for line in lines if "out.results.jsonl" in line]

    assert paths[0] == f"results: {DEEP}"
    assert len(paths) == 3
    assert all(cell_len(line) < columns for line in lines if line not in paths)


def test_a_path_in_a_sentence_is_not_cut_either(shown):
    lines = shown(40, warnings=[f"the report could not be written: batchrunner report {DEEP}"])

    assert f"  {DEEP}" in lines.splitlines()


def test_a_narrow_terminal_keeps_what_matters_most(shown):
    heads = {columns: shown(columns).splitlines()[1].split() for columns in (80, 60, 45)}

    assert heads[80] == ["region", "state", "ok", "429s", "errors", "USD", "p50", "p95"]
    assert heads[60] == ["region", "state", "ok", "429s", "errors", "USD"]
    assert heads[45] == ["region", "state", "ok", "USD"]


def test_in_a_pipe_a_sentence_is_a_line(shown):
    text = shown()

    assert "31,441 calls, 253 of them wasted, in 5m12s\n" in text
    assert "\nerrors: eastus 2 timeout; eastus2 31 http_503; swedencentral 3 barred\n" in text
    assert text.endswith(
        "stopped early: the budget is spent: raise it, and run the same command again\n"
    )


def test_a_run_without_regions_or_errors_has_no_table_and_no_sentence_about_them(shown):
    text = shown(run=progress([], total=0), stop=None)

    assert "region " not in text.splitlines()[0]
    assert "errors" not in text


def test_a_hostile_name_moves_no_column(shown):
    regions = [status("e\x1b[2Ja\tst"), status("日本")]
    run = replace(sick(), regions=regions, stats=replace(sick().stats, regions={"日本": usage(3)}))
    rows = shown(run=run).splitlines()[2:4]

    assert len({cell_len(row[: row.index("●")]) for row in rows}) == 1
    assert all(row.isprintable() for row in rows)
