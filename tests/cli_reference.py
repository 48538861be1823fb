"""Writes ``docs/cli.md`` from the command line itself: ``python -m tests.cli_reference``."""

import inspect
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Literal, Union, get_args, get_origin, get_type_hints

import typer.main

from batchrunner.cli.app import app
from batchrunner.config import PREFIX
from batchrunner.settings import OPTIONS

PAGE = Path(__file__).parent.parent / "docs" / "cli.md"
HEAD = """\
# The command line

This page is made from the program: `python -m tests.cli_reference` writes it.
`batchrunner COMMAND --help` says the same. Data goes to standard output and talk to standard
error; `-` is standard input or output. A variable, in the environment or in `.env`, stands for
its option; the option wins.
"""
CODES = """\
## Exit codes

The same for every command; where one means something of its own by a code, its text says so.

| code | meaning |
|---|---|
"""
#: what a type of the command line is called here
KINDS = {str: "text", int: "integer", float: "number", Path: "file"}
_DEFAULT = re.compile(r"(?P<help>.*?)\s+\[(?:default: )?(?P<default>[^\[\]]+)\]", re.DOTALL)


def group():
    """The program, as click sees it."""
    return typer.main.get_command(app)


def commands(it=None, path=("batchrunner",)) -> Iterator[tuple]:
    """Every command with its whole name, those of sub-commands too; groups are none."""
    it = it or group()
    for name in it.list_commands(None):
        command = it.commands[name]
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        elif not command.hidden:
            yield " ".join((*path, name)), command


def arguments(command):
    return [p for p in command.params if p.param_type_name == "argument" and not p.hidden]


def options(command):
    """Its options, but for ``--help``."""
    given = [p for p in command.params if p.param_type_name == "option"]
    return [p for p in given if not p.hidden and "--help" not in p.opts]


def page():
    """The whole page."""
    everything = list(commands())
    listed = "".join(
        f"| [`{name}`](#{name.replace(' ', '-')}) | {cell(first_sentence(command.help or ''))} |\n"
        for name, command in everything
    )
    parts = [
        HEAD,
        f"| command | what it does |\n|---|---|\n{listed}",
        *(section(name, command) for name, command in everything),
        CODES + "".join(f"| {code} | {cell(meaning)} |\n" for code, meaning in exit_codes()),
    ]
    return "\n".join(parts)


def exit_codes():
    """The codes that ``batchrunner --help`` ends with."""
    codes, _, _ = group().epilog.removeprefix("Exit codes: ").partition(". ")
    return [part.split(" ", 1) for part in codes.split(", ")]


def section(name, command):
    """One command: what it does, its usage, arguments and options."""
    takes = " ".join(usage(argument) for argument in arguments(command))
    text = [
        f"## {name}\n",
        plain(command.help or ""),
        f"```text\n{name} [OPTIONS] {takes}".rstrip(),
    ]
    parts = [text[0], text[1] + "\n", text[2] + "\n```\n"]
    if rows := [argument_row(it) for it in arguments(command)]:
        parts.append("| argument | meaning |\n|---|---|\n" + "".join(rows))
    kinds = hints(command)
    if rows := [option_row(it, kinds[it.name]) for it in options(command)]:
        head = "| option | value | default | variable | meaning |\n|---|---|---|---|---|\n"
        parts.append(head + "".join(rows))
    return "\n".join(parts)


def usage(argument):
    name = argument.metavar or argument.name.upper()
    name = name if argument.required or name.startswith("[") else f"[{name}]"
    return name + (" …" if argument.nargs == -1 else "")


def argument_row(argument):
    return f"| `{usage(argument)}` | {cell(getattr(argument, 'help', None) or '')} |\n"


def option_row(option, kind):
    help_, default = told(option)
    cells = [
        ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts]),
        value(option, kind),
        default and f"`{default}`" if option.default not in (None, False) else default or "",
        f"`{PREFIX}{option.name.upper()}`" if variable(option) else "",
        help_,
    ]
    return "| " + " | ".join(cell(text) for text in cells) + " |\n"


def told(option):
    """What its help says, and the default that it ends with, or that is known."""
    help_ = " ".join((option.help or "").split("\n"))
    if match := _DEFAULT.fullmatch(help_):
        return match["help"], match["default"]
    if option.required:
        return help_, "required"
    default = option.default
    if callable(default) or default in (None, False, True, (), []):
        return help_, ""
    return help_, str(getattr(default, "value", default))


def value(option, kind):
    """What is written behind an option of an annotated type; nothing behind a flag."""
    type_, info = get_args(kind)[:2] if hasattr(kind, "__metadata__") else (kind, None)
    types = single(type_)
    if types == [bool]:
        return ""
    choices = [each for it in types for each in chosen(it)]
    if choices:
        text = " or ".join(f"`{choice}`" for choice in choices)
    else:
        text = option.metavar or " ".join(KINDS.get(it, it.__name__) for it in types)
        text += bounds(info)
    return f"{text}, repeatable" if option.multiple else text


def single(type_):
    """The types of one value: without None, and of a list or a tuple those in it."""
    if isinstance(type_, UnionType) or get_origin(type_) is Union:
        [type_] = [it for it in get_args(type_) if it is not NoneType]
    return [*get_args(type_)] if get_origin(type_) in (list, tuple) else [type_]


def chosen(type_):
    """The values of which one is to be chosen."""
    if get_origin(type_) is Literal:
        return get_args(type_)
    return (
        [it.value for it in type_] if isinstance(type_, type) and issubclass(type_, Enum) else ()
    )


def bounds(info):
    """From where to where a number may lie."""
    low, high = getattr(info, "min", None), getattr(info, "max", None)
    if low is None and high is None:
        return ""
    return f" {'' if low is None else low}..{'' if high is None else high}"


def hints(command):
    """The annotations of its parameters, with what ``Annotated`` adds."""
    return get_type_hints(inspect.unwrap(command.callback), include_extras=True)


def variable(option):
    """Whether it is a setting: it has the name of one, and the words that ``run`` has for it."""
    run = {it.name: it.help for it in options(group().commands["run"])}
    return option.name in OPTIONS and run.get(option.name) == option.help


def first_sentence(text):
    return re.split(r"(?<=[.:])\s", plain(text).replace("\n", " "))[0].rstrip(":")


def plain(text):
    """A help text without the marks that only click knows."""
    return text.replace("\b", "").partition("\f")[0].strip()


def cell(text):
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ").strip()


def main():
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
