"""The programs of ``docs/tables.md`` load what is exported; its words are those of the code."""

import contextlib
import io
import json

import pytest

from batchrunner.tables.answers import EXTRAS
from tests.tables.made import chat, csv_of
from tests.test_docs import ROOT, blocks
from tests.test_run import batchrunner, place

__all__ = ["batchrunner", "place"]  # fixtures

PAGE = ROOT / "docs" / "tables.md"
SCHEMA = {
    "type": "object",
    "properties": {"category": {"type": "string"}, "score": {"type": "number"}},
}
ANSWERS = [chat(json.dumps({"category": c, "score": s})) for c, s in [("a", 1), ("a", 2.5)]]


def run(code):
    """What a program prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, PAGE.name, "exec"), {})  # noqa: S102 - our own
    return printed.getvalue()


@pytest.mark.parametrize("code", blocks(PAGE, "python"), ids=["pandas", "polars", "duckdb"])
def test_every_program_loads_the_table_with_its_types(batchrunner, code):
    output = csv_of("title\nx\ny\n", ANSWERS, SCHEMA)
    assert batchrunner("export", output, "-o", "products.parquet")[0] == 0

    assert "1.75" in run(code)


def test_numbers_in_csv_are_loaded_as_numbers(batchrunner):
    import duckdb
    import pandas as pd
    import polars as pl

    output = csv_of("title,n\nx,7\ny,8\n", ANSWERS, SCHEMA)
    assert batchrunner("export", output, "-o", "t.csv")[0] == 0

    assert pd.read_csv("t.csv")["score"].mean() == 1.75
    frame = pl.read_csv("t.csv")
    assert frame.schema == {
        "title": pl.String,
        "n": pl.Int64,
        "category": pl.String,
        "score": pl.Float64,
    }
    assert frame["n"].to_list() == [7, 8]
    [(mean,)] = duckdb.sql("select avg(score) from 't.csv'").fetchall()
    assert mean == 1.75


def test_every_column_that_can_be_asked_for_is_documented():
    text = PAGE.read_text(encoding="utf-8")
    options = (ROOT / "batchrunner" / "cli" / "export.py").read_text(encoding="utf-8")

    for name in EXTRAS:
        assert f"`{name}`" in text
        assert name in options
