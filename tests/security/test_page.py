"""The page about faults names tests that exist, and leaves no row open."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
PAGE = TESTS.parent / "docs" / "reliability-network.md"
TEXT = PAGE.read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \| (.+) \|$", TEXT, re.MULTILINE)
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", TEXT)))
WITHOUT = {"10", "11", "12"}  # what they speak of does not exist


@cache
def names_in(path):
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, functions)}


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_every_test_that_is_named_exists(path, name):
    assert name in names_in(path)


def test_every_row_is_there_and_names_its_test():
    assert [int(number) for number, _ in ROWS] == [*range(48, 76), *range(1, 21)]
    for number, row in ROWS:
        assert ("::test_" in row) is (number not in WITHOUT)
