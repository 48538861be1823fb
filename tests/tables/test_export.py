"""The same rows back, in their order, with new columns."""

import csv
import gzip
import json
import os
import signal
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchrunner.export import export
from batchrunner.tables.exported import Wanted
from batchrunner.tables.formats import target
from batchrunner.tables.reader import EXTRAS
from tests.tables.made import (
    REFUSED,
    chat,
    csv_of,
    embedded,
    jsonl_of,
    output_of,
    read_csv,
    read_jsonl,
)
from tests.test_run import batchrunner, place, start, wait_until, write_jobs

__all__ = ["batchrunner", "place"]  # fixtures


SCHEMA = {
    "type": "object",
    "properties": {
        "category": {"type": "string"},
        "score": {"type": ["number", "null"]},
        "count": {"type": "integer"},
        "good": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "where": {"type": "object", "properties": {"city": {"type": "string"}}},
        "any": {},
    },
}


ANSWER = {
    "category": "a",
    "score": None,
    "count": 3,
    "good": True,
    "tags": ["x", "y"],
    "where": {"city": "Ulm"},
    "any": [1, "a"],
}


CELLS = 'n,text,day,code\r\n1,=cmd(),2024-02-29,007\r\n,,,\r\n30,"a\nb",2024-03-01,08\r\n'


def test_csv_with_a_schema_becomes_parquet_with_types(batchrunner):
    output = csv_of(CELLS, [chat(json.dumps(ANSWER))] * 3, SCHEMA)

    assert batchrunner("export", output, "-o", "t.parquet")[0] == 0
    table = pq.read_table("t.parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "n": "int64",
        "text": "string",
        "day": "date32[day]",
        "code": "string",
        "category": "string",
        "score": "double",
        "count": "int64",
        "good": "bool",
        "tags": "list<element: string>",
        "where": "struct<city: string>",
        "any": "string",
    }
    rows = table.to_pylist()
    assert [row["n"] for row in rows] == [1, None, 30]
    assert [row["text"] for row in rows] == ["=cmd()", "", "a\nb"]
    assert rows[0]["tags"] == ["x", "y"]
    assert rows[0]["where"] == {"city": "Ulm"}
    assert rows[0]["any"] == '[1,"a"]'


def test_csv_to_csv_keeps_every_cell_but_formulas(batchrunner):
    output = csv_of(CELLS, [chat("@x"), chat("1"), chat("é")])
    before = read_csv("in.csv")

    assert batchrunner("export", output, "-o", "t.csv")[0] == 0
    first, *_ = rows = read_csv("t.csv")
    assert [row.pop("answer") for row in rows] == ["'@x", "1", "é"]
    assert first["text"] == "'=cmd()"
    assert [*rows[1:], first | {"text": "=cmd()"}] == [*before[1:], before[0]]
    assert '1,"\'=cmd()","2024-02-29","007",' in Path("t.csv").read_text(encoding="utf-8")

    assert batchrunner("export", output, "-o", "t.csv", "--no-defuse")[0] == 0
    assert [dict(row, answer=None) for row in before] == [
        dict(row, answer=None) for row in read_csv("t.csv")
    ]


def test_rows_come_in_the_order_of_the_input(batchrunner):
    rows = [{"n": n} for n in range(20)]
    output = jsonl_of(rows, [chat(str(n)) for n in range(20)], order=list(range(19, -1, -1)))

    assert batchrunner("export", output, "-o", "t.jsonl")[0] == 0
    assert read_jsonl("t.jsonl") == [{"n": n, "answer": str(n)} for n in range(20)]


def test_json_lines_keep_every_digit(batchrunner):
    Path("in.jsonl").write_bytes(b'{"x": 1.10, "big": 18446744073709551615 }\n')
    output = output_of("in.jsonl", [b'{"x": 1.10, "big": 18446744073709551615 }'], [chat("a")])

    assert batchrunner("export", output, "-o", "t.jsonl.gz")[0] == 0
    text = gzip.decompress(Path("t.jsonl.gz").read_bytes())
    assert text == b'{"x": 1.10, "big": 18446744073709551615,"answer":"a"}\n'


def test_a_failed_row_has_no_answer_and_says_why(batchrunner):
    output = jsonl_of([{"n": 1}, {"n": 2}], [REFUSED, chat("a")])

    code, out, _ = batchrunner("export", output, "-o", "t.jsonl", "--json")
    assert code == 1
    assert read_jsonl("t.jsonl") == [
        {"n": 1, "answer": None, "error": "the prompt was refused"},
        {"n": 2, "answer": "a", "error": None},
    ]
    told = json.loads(out)
    assert (told["rows"], told["answered"], told["failed"], told["missing"]) == (2, 1, 1, 0)
    assert told["columns"] == {"n": "integer", "answer": "text", "error": "text"}


