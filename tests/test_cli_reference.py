"""The command line is documented as it is, and every command is one that scripts can rely on."""

import ast
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import pytest
import typer
import typer.main

from batchrunner.cli.app import ORDER
from tests import cli_reference
from tests.cli_reference import PAGE, arguments, commands, option_row, options, page

TESTS = Path(__file__).parent
COMMANDS = dict(commands())
#: commands without ``--json``, and why
NO_JSON = {"batchrunner simulate": "it prints lines for a .env file, and serves until it is ended"}
EACH = pytest.mark.parametrize("name", COMMANDS)


def test_the_page_is_what_the_program_says():
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "docs/cli.md is not what the command line is: python -m tests.cli_reference writes it"
    )


@EACH
def test_every_command_says_what_it_does(name):
    assert (COMMANDS[name].help or "").strip()


@EACH
def test_every_option_and_argument_says_what_it_means(name):
    command = COMMANDS[name]
    silent = [p.opts for p in [*options(command), *arguments(command)] if not p.help]

    assert silent == []


@EACH
def test_every_command_has_json_or_a_reason(name):
    names = {opt for option in options(COMMANDS[name]) for opt in option.opts}

    assert ("--json" in names) is (name not in NO_JSON)


# --- every command is run by a test, the way that a user does


@cache
def trees():
    """The tests, read."""
    return [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(TESTS.rglob("*.py"))]


def called(call):
    """The name of what is called."""
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def names_called(tree):
    return {called(node) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def opens_the_door(function):
    """Whether it calls the program itself: ``main`` of the command line, or ``-m batchrunner``."""
    texts = [node.value for node in ast.walk(function) if isinstance(node, ast.Constant)]
    return "main" in names_called(function) or {"-m", "batchrunner"} <= {*map(str, texts)}


@cache
def doors():
    """The functions and fixtures of the tests that call the program, directly or by another."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    functions = [n for tree in trees() for n in ast.walk(tree) if isinstance(n, kinds)]
    found = {"main"} | {function.name for function in functions if opens_the_door(function)}
    helpers = [f for f in functions if not f.name.startswith("test_")]
    found |= {f.name for f in helpers if names_called(f) & found}
    return found


def words(call):
    """The texts among the arguments of a call, also in lists."""
    parts = [part for argument in call.args for part in ast.walk(argument)]
    return [part.value for part in parts if isinstance(part, ast.Constant)]


@cache
def calls():
    """The texts of every call of the program."""
    nodes = [node for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [words(node) for node in nodes if called(node) in doors()]


@EACH
def test_every_command_is_run_from_the_front_door_by_some_test(name):
    *_, verb = name.split()

    assert [call for call in calls() if verb in call]


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in NO_JSON])
def test_the_json_of_every_command_is_asked_for_by_some_test(name):
    *_, verb = name.split()

    assert [call for call in calls() if verb in call and "--json" in call]


def test_a_call_of_the_program_is_told_from_other_calls():
    assert {"main", "batchrunner", "command", "start"} <= doors()
    assert "json" not in doors()
    assert not [call for call in calls() if "no-such-command" in call]


# --- the page, of whatever commands there may be

example = typer.Typer()
inner = typer.Typer()
example.add_typer(inner, name="ctl")


@example.command()
def first(  # noqa: PLR0913
    output: Annotated[str, typer.Argument(metavar="OUTPUT", help="results | more")],
    ids: Annotated[list[str] | None, typer.Argument(help="of jobs")] = None,
    *,
    only: Annotated[list[str] | None, typer.Option(metavar="WHAT", help="a <filter>")] = None,
    kind: Annotated[Literal["a", "b"] | None, typer.Option(help="which  [a]")] = None,
    port: Annotated[int, typer.Option(min=0, max=9, help="where")] = 8,
    pair: Annotated[tuple[int, int] | None, typer.Option(help="two")] = None,
    needed: Annotated[float, typer.Option("-n", "--needed", help="must be")],
    flag: Annotated[bool, typer.Option("--flag/--no-flag", help="or not")] = False,
    bare: int = 3,
) -> None:
    """Does this. And that."""


@inner.command()
def pause() -> None:
    """Stop for a while."""


def test_any_command_and_option_can_be_told():
    found = dict(commands(typer.main.get_command(example)))
    command = found["batchrunner first"]
    kinds = cli_reference.hints(command)
    rows = {option.name: option_row(option, kinds[option.name]) for option in options(command)}
    text = cli_reference.section("batchrunner first", command)

    assert list(found) == ["batchrunner first", "batchrunner ctl pause"]
    assert "batchrunner first [OPTIONS] OUTPUT [IDS] …" in text
    assert "| `OUTPUT` | results \\| more |" in text
    assert rows == {
        "only": "| `--only` | WHAT, repeatable |  |  | a &lt;filter> |\n",
        "kind": "| `--kind` | `a` or `b` | a |  | which |\n",
        "port": "| `--port` | integer 0..9 | `8` |  | where |\n",
        "pair": "| `--pair` | integer integer |  |  | two |\n",
        "needed": "| `-n`, `--needed` | number | required |  | must be |\n",
        "bare": "| `--bare` | integer | `3` |  |  |\n",
        "flag": "| `--flag`, `--no-flag` |  |  |  | or not |\n",
    }


def test_every_command_has_its_place_and_a_first_sentence_that_is_shown_whole():
    help_ = cli_reference.group().get_help(typer.Context(cli_reference.group()))

    assert [name.split()[1] for name in COMMANDS] == list(ORDER)
    assert "..." not in help_.partition("Commands:")[2]


def names_of(command):
    return {option.name for option in COMMANDS[f"batchrunner {command}"].params}


def test_whoever_puts_plan_in_the_place_of_run_need_change_nothing_else():
    assert names_of("plan") - names_of("run") == {"like", "probe"}
    assert names_of("run") <= names_of("plan")


def test_a_retry_takes_no_option_that_run_does_not_know_but_which_jobs_of_what():
    assert names_of("retry") - names_of("run") == {"only", "dry_run"}
