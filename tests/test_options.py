"""What becomes of the arguments of a command: settings, regions, and what is its own."""

import pytest
import typer.main

from batchrunner.cli import options
from batchrunner.cli.app import app
from batchrunner.errors import UsageError
from batchrunner.settings import OPTIONS

COMMANDS = typer.main.get_command(app).commands
SOURCES = {"env_file", "config", "simulate"}
TALK = {"json", "quiet"}
NONE = dict.fromkeys(["proxy", *SOURCES])


@pytest.mark.parametrize(
    ("command", "own"),
    [
        ("run", {"input_", "output", *TALK}),
        ("plan", {"input_", "output", "like", "probe", *TALK}),
        ("retry", {"output", "only", "input_", "dry_run", *TALK}),
        ("doctor", {"json"}),
    ],
)
def test_whatever_is_neither_a_setting_nor_a_source_is_meant_to_be_none(command, own):
    names = {argument.name for argument in COMMANDS[command].params}

    assert names - set(OPTIONS) - SOURCES == own


def test_settings_are_told_from_all_other_arguments():
    sources, given = options.taken({**NONE, "simulate": "", "model": "gpt-4o", "json": True})

    assert (sources.env, sources.config, sources.scenario) == (None, None, "")
    assert given == {"proxy": None, "model": "gpt-4o"}


@pytest.mark.parametrize("other", ["config", "env_file"])
def test_the_simulator_brings_its_own_regions(other):
    with pytest.raises(UsageError, match="leave out --config and --env-file"):
        options.taken({**NONE, "simulate": "", other: "x"})


def test_a_password_that_everybody_could_see_is_refused():
    with pytest.raises(UsageError, match="BATCHRUNNER_PROXY"):
        options.taken({**NONE, "proxy": "http://me:secret@proxy:3128"})
