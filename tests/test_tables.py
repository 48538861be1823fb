"""Tables through the front door: what is said, what is sent, and where a run goes on."""

import io
import json
import os
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from batchrunner.simulator import prompt_digest
from tests import test_run
from tests.test_run import assert_whole, read_results

place, batchrunner = test_run.place, test_run.batchrunner

SETTINGS = ("--simulate", "swift.toml", "--json", "--model", "gpt-4o-mini")
RUN = ("run", "t.csv", *SETTINGS)
PROMPTS = ["Say a, b\nor c", 'He said "hi"', "=cmd()", "日本🙂"]


def write(prompts=PROMPTS, path="t.csv", delimiter=",", encoding="utf-8"):
    quoted = [prompt.replace('"', '""') for prompt in prompts]
    rows = [f'r{i}{delimiter}"{prompt}"' for i, prompt in enumerate(quoted)]
    text = "\n".join([f"id{delimiter}prompt", *rows, ""])
    Path(path).write_text(text, encoding=encoding, newline="")


def checkpoint(name="t"):
    return json.loads(Path(f"{name}.results.jsonl.checkpoint.json").read_text())


def test_each_row_gets_its_answer_and_the_columns_are_told(batchrunner):
    write()

    code, _, err = batchrunner(*RUN)

    assert code == 0
    assert_whole(PROMPTS, read_results("t.results.jsonl"))
    assert [
        r["custom_id"] for r in sorted(read_results("t.results.jsonl"), key=lambda r: r["i"])
    ] == [*("r0", "r1", "r2", "r3")]
    line = "batchrunner: t.csv: CSV, UTF-8, comma, 2 columns: id text, prompt text\n"
    assert err.startswith(line)
    assert batchrunner("verify", "t.results.jsonl")[0] == 0


def test_quiet_tells_nothing(batchrunner):
    write()

    assert batchrunner(*RUN, "--quiet")[2] == ""


def test_a_parquet_file(batchrunner):
    parquet.write_table(pa.table({"prompt": PROMPTS, "n": [1, 2, 3, 4]}), "t.parquet")
    Path("t.parquet").rename("t.PARQUET")

    code, _, err = batchrunner("run", "t.PARQUET", *SETTINGS)

    assert "t.PARQUET: Parquet, 2 columns: prompt text, n integer" in err
    assert code == 0
    assert_whole(PROMPTS, read_results("t.results.jsonl"))


def test_what_was_found_out_is_kept_and_used_again(batchrunner):
    """One row says comma as well as semicolon; with more rows only one of them holds."""
    Path("t.csv").write_text("prompt,id;x;user\nSay,1;2;3\n")
    batchrunner(*RUN, "--bad-lines", "record", "--delimiter", ";")
    assert checkpoint()["input"]["shape"] == {
        "delimiter": ";",
        "encoding": "utf-8",
        "id_column": None,
        "answer_prefix": "",
    }
    with Path("t.csv").open("a") as file:
        file.write("Say,2\nSay,3\n")

    _, _, err = batchrunner(*RUN, "--bad-lines", "record")
    assert "t.csv: CSV, UTF-8, semicolon, 3 columns" in err

    assert "comma, 2 columns" in batchrunner(*RUN, "--delimiter", ",")[2]


def test_appended_rows_run_and_the_others_do_not(batchrunner):
    write()
    batchrunner(*RUN)
    more = [*PROMPTS, "another"]
    write(more)

    code, out, _ = batchrunner(*RUN)

    assert code == 0
    assert_whole(more, read_results("t.results.jsonl"))
    assert sum(region["calls"] for region in json.loads(out)["simulator"].values()) == 1


def test_the_same_rows_written_in_another_way_are_the_same(batchrunner):
    write()
    batchrunner(*RUN)
    write(delimiter=";", encoding="utf-16")

    code, out, err = batchrunner(*RUN)

    assert code == 0
    assert "UTF-16, semicolon" in err
    assert sum(region["calls"] for region in json.loads(out)["simulator"].values()) == 0


def test_an_edited_row_is_named(batchrunner):
    write()
    batchrunner(*RUN)
    write([*PROMPTS[:2], "other", *PROMPTS[3:]])

    code, _, err = batchrunner(*RUN)

    assert code == 4
    assert "row 3 of the input is not the one that the results have an answer for" in err
    code, out, _ = batchrunner("verify", "t.results.jsonl")
    assert code == 4
    assert "1 rows of the input are not those that the results answer: row 3" in out


def test_fewer_rows_than_results(batchrunner):
    write()
    batchrunner(*RUN)
    write(PROMPTS[:2])

    code, _, err = batchrunner(*RUN)

    assert code == 4
    assert "there is a result for row 4 and the input has only 2 rows" in err


