"""Answers of every path and kind, from the command line to the results."""

import csv
import gzip
import json
from pathlib import Path

import pytest
from pyarrow import parquet

from batchrunner.simulator import prompt_digest

pytestmark = pytest.mark.socket  # the simulator on the loopback address

BY_V1 = """
[[regions]]
name = "eastus"
api = "v1"
latency = { speed = 50.0 }
[[regions]]
name = "westus"
api = "v1"
latency = { speed = 50.0 }
"""
DATED = """
[[regions]]
name = "eastus"
latency = { speed = 50.0 }
"""
PROMPTS = [f"Say {number} in French." for number in range(10)]
RESPONSE = {"url": "/v1/responses", "model": "gpt-4.1-mini"}
EMBEDDING = {"url": "/v1/embeddings", "model": "text-embedding-3-small"}


@pytest.fixture
def run(front_door):
    """Run a Batch file on a scenario; returns exit code, summary, results and what was said."""

    def of(scenario, *kinds):
        Path("s.toml").write_text(scenario)
        lines = [batch_line(*one) for one in zip(PROMPTS, kinds * 10, strict=False)]
        Path("in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        code, out, err = front_door(
            "run", "in.jsonl", "--simulate", "s.toml", "--json", "--outage-wait", "3"
        )
        results = Path("in.results.jsonl").read_text().splitlines()
        return code, json.loads(out), [json.loads(line) for line in results], err

    return of


def batch_line(prompt, kind):
    body = {"model": kind["model"], "input": prompt}
    return {"custom_id": prompt, "method": "POST", "url": kind["url"], "body": body}


def test_responses(run):
    code, summary, results, _ = run(BY_V1, RESPONSE)

    assert code == 0
    assert summary["jobs"]["ok"] == len(PROMPTS)
    assert summary["cost_usd"] > 0
    for result in results:
        (content,) = result["response"]["body"]["output"][0]["content"]
        assert content["text"].startswith(prompt_digest(result["custom_id"]))


@pytest.mark.parametrize("scenario", [BY_V1, DATED])
def test_embeddings(run, scenario):
    code, summary, results, _ = run(scenario, EMBEDDING)

    assert code == 0
    assert summary["cost_usd"] is not None
    vectors = [result["response"]["body"]["data"][0]["embedding"] for result in results]
    assert len({tuple(vector) for vector in vectors}) == len(PROMPTS)


def test_both_in_one_file_and_the_tokens_are_those_of_the_service(run):
    code, summary, results, _ = run(BY_V1, RESPONSE, EMBEDDING)

    assert code == 0
    assert {result["response"]["body"]["object"] for result in results} == {"response", "list"}
    for name, region in summary["regions"].items():
        seen = summary["simulator"][name]
        assert region["prompt_tokens"] == seen["prompt_tokens"]
        assert region["completion_tokens"] == seen["completion_tokens"]


def test_a_region_too_old_for_responses_says_what_to_set_and_no_job_fails_for_good(run):
    code, summary, results, err = run(DATED, RESPONSE)

    assert code == 8
    assert results == []
    assert summary["jobs"]["failed"] == 0
    assert "set AZURE_OPENAI_API_VERSION" in err


SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "size": {"type": "integer"}},
    "required": ["city", "size"],
    "additionalProperties": False,
}
CODES = {
    "Where? [[always-invalid]]": "invalid_output",
    "Where? [[refuse]]": "refusal",
    "Where? [[cut]]": "truncated",
}
ROWS = ["Where?", "Where? [[invalid]]", *CODES, "Where to?"]


@pytest.fixture
def command(front_door):
    """Run the command line; returns exit code, standard output and what was said."""
    return front_door


@pytest.mark.parametrize("endpoint", ["chat", "responses"])
def test_a_table_whose_answers_break_the_schema_in_every_way(command, endpoint):
    Path("s.toml").write_text(BY_V1)
    Path("schema.json").write_text(json.dumps(SCHEMA))
    Path("t.csv").write_text("".join(f"{row}\n" for row in ["prompt", *ROWS]))
    run = ("run", "t.csv", "--simulate", "s.toml", "--json", "--outage-wait", 3)
    run = (*run, "--endpoint", endpoint, "--model", "gpt-4.1-mini", "--schema", "schema.json")

    code, out, err = command(*run)

    told = json.loads(out)
    assert code == 1, err
    assert told["jobs"] | {"ok": 3, "failed": 3} == told["jobs"]
    assert told["failures"] == dict.fromkeys(CODES.values(), 1)
    assert told["reasks"] == {"calls": 3, "invalid_answers": 1 + 3 + 1 + 1}
    assert told["calls"] == len(ROWS) + 3

    assert (
        command("export", "t.results.jsonl", "-o", "t.csv.gz", "--columns", "error_code")[0] == 1
    )
    with gzip.open("t.csv.gz", "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["prompt", "city", "size", "error_code", "error"]
    assert [row["prompt"] for row in rows] == ROWS
    assert [row["error_code"] for row in rows] == [CODES.get(row, "") for row in ROWS]
    for row in rows:
        assert bool(row["error"]) == (row["city"] == "") == (row["prompt"] in CODES)

    assert command(*run)[0] == 1
    code, out, _ = command(*run, "--retry-failed")
    again = json.loads(out)
    assert code == 1
    assert again["jobs"]["resumed"] == 3
    assert again["failures"] == told["failures"]
    assert sum(region["calls"] for region in again["simulator"].values()) == 3 + 2
    assert again["calls"] == told["calls"] + 3 + 2


def test_embeddings_of_a_table_are_a_column_of_lists(command):
    Path("s.toml").write_text(BY_V1)
    Path("t.csv").write_text("".join(f"{row}\n" for row in ["prompt", *PROMPTS]))
    run = ("run", "t.csv", "--simulate", "s.toml", "--endpoint", "embeddings", "--outage-wait", 3)

    assert command(*run, "--model", "text-embedding-3-small")[0] == 0
    assert command("export", "t.results.jsonl", "-o", "t.parquet")[0] == 0
    table = parquet.read_table("t.parquet")
    assert str(table.schema.field("embedding").type) == "list<element: float>"
    assert table["prompt"].to_pylist() == PROMPTS
    results = map(json.loads, Path("t.results.jsonl").read_text().splitlines())
    for result in results:
        vector = table["embedding"][result["i"]].as_py()
        assert vector == pytest.approx(result["response"]["body"]["data"][0]["embedding"])
    assert len(set(map(tuple, table["embedding"].to_pylist()))) == len(PROMPTS)
