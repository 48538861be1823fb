"""``batchrunner plan``, through the front door."""

import json

import pytest

pytestmark = pytest.mark.socket

KEYS = [
    "jobs",
    "done",
    "sample",
    "tokens",
    "cost_usd",
    "seconds",
    "bottleneck",
    "regions",
    "fallback",
    "changes",
    "stops",
    "assumptions",
    "warnings",
    "rehearsal",
]
SCENARIO = """
[[regions]]
name = "eastus"
rpm = 60
latency = { speed = 20.0 }

[openai]
rpm = 30
latency = { speed = 20.0 }
"""


@pytest.fixture
def here(clean, tmp_path, monkeypatch):  # noqa: ARG001 - that is where it is
    for number in (1, 2):
        monkeypatch.setenv(f"AZURE_OPENAI_API_KEY_{number}", "secret-key")
        monkeypatch.setenv(
            f"AZURE_OPENAI_ENDPOINT_{number}", f"https://r{number}.openai.azure.com"
        )
        monkeypatch.setenv(f"AZURE_OPENAI_RPM_{number}", "120")
    lines = [{"id": f"{n}", "prompt": f"say {n}", "max_tokens": 40} for n in range(300)]
    (tmp_path / "jobs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "scenario.toml").write_text(SCENARIO)
    return tmp_path


@pytest.fixture
def batchrunner(here, front_door):  # noqa: ARG001 - it is where the command is
    """Exit code, standard output and standard error of a command."""
    return front_door


@pytest.fixture
def planned(batchrunner):
    def planned(*options):
        code, out, _ = batchrunner(
            "plan", "jobs.jsonl", "--model", "gpt-4o-mini", "--json", *options
        )
        assert code == 0
        return json.loads(out)

    return planned


def test_a_plan_says_how_long_and_how_much_and_sends_nothing(planned, here):
    plan = planned()

    assert list(plan) == KEYS
    assert plan["jobs"] == 300
    assert 60 < plan["seconds"]["expected"] < 90  # 40 every ten seconds
    assert plan["seconds"]["low"] <= plan["seconds"]["expected"] <= plan["seconds"]["high"]
    assert plan["cost_usd"]["expected"] > 0
    assert plan["bottleneck"]["kind"] == "requests"
    assert plan["regions"]["r1"]["limits"] == "settings"
    assert sum(region["jobs"] for region in plan["regions"].values()) == 300
    assert sorted(path.name for path in here.iterdir()) == ["jobs.jsonl", "scenario.toml"]


def test_json_keys_are_those_of_the_page(planned):
    from pathlib import Path

    page = Path(__file__).parents[2].joinpath("docs", "plan.md").read_text()
    plan = planned()
    named = [*plan, *plan["changes"][0], *plan["regions"]["r1"], *plan["sample"]]

    assert [key for key in named if f"`{key}`" not in page] == []


def test_what_one_more_region_would_change_is_said(planned):
    found = {change["change"]: change for change in planned()["changes"]}

    assert found["one more region like r2"]["saves_s"] > 10
    assert "max_tokens 20 instead of 40" in found
    assert "--concurrency 512" in found


def test_people_get_a_text_within_eighty_columns(batchrunner):
    code, out, err = batchrunner("plan", "jobs.jsonl", "--model", "gpt-4o-mini", "--quiet")

    assert (code, err) == (0, "")
    assert out.startswith("jobs.jsonl: 300 jobs (all lines looked at)\n")
    assert max(map(len, out.splitlines())) <= 80
    for words in ("time", "held up by", "requests per minute of every region", "cost", "r1", "r2"):
        assert words in out


def test_the_simulator_is_asked_for_its_limits(batchrunner):
    code, out, _ = batchrunner(
        "plan", "jobs.jsonl", "--model", "gpt-4o-mini", "--json", "--simulate", "scenario.toml"
    )
    plan = json.loads(out)

    assert code == 0
    assert plan["regions"]["eastus"]["rpm"] == 60
    assert plan["regions"]["eastus"]["limits"] == "probe"
    assert plan["fallback"]["jobs"] == plan["regions"]["openai"]["jobs"] > 0
    assert any(change["change"].startswith("without OpenAI") for change in plan["changes"])


def test_what_openai_would_add_is_said_where_it_is_not_used(planned, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    plan = planned("--no-fallback")

    added = next(c for c in plan["changes"] if c["change"].startswith("with OpenAI"))
    assert added["saves_s"] > 30
    assert "openai" not in plan["regions"]


def test_an_unknown_limit_makes_the_time_a_lower_bound_and_names_the_remedy(planned, monkeypatch):
    monkeypatch.delenv("AZURE_OPENAI_RPM_1")
    plan = planned()

    assert plan["seconds"]["is_lower_bound"]
    assert "AZURE_OPENAI_RPM_n" in plan["warnings"][0]


def test_what_would_stop_the_run_is_said(planned):
    plan = planned("--max-cost", "0.0001", "--max-tokens-total", "10", "--deadline", "30s")

    assert [stop.split()[0] for stop in plan["stops"]] == [
        "--max-cost",
        "--max-tokens-total",
        "--deadline",
    ]


def test_bad_lines_end_the_plan_as_they_end_a_run(batchrunner, here):
    (here / "jobs.jsonl").write_text('{"prompt": 5}\n')
    code, out, err = batchrunner("plan", "jobs.jsonl", "--model", "gpt")

    assert (code, out) == (2, "")
    assert "line 1: prompt must be a text" in err


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_input_has_nothing_to_plan(batchrunner, here, content):
    (here / "jobs.jsonl").write_text(content)
    code, out, err = batchrunner("plan", "jobs.jsonl", "--model", "gpt")

    assert (code, out, err) == (0, "jobs.jsonl: there is nothing to plan\n", "")


def test_without_regions_the_remedy_is_named(batchrunner, monkeypatch):
    for number in (1, 2):
        monkeypatch.delenv(f"AZURE_OPENAI_API_KEY_{number}")
        monkeypatch.delenv(f"AZURE_OPENAI_ENDPOINT_{number}")
    code, _, err = batchrunner("plan", "jobs.jsonl", "--model", "gpt")

    assert code == 2
    assert "AZURE_OPENAI_API_KEY_1" in err


def test_a_model_without_a_price_has_no_cost_and_says_so(batchrunner):
    code, out, _ = batchrunner("plan", "jobs.jsonl", "--model", "house-model")

    assert code == 0
    assert "cost        unknown" in out
    assert "the price of a model is not known" in out


def test_a_key_never_shows(batchrunner):
    _, out, err = batchrunner("plan", "jobs.jsonl", "--model", "gpt-4o-mini")

    assert "secret-key" not in out + err


def test_a_run_that_went_before_teaches_and_only_the_rest_is_planned(batchrunner):
    same = ["jobs.jsonl", "--model", "gpt-4o-mini", "--simulate", "scenario.toml"]
    code, _, _ = batchrunner("run", *same, "--limit", "40", "--quiet")
    assert code == 0

    plan = json.loads(batchrunner("plan", *same, "--json")[1])

    assert (plan["jobs"], plan["done"]) == (260, 40)
    assert "answers: as long as those of the earlier run (-10% to +10%)" in plan["assumptions"]
    assert any("40 jobs have a result already" in words for words in plan["assumptions"])
    assert plan["tokens"]["completion"]["expected"] == pytest.approx(260 * 40, rel=0.05)

    other = json.loads(
        batchrunner(
            "plan", *same, "--json", "--output", "other.jsonl", "--like", "jobs.results.jsonl"
        )[1]
    )
    assert (other["jobs"], other["done"]) == (300, 0)
    assert "latency: as in the earlier run" in "".join(other["assumptions"])


def test_other_settings_than_those_of_the_results_are_refused(batchrunner):
    same = ["jobs.jsonl", "--model", "gpt-4o-mini", "--simulate", "scenario.toml"]
    batchrunner("run", *same, "--limit", "5", "--quiet")

    code, _, err = batchrunner("plan", *same, "--temperature", "1")

    assert code == 4
    assert "temperature" in err


def test_like_names_what_is_missing(batchrunner):
    code, _, err = batchrunner("plan", "jobs.jsonl", "--model", "gpt", "--like", "none.jsonl")

    assert code == 2
    assert "none.jsonl" in err
