"""Scenarios are read strictly, and every mistake is named with its remedy."""

import pytest

from batchrunner.simulator import ScenarioError, load, parse

ONE = '[[regions]]\nname = "eastus"\n'


def test_a_short_scenario_is_enough():
    region = parse(ONE).regions[0]

    assert (region.name, region.rpm, region.requests_allowed) == ("eastus", None, None)


def test_limits_a_minute_are_shared_out_to_their_windows():
    region = parse(ONE + "rpm = 600\nrequest_window = 10\ntpm = 6000\ntoken_window = 1\n").regions[
        0
    ]

    assert (region.requests_allowed, region.tokens_allowed) == (100, 100)


def test_a_window_can_have_a_limit_of_its_own():
    region = parse(ONE + "rpm = 600\nrequest_window = 5\nrequest_limit = 20\n").regions[0]

    assert region.requests_allowed == 20


@pytest.mark.parametrize(
    ("deployments", "name", "model"),
    [
        ('"*"', "anything", "anything"),
        ('["a", "b"]', "b", "b"),
        ('["a", "b"]', "c", None),
        ('{ chat = "gpt-4o" }', "chat", "gpt-4o"),
        ('{ chat = "gpt-4o" }', "gpt-4o", None),
    ],
)
def test_deployments_are_names_or_stand_for_models(deployments, name, model):
    region = parse(ONE + f"deployments = {deployments}\n").regions[0]

    assert region.model_of(name) == model


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("regions = [", ["my.toml", "not TOML", "correct"]),
        ("seed = 1\n", ["nothing to simulate", "[[regions]]"]),
        (ONE + ONE, ["'eastus'", "own name"]),
        (ONE + "rmp = 3\n", ["regions[0].rmp", "no such key", "'rpm'"]),
        (ONE + "rpm = -3\n", ["regions[0].rpm", "greater than 0", "not -3"]),
        ('[[regions]]\nname = "a/b"\n', ["regions[0].name", "pattern"]),
        ('[[regions]]\nname = "statistics"\n', ["regions[0].name", "reserved", "another name"]),
        (ONE + 'counting = "hourly"\n', ["regions[0].counting", "'fixed', 'sliding' or 'bucket'"]),
        (ONE + "latency = { sped = 2 }\n", ["regions[0].latency.sped", "'speed'"]),
        (ONE + '[[regions.faults]]\nkind = "fire"\n', ["regions[0].faults[0]", "'outage'"]),
        (
            ONE + '[[regions.faults]]\nkind = "outage"\nfrom = 5\nuntil = 5\n',
            ["regions[0].faults[0].outage", "'until' must be later than 'from'"],
        ),
        (
            ONE + '[[regions.faults]]\nkind = "slow"\nfactr = 5\n',
            ["regions[0].faults[0].slow.factr", "'factor'"],
        ),
        (ONE + "[openai]\nrppm = 5\n", ["openai.rppm", "'rpm'"]),
        (
            ONE
            + 'quota_group = "g"\nrpm = 1\n[[regions]]\nname = "b"\nquota_group = "g"\nrpm = 2\n',
            ["'eastus' and 'b'", "quota_group 'g'", "same limits"],
        ),
    ],
)
def test_mistakes_are_named_with_their_remedy(text, words):
    with pytest.raises(ScenarioError) as caught:
        parse(text, "my.toml")

    for word in ["my.toml", *words]:
        assert word in str(caught.value)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ScenarioError) as caught:
        parse(ONE + "rpm = -1\ntpm = -1\n")

    assert str(caught.value).count("\n") == 1


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ScenarioError, match=r"none\.toml.*No such file.*give the path"):
        load(tmp_path / "none.toml")


def test_a_file_in_another_encoding_is_named(tmp_path):
    path = tmp_path / "old.toml"
    path.write_bytes(b"# caf\xe9\n")
    with pytest.raises(ScenarioError, match="UTF-8"):
        load(path)


def test_a_file_is_read(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text(ONE)

    assert load(path).regions[0].name == "eastus"


def test_the_scenario_of_the_package_has_three_regions_an_outage_and_openai():
    scenario = load()

    assert len(scenario.regions) == 3
    assert scenario.openai
    assert "outage" in [fault.kind for region in scenario.regions for fault in region.faults]
