"""Batch files for responses and embeddings, from the command line to the results."""

import json
import os
from pathlib import Path

import pytest

from batchrunner.cli import main
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
def run(tmp_path, monkeypatch, capfd):
    """Run a Batch file on a scenario; returns exit code, summary, results and what was said."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("AZURE_", "OPENAI_", "BATCHRUNNER_")):
            monkeypatch.delenv(name)

    def of(scenario, *kinds):
        Path("s.toml").write_text(scenario)
        lines = [batch_line(*one) for one in zip(PROMPTS, kinds * 10, strict=False)]
        Path("in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        with pytest.raises(SystemExit) as ended:
            main(["run", "in.jsonl", "--simulate", "s.toml", "--json", "--outage-wait", "3"])
        out, err = capfd.readouterr()
        results = Path("in.results.jsonl").read_text().splitlines()
        return ended.value.code, json.loads(out), [json.loads(line) for line in results], err

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
