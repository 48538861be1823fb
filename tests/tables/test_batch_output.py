"""Results as the Batch services write them, written and read again."""

import json
from pathlib import Path

import pytest

from tests.tables.made import REFUSED, chat, jsonl_of, read_csv, read_jsonl
from tests.test_run import batchrunner, place

__all__ = ["batchrunner", "place"]  # fixtures


def test_a_run_is_written_as_batch_output_and_read_again(batchrunner):
    rows = [{"custom_id": f"job-{n}"} for n in range(3)]
    output = jsonl_of(rows, [chat("a"), REFUSED, chat("c")], order=[2, 0, 1])

    assert batchrunner("export", output, "-o", "b.jsonl", "--as", "batch")[0] == 1
    lines = read_jsonl("b.jsonl")
    assert [line["custom_id"] for line in lines] == ["job-0", "job-2"]
    assert {tuple(line) for line in lines} == {("id", "custom_id", "response", "error")}
    assert lines[0]["response"]["status_code"] == 200
    assert lines[0]["error"] is None
    [failed] = read_jsonl("b.errors.jsonl")
    assert failed["custom_id"] == "job-1"
    assert failed["error"] == {"code": "content_filter", "message": "the prompt was refused"}

    Path("all.jsonl").write_text(Path("b.errors.jsonl").read_text() + Path("b.jsonl").read_text())
    code, out, _ = batchrunner("status", "all.jsonl", "--json")
    assert code == 0
    assert json.loads(out)["jobs"] == {
        "total": 3,
        "reused": 0,
        "ok": 2,
        "failed": 1,
        "resumed": 0,
    }
    assert json.loads(out)["tokens"]["prompt"] == 200
    assert json.loads(out)["cost_usd"] > 0

    assert batchrunner("export", "all.jsonl", "-o", "t.jsonl", "--input", "in.jsonl")[0] == 1
    assert [row["answer"] for row in read_jsonl("t.jsonl")] == ["a", None, "c"]
    assert batchrunner("export", "b.jsonl", "-o", "t.csv", "--without-input")[0] == 0
    assert read_csv("t.csv")[1] == {"custom_id": "job-2", "answer": "c"}
    assert batchrunner("export", "b.jsonl", "-o", "t.csv")[0] == 2


@pytest.mark.parametrize("command", [["status"], ["export", "-o", "t.csv"]])
def test_a_file_that_is_neither_is_told(batchrunner, command):
    Path("x.jsonl").write_text('{"prompt": "a"}\n')

    code, _, err = batchrunner(*command, "x.jsonl")
    assert code == 2
    assert "no file of results" in err


def keyed(batchrunner):
    """Batch output of a run that took its ids from the column ``sku``."""
    rows = [{"sku": f"job-{n}"} for n in range(3)]
    output = jsonl_of(rows, [chat("a"), chat("b"), chat("c")])
    assert batchrunner("export", output, "-o", "b.jsonl", "--as", "batch")[0] == 0
    return "export", "b.jsonl", "--input", "in.jsonl", "-o", "t.jsonl"


def test_batch_output_finds_its_rows_by_the_column_with_their_ids(batchrunner):
    command = keyed(batchrunner)

    assert batchrunner(*command, "--id-column", "sku")[0] == 0
    assert [row["answer"] for row in read_jsonl("t.jsonl")] == ["a", "b", "c"]
    code, _, err = batchrunner(*command, "--id-column", "skew")
    assert code == 2
    assert "no column 'skew'" in err


def test_batch_output_that_matches_no_row_says_how_it_might(batchrunner):
    command = keyed(batchrunner)

    code, _, err = batchrunner(*command)
    assert code == 2
    assert "3 rows have no answer in b.jsonl, and 3 of its 3 answers match no row" in err
    assert "--id-column" in err
    assert "--input" in err
    assert "again" not in err
    code, out, err = batchrunner(*command, "--partial", "--json")
    assert code == 0
    assert "3 answers match no row" in err
    assert json.loads(out)["unmatched"] == 3


def test_batch_output_may_know_rows_by_their_numbers(batchrunner):
    jsonl_of([{"id": "x"}, {"id": "y"}], [chat("a"), chat("b")])
    response = {"status_code": 200, "body": chat("a")}
    lines = [{"custom_id": str(n), "response": response, "error": None} for n in (1, 0)]
    Path("b.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = ("export", "b.jsonl", "--input", "in.jsonl", "-o", "t.jsonl")

    assert batchrunner(*command)[0] == 2
    assert batchrunner(*command, "--id-column", "")[0] == 0


def test_a_run_knows_its_rows_without_their_ids(batchrunner):
    output = jsonl_of([{"n": 1}], [chat("a")])

    code, _, err = batchrunner("export", output, "-o", "t.csv", "--id-column", "n")
    assert code == 2
    assert "--id-column" in err


def test_without_failures_a_file_of_that_name_is_let_alone(batchrunner):
    output = jsonl_of([{"n": 1}], [chat("a")])
    Path("b.errors.jsonl").write_text("mine")

    code, _, err = batchrunner("export", output, "-o", "b.jsonl", "--as", "batch")
    assert code == 0
    assert Path("b.errors.jsonl").read_text() == "mine"
    assert "b.errors.jsonl is not of this export" in err


def test_failures_that_lie_beside_batch_output_are_not_forgotten(batchrunner):
    output = jsonl_of([{"custom_id": "job-0"}, {"custom_id": "job-1"}], [chat("a"), REFUSED])
    assert batchrunner("export", output, "-o", "b.jsonl", "--as", "batch")[0] == 1

    code, out, _ = batchrunner("status", "b.jsonl")
    assert code == 0
    assert "b.errors.jsonl lies beside b.jsonl and is not counted" in out
    assert "complete" not in out
    code, _, err = batchrunner("export", "b.jsonl", "--input", "in.jsonl", "-o", "t.jsonl")
    assert code == 2
    assert "b.errors.jsonl lies beside b.jsonl" in err
    assert "1 rows have no answer" in err
    command = ("export", "b.jsonl", "--input", "in.jsonl", "-o", "t.jsonl", "--partial")
    assert "b.errors.jsonl lies beside b.jsonl" in batchrunner(*command)[2]

    Path("all.jsonl").write_text(Path("b.jsonl").read_text() + Path("b.errors.jsonl").read_text())
    assert batchrunner("export", "all.jsonl", "--input", "in.jsonl", "-o", "t.jsonl")[0] == 1
    assert "complete" in batchrunner("status", "all.jsonl")[1]


@pytest.mark.parametrize(
    "option",
    [
        ("--input", "in.jsonl"),
        ("--without-input",),
        ("--id-column", "n"),
        ("--columns", "region"),
        ("--answer-prefix", "x"),
        ("--no-defuse",),
        ("--format", "csv"),
    ],
    ids=lambda option: option[0],
)
def test_what_only_a_table_has_is_no_option_of_batch_output(batchrunner, option):
    output = jsonl_of([{"n": 1}], [chat("a")])

    code, _, err = batchrunner("export", output, "-o", "b.jsonl", "--as", "batch", *option)
    assert code == 2
    assert (option[0] if option[0] != "--format" else "lines of JSON") in err
    assert not Path("b.jsonl").exists()


def test_batch_output_has_nothing_to_verify(batchrunner):
    output = jsonl_of([{"n": 1}], [chat("a")])
    assert batchrunner("export", output, "-o", "b.jsonl", "--as", "batch")[0] == 0

    code, _, err = batchrunner("verify", "b.jsonl")
    assert code == 2
    assert "b.jsonl is Batch output" in err
    assert "no checksums" in err
