"""``.env.example`` says what the code reads, no more and no less."""

import re
from pathlib import Path

import pytest

from batchrunner.config import Settings, read_settings, variables
from batchrunner.environment import read_environ
from batchrunner.errors import ConfigError
from batchrunner.settings import OPTIONS

EXAMPLE = Path(__file__).parent.parent / ".env.example"
TEXT = EXAMPLE.read_text(encoding="utf-8")
ASSIGNMENT = re.compile(r"^#?([A-Z0-9_]+)=(.*)$", re.MULTILINE)
KEYS = ("AZURE_OPENAI_API_KEY_1", "OPENAI_API_KEY")


@pytest.fixture
def read(tmp_path, monkeypatch):
    """What a file says, without the environment of this process."""

    def read(text):
        path = tmp_path / "example"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setattr("os.environ", {})
        return read_environ(path)

    return read


def uncommented():
    return re.sub(r"^#(?=[A-Z0-9_]+=)", "", TEXT, flags=re.MULTILINE)


def test_every_variable_stands_there_once_and_in_order():
    assert [name for name, _ in ASSIGNMENT.findall(TEXT)] == list(variables())


def test_the_line_above_a_variable_is_its_meaning():
    above = re.findall(r"^# (.*)\n#?([A-Z0-9_]+)=", TEXT, flags=re.MULTILINE)

    assert {name: meaning for meaning, name in above} == variables()


def test_what_is_optional_is_commented_out(read):
    assert list(read(TEXT)) == ["AZURE_OPENAI_API_KEY_1", "AZURE_OPENAI_ENDPOINT_1"]


def test_there_are_no_keys_in_it(read):
    found = read(uncommented())

    assert [found[name] for name in KEYS] == ["", ""]
    assert not re.search(r"sk-|[0-9a-f]{32}", TEXT)


def test_an_example_that_is_not_filled_in_says_what_is_missing(read):
    with pytest.raises(ConfigError, match="AZURE_OPENAI_API_KEY_1 is not: set both"):
        read_settings({}, read(TEXT), {})


def test_every_value_in_it_is_valid_and_a_default_where_there_is_one(read):
    found = read(uncommented()) | dict.fromkeys(KEYS, "canary")
    settings = read_settings({}, found, {})

    assert [target.name for target in settings.targets] == ["eastus", "openai"]
    assert settings.targets[0].quota_group == "global-standard"
    given = settings.model_dump(include=set(OPTIONS))
    defaults = Settings().model_dump(include=set(OPTIONS))
    shown = {name for name in OPTIONS if defaults[name] is None}
    assert given == defaults | {name: given[name] for name in shown}
    assert None not in given.values()