def test_every_bad_row_is_told_before_anything_is_sent(batchrunner):
    Path("t.csv").write_text("id,prompt\na,Say\nb,Say,it\n,Say\na,Say\n")

    code, _, err = batchrunner(*RUN)

    assert code == 2
    assert "t.csv: 2 rows cannot be a job" in err
    assert "row 2: has 3 cells where the header has 2 (line 3 of the file): quote" in err
    assert "row 3: id must be a text or a whole number below 2^53; it is an empty text" in err
    assert "correct these rows" in err
    assert not Path("t.results.jsonl").exists()


def test_rows_with_one_id(batchrunner):
    Path("t.csv").write_text("id,prompt\na,Say\nb,Say\na,Say\n")

    code, _, err = batchrunner(*RUN)

    assert code == 2
    assert "row 3: the id 'a' is that of row 1" in err


def test_bad_rows_are_recorded_where_that_is_asked_for(batchrunner):
    Path("t.csv").write_text("id,prompt\na,Say\nb,Say,it\nc,Say\n")

    assert batchrunner(*RUN, "--bad-lines", "record")[0] == 1
    failed = [result for result in read_results("t.results.jsonl") if result["error"]]
    assert [result["i"] for result in failed] == [1]
    assert "has 3 cells" in failed[0]["error"]["message"]


def test_cp1252_must_be_named(batchrunner):
    write(["Müsli"], encoding="cp1252")

    code, _, err = batchrunner(*RUN)
    assert code == 2
    assert "line 2 is not UTF-8 at byte 16 of the file" in err
    assert "--encoding cp1252" in err

    assert batchrunner(*RUN, "--encoding", "cp1252")[0] == 0
    assert_whole(["Müsli"], read_results("t.results.jsonl"))
    assert batchrunner("verify", "t.results.jsonl")[0] == 0


def test_a_column_that_answers_would_stand_in(batchrunner):
    Path("t.csv").write_text("prompt,answer\nSay,it\n")

    code, _, err = batchrunner(*RUN)

    assert code == 2
    assert "the table has a column 'answer'" in err
    assert "rename it, or use --answer-prefix" in err
    assert not Path("t.results.jsonl").exists()
    code, _, err = batchrunner(*RUN, "--answer-prefix", "llm_")
    assert "the table has" not in err
    Path("lines.jsonl").write_text('{"prompt":"Say"}\n')
    assert batchrunner("run", "lines.jsonl", *SETTINGS)[0] == 0


@pytest.mark.parametrize("before", ["", "\ufeff", "\n\n"])
def test_a_field_of_json_lines_that_answers_would_stand_in(batchrunner, before):
    Path("t.jsonl").write_text(before + '{"word":"a","answer":"b"}\n{"word":"c"}\n')
    run = ("run", "t.jsonl", *SETTINGS, "--prompt", "Say {{ word }}")

    code, _, err = batchrunner(*run)
    assert code == 2
    assert "has a column 'answer'" in err
    assert "--answer-prefix" in err
    assert not Path("t.results.jsonl").exists()

    assert batchrunner(*run, "--answer-prefix", "llm_")[0] == 0
    assert batchrunner("export", "t.results.jsonl", "-o", "o.jsonl")[0] == 0
    assert list(json.loads(Path("o.jsonl").read_text().splitlines()[0])) == [
        *("word", "answer", "llm_answer")
    ]


def test_a_later_field_of_json_lines_can_be_evaded_when_it_is_exported(batchrunner):
    Path("t.jsonl").write_text('{"word":"a"}\n{"word":"c","answer":"b"}\n')
    assert batchrunner("run", "t.jsonl", *SETTINGS, "--prompt", "Say {{ word }}")[0] == 0

    code, _, err = batchrunner("export", "t.results.jsonl", "-o", "o.jsonl")
    assert code == 2
    assert "--answer-prefix" in err
    again = ("export", "t.results.jsonl", "-o", "o.jsonl", "--answer-prefix", "llm_")
    assert batchrunner(*again)[0] == 0


@pytest.mark.parametrize("line", ["[1]", "{", "", '{"a":'])
def test_a_first_line_that_is_no_row_says_nothing_of_fields(batchrunner, line):
    Path("t.jsonl").write_text(line + "\n")

    code, _, err = batchrunner("run", "t.jsonl", *SETTINGS, "--prompt", "Say {{ word }}")
    assert code == (2 if line else 0)
    assert "line 1" in err or not line


OBJECT = {"type": "object", "properties": {"city": {"type": "string"}}}
EMBED = ("--endpoint", "embeddings", "--model", "text-embedding-3-small")


