"""The pages about faults and threats name tests that exist, and leave no row open."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
DOCS = TESTS.parent / "docs"
PAGES = {
    name: (DOCS / name).read_text(encoding="utf-8") for name in ("reliability.md", "security.md")
}
ROW = re.compile(r"^\| (\d+) \| (.+\|.+\|.+) \|$", re.MULTILINE)
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", "".join(PAGES.values()))))


@cache
def names_in(path):
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, functions)}


@pytest.mark.parametrize(("path", "name"), [(p, n) for p, n in NAMED if n], ids=str)
def test_every_test_that_is_named_exists(path, name):
    assert name in names_in(path)


@pytest.mark.parametrize(("page", "last"), [("reliability.md", 101), ("security.md", 26)])
def test_every_row_is_there_and_names_its_test(page, last):
    rows = ROW.findall(PAGES[page])
    assert [int(number) for number, _ in rows] == list(range(1, last + 1))
    for number, row in rows:
        assert "test_" in row, f"row {number} of {page} names no test"