def test_an_error_gives_way_to_a_column_of_that_name(batchrunner):
    output = jsonl_of([{"error": 1}], [REFUSED])

    assert batchrunner("export", output, "-o", "t.jsonl")[0] == 1
    assert read_jsonl("t.jsonl")[0]["job_error"] == "the prompt was refused"


@pytest.mark.parametrize("prefix", ["", "ai_"])
@pytest.mark.parametrize("name", EXTRAS)
def test_a_column_that_is_asked_for_gives_way_to_an_answer(batchrunner, name, prefix):
    schema = {"type": "object", "properties": {name: {}, f"job_{name}": {}}}
    output = jsonl_of([{"n": 1}], [chat(json.dumps({name: "a", f"job_{name}": "b"}))], schema)

    options = ("--columns", name, "--answer-prefix", prefix)
    code, _, err = batchrunner("export", output, "-o", "t.jsonl", *options)
    assert code == 0, err
    names = [f"{prefix}{name}", f"{prefix}job_{name}", f"{prefix}job_job_{name}"]
    assert list(read_jsonl("t.jsonl")[0]) == ["n", *names]


def test_a_column_that_is_asked_for_gives_way_to_one_of_the_input(batchrunner):
    output = jsonl_of([{"region": "Ulm"}], [chat("a")])

    assert batchrunner("export", output, "-o", "t.jsonl", "--columns", "region")[0] == 0
    assert read_jsonl("t.jsonl") == [{"region": "Ulm", "answer": "a", "job_region": "eastus"}]


def test_more_columns_are_there_for_the_asking(batchrunner):
    output = jsonl_of([{"n": 1}], [chat("a")])
    names = "region,model,prompt_tokens,completion_tokens,cached_tokens"
    more = "cost_usd,finish_reason,attempts,error,error_code,reused"

    code, _, _ = batchrunner(
        "export", output, "-o", "t.jsonl", "--columns", names, "--columns", more
    )
    assert code == 0
    row = read_jsonl("t.jsonl")[0]
    assert row.pop("cost_usd") > 0
    assert row == {
        "n": 1,
        "answer": "a",
        "region": "eastus",
        "model": "gpt-4o-mini-2024-07-18",
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "cached_tokens": 0,
        "finish_reason": "stop",
        "attempts": 1,
        "error": None,
        "error_code": None,
        "reused": False,
    }


def test_an_unfinished_run_is_exported_only_where_that_is_wanted(batchrunner):
    output = jsonl_of([{"n": 1}, {"n": 2}], [None, chat("a")])
    with output.open("ab") as file:
        file.write(b'{"i":0,"fp"')  # a line that is being written

    code, _, err = batchrunner("export", output, "-o", "t.jsonl")
    assert code == 2
    assert "1 rows have no result" in err
    assert "--partial" in err
    assert not Path("t.jsonl").exists()
    assert batchrunner("export", output, "-o", "t.jsonl", "--partial")[0] == 0
    assert [row["answer"] for row in read_jsonl("t.jsonl")] == [None, "a"]


def test_a_changed_row_is_no_row_of_these_results(batchrunner):
    output = jsonl_of([{"n": 1}, {"n": 2}], [chat("a"), chat("b")])
    Path("in.jsonl").write_text('{"n": 1}\n{"n": 3}\n')

    code, _, err = batchrunner("export", output, "-o", "t.csv")
    assert code == 4
    assert "row 2 " in err
    assert not Path("t.csv").exists()


def test_results_behind_the_end_of_the_input_are_of_another_one(batchrunner):
    output = jsonl_of([{"n": 1}, {"n": 2}], [chat("a"), chat("b")])
    Path("in.jsonl").write_text('{"n": 1}\n')

    assert batchrunner("export", output, "-o", "t.csv")[0] == 4


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: [lines[0].replace(b"eastus", b"westus"), lines[1]],
        lambda lines: [*lines, lines[0]],
        lambda lines: lines[:1],
    ],
    ids=["another word", "doubled", "lost"],
)
def test_damaged_results_are_not_exported(batchrunner, spoil):
    output = jsonl_of([{"n": 1}, {"n": 2}], [chat("a"), chat("b")])
    output.write_bytes(b"".join(spoil(output.read_bytes().splitlines(keepends=True))))

    assert batchrunner("export", output, "-o", "t.csv", "--partial")[0] == 5