@pytest.mark.parametrize(
    ("schema", "options", "name", "other"),
    [
        (OBJECT, (), "city", "answer"),
        ({**OBJECT, "additionalProperties": True}, (), "answer", "city"),
        ({"$ref": "#/$defs/a", "$defs": {"a": OBJECT}}, (), "city", "a"),
        (None, EMBED, "embedding", "answer"),
    ],
)
def test_a_run_refuses_the_names_that_an_export_would_give(
    batchrunner, schema, options, name, other
):
    if schema is not None:
        Path("schema.json").write_text(json.dumps(schema))
        options = ("--schema", "schema.json", "--max-reasks", "0")
    Path("t.csv").write_text(f"prompt,{name}\nSay,it\n")
    assert f"has a column '{name}'" in batchrunner(*RUN, *options)[2]

    Path("t.csv").write_text(f"prompt,{other}\nSay,it\n")
    assert batchrunner(*RUN, *options)[0] in {0, 1}
    code, _, err = batchrunner("export", "t.results.jsonl", "-o", "t.parquet")
    assert code in {0, 1}, err
    assert parquet.read_schema("t.parquet").names[:3] == ["prompt", other, name]


@pytest.fixture
def stdin(place, monkeypatch):  # noqa: ARG001 - the place is where it runs
    """What standard input is a file of, for the next run."""
    kept = os.dup(0)

    def feed(content):
        Path("stdin").write_bytes(content)
        number = os.open("stdin", os.O_RDONLY)
        os.dup2(number, 0)
        os.close(number)

    monkeypatch.setattr(sys, "stdin", io.StringIO())
    yield feed
    os.dup2(kept, 0)
    os.close(kept)


def as_parquet():
    sink = io.BytesIO()
    parquet.write_table(pa.table({"prompt": ["Say"]}), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'\xef\xbb\xbf \n{"prompt":"Say"}\n', ""),
        (b"prompt\nSay\n", "standard input: CSV, UTF-8, comma, 1 column: prompt text"),
        ("prompt\nSay\n".encode("utf-16"), "standard input: CSV, UTF-16"),
        (test_run.gzip.compress(b"prompt\nSay\n", mtime=0), "standard input: CSV, UTF-8"),
        (as_parquet(), "standard input: Parquet, 1 column: prompt text"),
    ],
)
def test_standard_input_is_known_by_what_it_holds(batchrunner, stdin, content, told):
    stdin(content)

    code, _, err = batchrunner("run", "-", "-o", "out.jsonl", *SETTINGS)

    assert (code, told in err) == (0, True)
    answer = read_results("out.jsonl")[0]["response"]["body"]["choices"][0]["message"]["content"]
    assert answer.startswith(prompt_digest("Say"))


ROWS = ("--prompt", "Say {{ prompt }}")


def test_fewer_rows_at_the_second_run_hide_no_answer_of_the_first(batchrunner):
    write()
    assert batchrunner(*RUN, *ROWS)[0] == 0
    assert batchrunner(*RUN, *ROWS, "--limit", "1")[0] == 0

    assert batchrunner("export", "t.results.jsonl", "-o", "t.parquet")[0] == 0
    assert parquet.read_table("t.parquet").column("id").to_pylist() == ["r0", "r1", "r2", "r3"]


def test_ids_of_another_column_are_those_of_another_run(batchrunner):
    write()
    assert batchrunner(*RUN, *ROWS, "--limit", "1")[0] == 0

    code, _, err = batchrunner(*RUN, *ROWS, "--id-column", "prompt")

    assert code == 4
    assert 'id_column was null, now "prompt"' in err


def test_a_prompt_that_asks_every_row_the_same_is_refused(batchrunner):
    write()

    code, _, err = batchrunner(*RUN, "--prompt", "Say {prompt}")

    assert code == 2
    assert "--prompt names no column, so every row would ask the same" in err
    assert not Path("t.results.jsonl").exists()


@pytest.mark.parametrize("name", ["t.jsonl", "t.parquet"])
@pytest.mark.parametrize("option", [("--delimiter", ";"), ("--encoding", "latin-1")])
def test_only_csv_is_written_in_one_way_or_another(batchrunner, name, option):
    code, _, err = batchrunner("run", name, *SETTINGS, *option)

    assert code == 2
    assert f"{option[0]} says how a CSV" in err


def test_without_a_schema_there_is_nothing_to_ask_again_for(batchrunner):
    Path("t.csv").write_text("id,prompt\na,Hello\n")

    code, _, err = batchrunner(*RUN, "--max-reasks", 1)
    assert code == 2
    assert "--max-reasks" in err
    assert "--schema" in err
