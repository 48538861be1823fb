"""The documents say what the code does: whatever can be compared is compared."""

import enum
import os
import re
import shlex
import sys
import tomllib
from itertools import dropwhile, pairwise
from pathlib import Path
from typing import Any, get_args

import anyio
import pytest
import typer.main

import batchrunner
from batchrunner import errors
from batchrunner.cli import _name_scenario
from batchrunner.cli.app import app
from batchrunner.policy.verdict import Verdict
from batchrunner.simulator import order, parse, prompt_digest, validate
from batchrunner.simulator.faults import KINDS, Fault
from batchrunner.simulator.latency import Latency
from batchrunner.simulator.limits import Counting
from batchrunner.simulator.scenario import Region, Scenario, Target
from batchrunner.simulator.server import serve
from batchrunner.simulator.tally import Tally
from tests.simulator.talk import quick

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
SIMULATOR = ROOT / "docs" / "simulator.md"
HOW = ROOT / "docs" / "how-it-works.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

#: The tables of ``docs/simulator.md`` that list keys, by their heading, and whose keys they are.
MODELS = {
    "The file": Scenario.model_fields,
    "Regions and OpenAI": Target.model_fields,
    "Regions only": {n: f for n, f in Region.model_fields.items() if n not in Target.model_fields},
    "Latency": Latency.model_fields,
    "Every fault": Fault.model_fields,
}
#: What the README's programs print: the text of an answer, or an id, a region and a status.
PRINTED = re.compile(rf'{prompt_digest("Hello")} You asked: "Hello"\. .+|[0-5] eastus 200')
NOTHING = {"none", "no limit", "all defaults", "what the model is known for; 60 for others"}


def blocks(page, language):
    """The code blocks of a page in one language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def table(page, heading):
    """The cells of the table under a heading, without those of its own head."""
    text = page.read_text(encoding="utf-8")
    _, found, below = text.partition(f"# {heading}\n")
    assert found, f"{page.name} has no heading {heading!r}"
    lines = re.split(r"^#+ ", below, maxsplit=1, flags=re.MULTILINE)[0].splitlines()
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def in_code(cell):
    """The word that a cell holds in backquotes; None for a dash."""
    return None if cell == "—" else cell.strip("`")


def spelled(field):
    """A default as TOML can hold it; None where there is none."""
    value = field.get_default(call_default_factory=True)
    if isinstance(value, enum.Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def told(cell):
    """The default that a cell names."""
    return tomllib.loads(f"x = {cell.strip('`')}")["x"] if cell.startswith("`") else cell


def agrees(cell, field):
    """Whether a cell says what the default of a field is."""
    if field.is_required():
        return cell == "required"
    value = spelled(field)
    if value is None or isinstance(value, Latency):
        return cell in NOTHING
    return type(told(cell)) is type(value) and told(cell) == value


def own_fields(kind):
    """The keys that a kind of fault has beside those of every fault."""
    fields = KINDS[kind].model_fields
    return {name: field for name, field in fields.items() if name not in Fault.model_fields}


@pytest.mark.parametrize("heading", MODELS)
def test_every_key_of_a_scenario_is_documented_and_no_other(heading):
    documented = [in_code(row[0]) for row in table(SIMULATOR, heading)]

    assert documented == [field.alias or name for name, field in MODELS[heading].items()]


@pytest.mark.parametrize("heading", MODELS)
def test_the_default_of_every_key_is_that_of_the_code(heading):
    fields = {field.alias or name: field for name, field in MODELS[heading].items()}
    rows = {in_code(key): default for key, _, default in table(SIMULATOR, heading)}
    wrong = {key: default for key, default in rows.items() if not agrees(default, fields[key])}

    assert wrong == {}


def test_every_kind_of_fault_is_documented_with_its_own_keys_and_no_other():
    documented = [(in_code(kind), in_code(key)) for kind, key, *_ in table(SIMULATOR, "Kinds")]

    assert documented == [(kind, key) for kind in KINDS for key in [*own_fields(kind)] or [None]]


def test_the_default_of_every_key_of_a_fault_is_that_of_the_code():
    rows = [row for row in table(SIMULATOR, "Kinds") if in_code(row[1])]
    wrong = [
        row for row in rows if not agrees(row[3], own_fields(in_code(row[0]))[in_code(row[1])])
    ]

    assert rows
    assert wrong == []


def test_every_marker_is_documented_and_no_other():
    markers = {text for name, text in vars(order).items() if name.endswith("_MARKER")}

    assert {in_code(row[0]) for row in table(SIMULATOR, "Markers")} == markers


def test_every_way_of_counting_is_documented_and_no_other():
    documented = [told(row[0]) for row in table(SIMULATOR, "How it counts")]

    assert documented == [counting.value for counting in Counting]


def test_every_field_of_the_statistics_is_documented_and_no_other():
    documented = [in_code(row[0]) for row in table(SIMULATOR, "Statistics")]

    assert documented == list(Tally().snapshot())


@pytest.mark.parametrize("text", blocks(SIMULATOR, "toml"))
def test_every_scenario_in_the_documents_is_valid(text):
    assert parse(text).regions


def test_there_are_scenarios_and_programs_in_the_documents():
    assert blocks(SIMULATOR, "toml")
    assert blocks(README, "python")


def command_lines(page):
    """The arguments of every call of ``batchrunner`` in the shell blocks of a page."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.shlex(line, posix=True, punctuation_chars=True)
            words.whitespace_split = True
            yield from _calls(list(words))