def test_a_new_column_must_not_hide_an_old_one(batchrunner):
    output = jsonl_of([{"answer": 1}], [chat("a")])

    code, _, err = batchrunner("export", output, "-o", "t.csv")
    assert code == 2
    assert "two columns 'answer'" in err
    assert batchrunner("export", output, "-o", "t.csv", "--answer-prefix", "new_")[0] == 0
    assert read_csv("t.csv") == [{"answer": "1", "new_answer": "a"}]


@pytest.mark.parametrize("name", ["in.jsonl", "out.results.jsonl"])
def test_the_run_itself_is_never_overwritten(batchrunner, name):
    output = jsonl_of([{"n": 1}], [chat("a")])
    before = Path(name).read_bytes()

    assert batchrunner("export", output, "-o", name)[0] == 2
    os.link(name, "link.jsonl")
    assert batchrunner("export", output, "-o", "link.jsonl")[0] == 2
    assert Path(name).read_bytes() == before


def test_the_old_table_stays_until_the_new_one_is_whole(batchrunner):
    output = jsonl_of([{"n": 1}, {"n": 2}], [chat("a"), chat("b")])
    Path("t.csv").write_text("old")
    Path("in.jsonl").write_text('{"n": 1}\n{"n": 3}\n')
    assert batchrunner("export", output, "-o", "t.csv")[0] == 4
    assert Path("t.csv").read_text() == "old"

    jsonl_of([{"n": 1}], [chat("a")])
    assert batchrunner("export", output, "-o", "t.csv")[0] == 0
    assert read_csv("t.csv") == [{"n": "1", "answer": "a"}]
    assert Path("t.csv").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in Path().iterdir() if ".tmp" in path.name] == []


def test_embeddings_are_lists_of_floats(batchrunner):
    output = jsonl_of([{"n": 1}, {"n": 2}], [embedded([0.5, 1]), embedded("AAAAPwAAgD8=")])

    assert batchrunner("export", output, "-o", "t.parquet")[0] == 0
    table = pq.read_table("t.parquet")
    assert table["embedding"].type == pa.list_(pa.float32())
    assert table["embedding"].to_pylist() == [[0.5, 1.0], [0.5, 1.0]]


def test_the_text_of_a_response_is_its_answer(batchrunner):
    parts = [{"type": "output_text", "text": "Hel"}, {"type": "output_text", "text": "lo"}]
    body = {"output": [{"type": "reasoning"}, {"type": "message", "content": parts}]}
    output = jsonl_of([{"n": 1}], [body])

    assert batchrunner("export", output, "-o", "t.jsonl")[0] == 0
    assert read_jsonl("t.jsonl")[0]["answer"] == "Hello"


def test_of_a_batch_line_only_the_id_is_a_column(batchrunner):
    row = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"x": 1}}
    output = jsonl_of([row], [chat("b")])

    assert batchrunner("export", output, "-o", "t.jsonl")[0] == 0
    assert read_jsonl("t.jsonl") == [{"custom_id": "a", "answer": "b"}]


def test_parquet_keeps_the_types_of_parquet(batchrunner):
    from batchrunner.inputs.parquet import ParquetFile

    table = pa.table(
        {
            "d": pa.array([1, 2], pa.decimal128(9, 2)),
            "t": pa.array([1, None], pa.timestamp("ns", tz="Europe/Berlin")),
            "s": pa.array(["a", "b"]).dictionary_encode(),
            "l": pa.array([[1], None], pa.list_(pa.int8())),
        }
    )
    pq.write_table(table, "in.parquet")
    file = ParquetFile(Path("in.parquet"))
    rows = [row for batch in file.batches() for row in batch]
    file.close()
    output = output_of("in.parquet", rows, [chat("a"), chat("b")])

    assert batchrunner("export", output, "-o", "t.parquet")[0] == 0
    found = pq.read_table("t.parquet")
    assert found.drop_columns("answer").equals(pq.read_table("in.parquet"))
    assert found["answer"].to_pylist() == ["a", "b"]


