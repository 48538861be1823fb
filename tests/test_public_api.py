"""What ``import batchrunner`` gives, and what it does not load."""

import subprocess
import sys
from importlib.resources import files

import pytest

import batchrunner

HEAVY = ("openai", "aiohttp", "pydantic", "anyio", "orjson", "httpx2", "typer", "rich", "uvicorn")


def test_the_public_names_are_sorted():
    assert batchrunner.__all__ == sorted(batchrunner.__all__)


def test_the_public_names_are_those_of_the_contract():
    assert set(batchrunner.__all__) == {
        *("call_completion", "call_completion_async", "run", "run_async", "stream"),
        *("Job", "Result", "Settings"),
    }


@pytest.mark.parametrize("name", batchrunner.__all__)
def test_every_public_name_can_be_imported(name):
    found = getattr(batchrunner, name)

    assert found.__name__ == name
    assert found.__module__ == f"batchrunner.{batchrunner._HOME[name]}"
    assert found.__doc__


def test_a_star_imports_them_all():
    names = {}
    exec("from batchrunner import *", names)  # noqa: S102

    assert set(batchrunner.__all__) <= set(names)


def test_other_names_do_not_exist():
    with pytest.raises(AttributeError, match="module 'batchrunner' has no attribute 'nonsense'"):
        batchrunner.nonsense  # noqa: B018


def test_importing_loads_nothing_heavy():
    script = f"import sys, batchrunner; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", script],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "[]\n"


def test_types_are_shipped():
    assert (files(batchrunner) / "py.typed").is_file()
