"""Coroutine tests run on a virtual clock: waiting costs nothing, and deadlocks are errors."""

import asyncio
import os

import pytest
import trustme

from tests.virtual import VirtualLoop


def pytest_asyncio_loop_factories(item):
    """Only tests marked ``socket`` meet the real clock."""
    real = item.get_closest_marker("socket")
    return {"real": asyncio.SelectorEventLoop} if real else {"virtual": VirtualLoop}


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture
def ca_file(authority, tmp_path):
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


FOREIGN = ("AZURE_", "OPENAI_", "BATCHRUNNER_")  #: variables that a run would heed


@pytest.fixture
def clean(tmp_path, monkeypatch):
    """An empty directory, and no variables that name regions."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture
def front_door(clean, capfd):  # noqa: ARG001 - that is where it is
    """Run the command line; returns exit code, standard output and standard error."""
    from batchrunner.cli import main

    def run(*arguments):
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return ended.value.code, out, err

    return run
