"""The doctor through the front door: what is printed, how it ends, and what is never shown."""

import json
import re
from pathlib import Path

import pytest

from batchrunner.doctor.caution import Code
from tests import test_run
from tests.faultserver import says
from tests.security import conftest
from tests.test_docs import in_code, table

pytestmark = pytest.mark.socket
place, batchrunner, serve = test_run.place, test_run.batchrunner, conftest.serve

DOCS = Path(__file__).parents[2] / "docs" / "doctor.md"
SICK = """
seed = 1
[[regions]]
name = "eastus"
key = "canary-of-eastus"
rpm = 600
tpm = 120_000
latency = { speed = 50.0 }
[[regions]]
name = "westus"
key = "canary-of-westus"
env_key = "canary-wrong"
[openai]
latency = { speed = 50.0 }
"""
WELL = SICK.replace('env_key = "canary-wrong"\n', "latency = { speed = 50.0 }\n")
ILL = SICK.replace('key = "canary-of-eastus"', 'env_key = "canary-wrong"').partition("[openai]")[0]
SCENARIOS = {"sick": SICK, "well": WELL, "ill": ILL}


@pytest.fixture
def doctor(batchrunner):
    """Examine a scenario."""
    for name, text in SCENARIOS.items():
        Path(f"{name}.toml").write_text(text)
    return lambda name, *rest: batchrunner("doctor", "--simulate", f"{name}.toml", *rest)


def write_env(text, name=".env", mode=0o600):
    Path(name).write_text(text)
    Path(name).chmod(mode)


def region(number, url, key="canary-0123456789abcdef"):
    return f"AZURE_OPENAI_API_KEY_{number}={key}\nAZURE_OPENAI_ENDPOINT_{number}={url}\n"


@pytest.mark.parametrize(("name", "code"), [("well", 0), ("sick", 1), ("ill", 8)])
def test_the_exit_code_says_whether_every_region_works(doctor, name, code):
    ended, out, _ = doctor(name, "--json")
    found = json.loads(out)

    assert ended == found["exit_code"] == code
    assert found["works"] is (code == 0)


def test_a_block_for_each_region_then_the_verdict_on_the_last_line(doctor):
    _, out, err = doctor("sick")
    lines = out.splitlines()

    assert [line for line in lines if line and line[0] != " "][:3] == [
        "eastus: ok",
        "westus: FAILED: 401 Access denied due to invalid subscription key or wrong API",
        "openai: ok",
    ]
    assert "AZURE_OPENAI_API_KEY_2" in out
    assert "limits: 600 requests, 120,000 tokens a minute; 599 and" in out
    assert re.fullmatch(r"1 of 3 regions FAILED; 3 calls, \d+ tokens, 0\.0000\d+ USD", lines[-1])
    assert err == "batchrunner: 3 regions: a call of about 60 tokens to each, 3 at most\n"
    assert max(map(len, lines)) <= 80


def test_nothing_of_a_key_is_shown(doctor):
    for arguments in ([], ["--json"]):
        _, out, err = doctor("sick", *arguments)

        assert "canary" not in out + err


def test_the_keys_of_json_are_those_of_the_page(doctor, batchrunner):
    write_env(region(1, "http://127.0.0.1:1") + "AZURE_OPENAI_ENPOINT_2=x\n")
    found = json.loads(doctor("sick", "--json")[1])
    caution = json.loads(batchrunner("doctor", "--model", "m", "--json")[1])["warnings"][0]

    for heading, content in (
        ("The whole", found),
        ("Each region", found["regions"][0]),
        ("Each warning", caution),
    ):
        assert [in_code(row[0]) for row in table(DOCS, heading)] == list(content)


def test_every_code_of_a_warning_is_on_the_page_and_no_other():
    assert [in_code(row[0]) for row in table(DOCS, "Warnings")] == list(Code)


def test_no_region_is_a_configuration_that_cannot_be_used(batchrunner):
    code, out, err = batchrunner("doctor")

    assert (code, out) == (2, "")
    assert "no region is configured: set AZURE_OPENAI_API_KEY_1" in err