def _calls(words):
    """Split a line at ``&&``, ``;`` and pipes; keep what calls ``batchrunner``."""
    ends = [at for at, word in enumerate(words) if set(word) <= set("();<>|&")]
    for start, end in pairwise([-1, *ends, len(words)]):
        call = list(dropwhile(lambda word: "=" in word, words[start + 1 : end]))
        if call[1:3] == ["-m", "batchrunner"]:
            yield call[3:]
        elif call and Path(call[0]).name == "batchrunner":
            yield call[1:]


COMMAND_LINES = [
    pytest.param(arguments, id=f"{page.name}: {shlex.join(arguments)}")
    for page in PAGES
    for arguments in command_lines(page)
]


@pytest.mark.parametrize("arguments", COMMAND_LINES)
def test_every_command_line_has_only_commands_and_options_that_exist(arguments):
    command: Any = typer.main.get_command(app)
    name, *rest = _name_scenario(arguments)
    if rest == ["--help"]:
        assert name in command.commands
        return
    command.commands[name].make_context(name, rest)  # parses, and calls nothing


def test_there_are_command_lines_in_the_documents():
    assert len(COMMAND_LINES) > 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    near = [link for link in links if not re.match(r"[a-z]+:|#", link)]
    broken = [link for link in near if not (page.parent / link.partition("#")[0]).exists()]

    assert broken == []


def test_every_link_within_the_page_leads_to_a_heading():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}

        assert set(re.findall(r"\]\(#([^)\s]+)\)", text)) <= anchors


@pytest.fixture
def clean(tmp_path, monkeypatch):
    """An empty directory, and no variables that name regions."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("AZURE_", "OPENAI_", "BATCHRUNNER_")):
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.socket
@pytest.mark.parametrize("code", blocks(README, "python"))
async def test_the_python_of_the_readme_runs_and_prints_a_line_for_each_answer(code, clean):
    region = {"name": "eastus", "key": "k1", **quick()}
    async with serve(validate({"regions": [region], "openai": quick()})) as simulation:
        for name, value in simulation.environ().items():
            clean.setenv(name, value)
        with anyio.fail_after(60):
            done = await anyio.run_process(
                [sys.executable, "-W", "error", "-c", code], check=False
            )
    answered = sum(target["ok"] for target in simulation.statistics().values())

    assert (done.returncode, done.stderr) == (0, b"")
    printed = done.stdout.decode().splitlines()
    assert len(printed) == answered > 0
    assert [line for line in printed if not PRINTED.fullmatch(line)] == []


def exit_codes():
    """Those of the README's table, as numbers."""
    text = README.read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\d /]+) \| .+ \|$", text, re.MULTILINE)
    return [int(code) for row in rows for code in row.split("/")]


def test_the_exit_codes_of_the_readme_are_those_of_the_errors_and_of_a_run_that_ends():
    raised = {
        thing.exit_code
        for thing in vars(errors).values()
        if isinstance(thing, type)
        and issubclass(thing, errors.BatchrunnerError)
        and thing is not errors.BatchrunnerError
    }
    ended = {0, 1, 7, 130, 143}  # see Summary.exit_code and Supervisor

    assert sorted(exit_codes()) == sorted(raised | ended)


def test_every_module_that_is_named_exists():
    package = Path(batchrunner.__file__).parent
    named = set(re.findall(r"`([\w/]+(?:\.py|/))`", HOW.read_text(encoding="utf-8")))

    assert {"pool.py", "policy/", "policy/quota.py"} <= named
    assert {name for name in named if not (package / name).exists()} == set()


def test_every_module_of_the_policy_has_its_place_in_the_order_of_reading():
    package = Path(batchrunner.__file__).parent
    modules = {f"policy/{path.name}" for path in (package / "policy").glob("[!_]*.py")}
    listed = [in_code(row[0]) for row in table(HOW, "The order of reading")]

    assert {name for name in listed if name.startswith("policy/")} == modules


def test_the_table_of_outcomes_has_a_row_for_every_verdict_under_its_name():
    rows = table(HOW, "Whose fault an outcome is")

    outcomes = {cls.__name__: cls.outcome for cls in get_args(Verdict)}
    documented = {in_code(verdict): in_code(outcome) for verdict, outcome, *_ in rows}

    assert documented.keys() == outcomes.keys()
    fixed = {name: text for name, text in outcomes.items() if isinstance(text, str)}
    assert {name: documented[name] for name in fixed} == fixed