def test_decimals_and_bytes_of_parquet_are_no_formulas_in_csv(batchrunner):
    from batchrunner.inputs.parquet import ParquetFile

    table = pa.table(
        {
            "d": pa.array([Decimal("-1.10"), Decimal("2.00"), None], pa.decimal128(9, 2)),
            "b": pa.array([b"\xfb\xef", b"", None]),
            "s": ["-a", "", None],
        }
    )
    pq.write_table(table, "in.parquet")
    file = ParquetFile(Path("in.parquet"))
    rows = [row for batch in file.batches() for row in batch]
    file.close()
    output = output_of("in.parquet", rows, [chat("a")] * 3)

    assert batchrunner("export", output, "-o", "t.csv")[0] == 0
    assert Path("t.csv").read_text().splitlines()[1:] == [
        '-1.10,"++8=","\'-a","a"',
        '2.00,"","","a"',
        ',,,"a"',
    ]


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.usefixtures("place")
def test_any_text_comes_back_as_it_went_in(rows):
    import anyio

    texts = [{"x": text} for text, _ in rows]
    output = jsonl_of(texts, [chat(answer) for _, answer in rows])
    expected = [{"x": text, "answer": answer} for text, answer in rows]

    for name in ("t.csv", "t.tsv", "t.jsonl", "t.parquet"):
        anyio.run(export, output, Wanted(target=target(name), harmless=False))
    assert read_csv("t.csv") == expected
    with Path("t.tsv").open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file, delimiter="\t")) == expected
    lines = Path("t.jsonl").read_bytes().splitlines()
    assert [json.loads(line) for line in lines] == expected
    assert pq.read_table("t.parquet").to_pylist() == expected


def test_a_nul_in_an_answer_is_replaced_in_csv_and_kept_elsewhere(batchrunner):
    output = jsonl_of([{"n": 1}], [chat("a\0b")])

    batchrunner("export", output, "-o", "t.csv")
    batchrunner("export", output, "-o", "t.parquet")
    assert read_csv("t.csv")[0]["answer"] == "a\ufffdb"
    assert pq.read_table("t.parquet")["answer"].to_pylist() == ["a\0b"]


def test_standard_output_takes_csv_or_what_is_asked_for(batchrunner):
    output = jsonl_of([{"n": 1}], [chat("a")])

    assert batchrunner("export", output, "-o", "-")[1] == '"n","answer"\n1,"a"\n'
    _, out, _ = batchrunner("export", output, "-o", "-", "--format", "jsonl")
    assert json.loads(out) == {"n": 1, "answer": "a"}
    assert batchrunner("export", output, "-o", "-", "--format", "parquet")[0] == 2
    assert batchrunner("export", output, "-o", "t.xls")[0] == 2


def test_an_answer_that_does_not_fit_is_named(batchrunner):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    output = jsonl_of([{"a": 1}], [chat('{"n": 1e30}')], schema)

    code, _, err = batchrunner("export", output, "-o", "t.parquet")
    assert code == 2
    assert "row 1, column 'n'" in err
    assert batchrunner("export", output, "-o", "t.jsonl")[0] == 0


def test_answers_keep_every_digit_or_are_named(batchrunner):
    kinds = {"n": {"type": "integer"}, "x": {"type": "number"}, "l": {"type": "array"}}
    schema = {"type": "object", "properties": kinds}
    answer = '{"n":12345678901234567890123,"x":0.12345678901234567890,"l":[1e400]}'
    output = jsonl_of([{"a": 1}, {"a": 2}], [chat('{"n":1}'), chat(answer)], schema)

    assert batchrunner("export", output, "-o", "t.jsonl")[0] == 0
    assert Path("t.jsonl").read_text().splitlines()[1] == '{"a": 2,' + answer[1:]
    assert batchrunner("export", output, "-o", "t.csv")[0] == 0
    last = Path("t.csv").read_text().splitlines()[-1]
    assert last == '2,12345678901234567890123,0.12345678901234567890,"[1e400]"'
    code, _, err = batchrunner("export", output, "-o", "t.parquet")
    assert code == 2
    assert "row 2, column 'n': 12345678901234567890123 is no integer" in err


@pytest.mark.parametrize("answer", ['{"n": "\\ud800"}', '{"n": ' + "[" * 300 + "]" * 300 + "}"])
def test_an_answer_that_cannot_be_written_again_is_no_answer(batchrunner, answer):
    output = jsonl_of([{"a": 1}], [chat(answer)], {"type": "object", "properties": {"n": {}}})

    code, _, err = batchrunner("export", output, "-o", "t.jsonl", "--columns", "error")
    assert code == 1, err
    assert read_jsonl("t.jsonl") == [{"a": 1, "n": None, "error": "the answer is no JSON"}]