def test_a_misspelt_variable_explains_why_its_pair_is_missing(batchrunner):
    write_env("AZURE_OPENAI_API_KEY_1=canary\nAZURE_OPENAI_ENPOINT_1=https://x\n")
    code, out, err = batchrunner("doctor", "--json")

    assert (code, out) == (2, "")
    assert "AZURE_OPENAI_ENPOINT_1 is not read: did you mean AZURE_OPENAI_ENDPOINT_1?" in err
    assert "AZURE_OPENAI_API_KEY_1 is set but AZURE_OPENAI_ENDPOINT_1 is not" in err


def test_a_file_that_others_can_read_is_told_once(batchrunner):
    write_env(region(1, "http://127.0.0.1:1"), mode=0o644)
    code, out, err = batchrunner("doctor", "--model", "m")

    assert code == 8
    assert (out + err).count("others can read the keys in .env") == 1
    assert "chmod 600 .env" in out


def test_a_server_that_never_answers_holds_up_nobody(batchrunner, serve):
    silent, quick = serve(says()), serve()
    write_env(region(1, silent.url) + region(2, quick.url + "/b"))
    code, out, _ = batchrunner("doctor", "--model", "m", "--timeout", "0.5", "--json")
    first, second = json.loads(out)["regions"]

    assert code == 1
    assert (first["outcome"], second["outcome"]) == ("timeout", "ok")
    assert "--timeout, now 0.5 s" in first["remedy"]


def test_a_region_without_a_model_says_so_and_the_others_are_examined(batchrunner, serve):
    server = serve()
    more = "AZURE_OPENAI_DEPLOYMENT_2=prod\n"
    write_env(region(1, server.url + "/a") + region(2, server.url + "/b") + more)
    code, out, _ = batchrunner("doctor", "--json")
    first, second = json.loads(out)["regions"]

    assert code == 1
    assert (first["outcome"], second["outcome"]) == ("no_model", "ok")
    assert first["remedy"].endswith("or set AZURE_OPENAI_DEPLOYMENT_1")
    assert [heard.line.split("?")[0] for heard in server.heard] == [
        "POST /b/openai/deployments/prod/chat/completions"
    ]


def test_regions_of_a_toml_file_are_called_as_they_are_there(batchrunner, monkeypatch):
    monkeypatch.setenv("MY_KEY", "canary-0123456789")
    Path("c.toml").write_text('[[regions]]\nendpoint = "http://127.0.0.1:1"\nkey = "MY_KEY"\n')
    code, out, _ = batchrunner("doctor", "--config", "c.toml", "--model", "m", "--json")

    assert code == 8
    assert "endpoint of region 1 in --config" in json.loads(out)["regions"][0]["remedy"]
    assert "canary" not in out


@pytest.mark.parametrize("endpoint", ["chat", "responses", "embeddings"])
def test_every_endpoint_can_be_tried(doctor, endpoint):
    model = "text-embedding-3-small" if endpoint == "embeddings" else "gpt-4o-mini"
    Path("v1.toml").write_text('[[regions]]\nname = "a"\napi = "v1"\nlatency = { speed = 50.0 }\n')
    code, out, _ = doctor("v1", "--endpoint", endpoint, "--model", model, "--json")

    assert code == 0, out
    assert json.loads(out)["regions"][0]["model"].startswith(model)


def test_a_stranger_s_host_gets_no_key(batchrunner):
    write_env(region(1, "https://gateway.invalid"))
    code, _, err = batchrunner("doctor", "--model", "m")

    assert code == 2
    assert "--allow-host gateway.invalid" in err


def test_the_scenario_of_the_package_needs_nothing_else(batchrunner):
    code, out, _ = batchrunner("doctor", "--simulate", "--json")

    assert code == 0
    assert len(json.loads(out)["regions"]) == 4


def test_what_means_nothing_is_refused(batchrunner):
    assert batchrunner("doctor", "--simulate", "--env-file", "x")[0] == 2
    assert batchrunner("doctor", "--timeout", "0")[0] == 2
    assert batchrunner("doctor", "--proxy", "http://u:p@h")[0] == 2
