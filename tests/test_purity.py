"""What decides does not wait, read clocks or draw chance; and tests take nothing apart."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.test_layers import MODULES, internal_imports, tree_of

PURE = [
    *(name for name in MODULES if name.split(".")[0] == "policy"),
    "caps",
    "config",
    "deadline",
    "eta",
    "prices",
    "problems",
    "rates",
    "spending",
    "targets",
    "doctor.cautions",
    "doctor.diagnosis",
    "doctor.examination",
    "doctor.variables",
    "stats",
    "summary",
    "timeline",
    "inputs.dialect",
    "inputs.jsonl",
    "inputs.request",
    "inputs.sameness",
    "growth",
    "meanings",
    "orders",
    "outputs.index",
    "outputs.lines",
    "planning.latency",
    "planning.limits",
    "planning.spread",
    "report.charts",
    "report.figures",
    "report.regions",
    "report.remedies",
    "selection",
    "simulator.limits",
    "tables.columns",
    "tables.schema",
    "views.state",
    "views.words",
]
IMPURE = {
    "aiofiles",
    "anyio",
    "asyncio",
    "concurrent",
    "datetime",
    "io",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "selectors",
    "shutil",
    "socket",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib.request",
}
IMPURE_CALLS = {"open", "print", "input", "breakpoint", "__import__", "exec", "eval"}
# types, in annotations or for what can be made of texts
NAMED_ONLY = {
    ("summary", "pathlib"): {"Path"},
    ("planning.latency", "random"): {"Random"},
    ("deadline", "datetime"): {"date", "datetime", "time", "tzinfo"},
}


def leaned_on(names):
    """The modules and all that they import of the package, however deep."""
    found, open_ = set(), list(names)
    while open_:
        name = open_.pop()
        if name not in found:
            found.add(name)
            open_ += internal_imports(name)
    return sorted(found)


def external_imports(tree):
    """Every foreign module that is imported, with the names taken from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, set()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module, {alias.name for alias in node.names}


def calls(tree):
    """The plain names that are called."""
    return {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


@pytest.mark.parametrize("name", leaned_on(PURE))
def test_a_pure_module_and_all_it_leans_on_imports_nothing_impure(name):
    tree = tree_of(name)
    for module, taken in external_imports(tree):
        if taken and taken == NAMED_ONLY.get((name, module)):
            assert not taken & calls(tree), f"{name} makes a {taken}"
            continue
        assert not {module, module.partition(".")[0]} & IMPURE, f"{name} imports {module}"
    assert not calls(tree) & IMPURE_CALLS


@pytest.mark.parametrize("name", leaned_on(PURE))
def test_a_pure_module_never_waits(name):
    waiting = (ast.Await, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith)

    assert not [node.lineno for node in ast.walk(tree_of(name)) if isinstance(node, waiting)]


# --- the tests themselves

TESTS = Path(__file__).parent
FILES = {str(path.relative_to(TESTS)): path for path in sorted(TESTS.rglob("*.py"))}

# A test that has to put something in the place of a part of the package says here why.
PATCHED = {
    "outputs/test_crash.py": "plants bugs, to show that the tests of crashes find them",
    "outputs/test_lines.py": "a line of the greatest length takes seconds to make",
    "test_completion.py": "azure-identity is an extra, and need not be installed",
    "test_transport.py": "a connection grows old in a quarter of a minute",
    "test_wire.py": "a body of the greatest size takes seconds",
    "test_wire_requests.py": "the SDK's cold start is counted",
}


def bound(tree):
    """The names that a file imports, and the module that each comes from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def sleeps(tree):
    """Where real time is slept away."""
    names = dict(bound(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            first, _, rest = ast.unparse(node.func).partition(".")
            if f"{names.get(first, '')}.{rest}".strip(".") == "time.sleep":
                yield node.lineno


def patches(tree):
    """Where something of the package is replaced; what cannot be told apart counts too."""
    names = dict(bound(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        if ast.unparse(node.func) in ("monkeypatch.setattr", "monkeypatch.delattr"):
            target = node.args[0]
            is_text = isinstance(target, ast.Constant)
            origin = target.value if is_text else names.get(root(target), "batchrunner")
            if origin.startswith(("batchrunner", "tests")):
                yield node.lineno


def root(node):
    """The name that an expression such as ``a.b().c`` begins with."""
    while not isinstance(node, ast.Name):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id


@cache
def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_no_test_sleeps(path):
    assert not list(sleeps(parse(path)))


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_no_test_uses_mocks(path):
    imported = [module for module, _ in external_imports(parse(path))]

    assert not [m for m in imported if m.startswith(("unittest", "mock", "pytest_mock"))]


@pytest.mark.parametrize("file", FILES)
def test_a_test_replaces_parts_of_the_package_only_with_a_reason(file):
    found = list(patches(parse(FILES[file])))

    assert bool(found) == (file in PATCHED), f"{file} patches in lines {found}"


def test_sleeps_and_patches_are_found_however_they_are_written():
    tree = ast.parse(
        "import time, os\n"
        "import time as t\n"
        "from time import sleep as nap\n"
        "from batchrunner import wire\n"
        "time.sleep(1)\n"
        "t.sleep(1)\n"
        "nap(1)\n"
        "anyio.sleep(1)\n"
        "monkeypatch.setattr(wire, 'X', 1)\n"
        "monkeypatch.setattr(wire.Wire, 'X', 1)\n"
        "monkeypatch.setattr('batchrunner.wire.X', 1)\n"
        "monkeypatch.setattr(something, 'X', 1)\n"
        "monkeypatch.delattr(wire, 'X')\n"
        "monkeypatch.setattr(os, 'environ', {})\n"
        "monkeypatch.setattr('os.environ', {})\n"
        "monkeypatch.setattr(os.get().it, 'X', 1)\n"
    )

    assert list(sleeps(tree)) == [5, 6, 7]
    assert list(patches(tree)) == [9, 10, 11, 12, 13]