def test_what_the_schema_does_not_name_stays_in_the_results(batchrunner):
    kinds = {"n": {}, "o": {"type": "object", "properties": {"a": {"type": "integer"}}}}
    schema = {"type": "object", "properties": kinds}
    answer = {"n": 1, "o": {"a": 1, "b": 2}, "more": 3}
    output = jsonl_of([{"x": 1}], [chat(json.dumps(answer))], schema)

    assert batchrunner("export", output, "-o", "t.jsonl")[0] == 0
    assert read_jsonl("t.jsonl") == [{"x": 1, "n": 1, "o": {"a": 1, "b": 2}}]
    assert batchrunner("export", output, "-o", "t.parquet")[0] == 0
    assert pq.read_table("t.parquet").to_pylist() == [{"x": 1, "n": "1", "o": {"a": 1}}]

    jsonl_of([{"x": 1}], [chat(json.dumps(answer))], schema | {"additionalProperties": True})
    assert batchrunner("export", output, "-o", "t.jsonl")[0] == 0
    assert read_jsonl("t.jsonl") == [{"x": 1, "answer": answer}]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("as_", ["table", "batch"])
@pytest.mark.usefixtures("batchrunner")
def test_a_signal_leaves_nothing_of_a_table(number, as_):
    count = 20_000
    output = jsonl_of([{"n": n} for n in range(count)], [chat("a")] * count)
    Path("t.jsonl").write_text("old")

    process = start("export", output, "-o", "t.jsonl", "--as", as_)
    wait_until(lambda: list(Path().glob("*.tmp")))
    process.send_signal(number)
    process.communicate()
    assert process.returncode == 128 + number
    assert list(Path().glob("*.tmp")) == []
    assert Path("t.jsonl").read_text() == "old"


def test_an_input_is_read_or_it_is_not(batchrunner):
    output = jsonl_of([{"n": 1}], [chat("a")])

    code, _, err = batchrunner(
        "export", output, "-o", "t.csv", "--without-input", "--input", "in.jsonl"
    )
    assert code == 2
    assert "leave out one of them" in err


# --- a real run


def test_a_real_run_that_was_stopped_and_went_on_is_exported(batchrunner):
    prompts = write_jobs(count=30)
    run = ("run", "in.jsonl", "--simulate", "swift.toml", "--quiet")
    assert batchrunner(*run, "--limit", 10)[0] == 0
    assert batchrunner("export", "in.results.jsonl", "-o", "t.parquet")[0] == 0
    assert pq.read_table("t.parquet").num_rows == 10
    assert batchrunner(*run)[0] == 0
    assert batchrunner("export", "in.results.jsonl", "-o", "t.parquet")[0] == 0

    rows = pq.read_table("t.parquet").to_pylist()
    assert [row["prompt"] for row in rows] == prompts
    assert all(row["prompt"] in row["answer"] for row in rows)


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_of_a_table_without_rows_the_columns_are_exported(batchrunner, kind):
    Path("in.csv").write_text("prompt,n\n")
    Path("in.jsonl").touch()
    pq.write_table(
        pa.table({"prompt": pa.array([], pa.string()), "n": pa.array([])}), "in.parquet"
    )
    options = ("--simulate", "swift.toml", "--quiet", "--model", "gpt-4o-mini")
    assert batchrunner("run", f"in.{kind}", *options)[0] == 0

    for name in ("t.csv", "t.parquet", "t.jsonl"):
        code, _, err = batchrunner("export", "in.results.jsonl", "-o", name)
        assert code == 0, err
    names = ["answer"] if kind == "jsonl" else ["prompt", "n", "answer"]
    assert Path("t.csv").read_text() == ",".join(f'"{name}"' for name in names) + "\n"
    assert pq.read_table("t.parquet").column_names == names
    assert pq.read_table("t.parquet").num_rows == 0
    assert Path("t.jsonl").read_bytes() == b""

    with Path("in.csv").open("a") as file:
        file.write("Say,1\n")
    code, _, err = batchrunner("export", "in.results.jsonl", "-o", "t.csv", "--input", "in.csv")
    assert code == 2
    assert "1 rows have no result" in err


def test_results_that_are_not_there_yet_are_no_empty_table(batchrunner):
    output = jsonl_of([{"n": 1}], [None])

    code, _, err = batchrunner("export", output, "-o", "t.csv")
    assert code == 2
    assert "holds no results" in err


def test_a_row_that_could_be_no_job_is_there_and_says_why(batchrunner):
    Path("in.csv").write_text("id,prompt\na,Hello\nb,x,y\nc,Bye\n")
    code, _, err = batchrunner(
        *("run", "in.csv", "--simulate", "swift.toml", "--quiet", "--model", "gpt-4o-mini"),
        *("--bad-lines", "record"),
    )
    assert code == 1, err
    assert batchrunner("export", "in.results.jsonl", "-o", "t.csv")[0] == 1

    rows = read_csv("t.csv")
    assert [row["id"] for row in rows] == ["a", "", "c"]
    assert [bool(row["error"]) for row in rows] == [False, True, False]
    assert [bool(row["answer"]) for row in rows] == [True, False, True]
