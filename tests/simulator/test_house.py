"""The simulator stands alone, and its scenario for demonstrations shows what it should."""

import ast
import asyncio
from pathlib import Path

import orjson
import pytest

import batchrunner.simulator as package
from batchrunner.simulator import Simulator, load
from tests.simulator.talk import azure, chat, plain, quick, raw, simulator

FOLDER = Path(package.__file__).parent
MODULES = sorted(FOLDER.glob("*.py"))


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_nothing_else_of_the_package_is_used(path):
    assert not [name for name in imports(path) if name.startswith(("batchrunner", ".."))]


PURE = ["limits", "scenario", "latency", "faults", "text", "shapes"]
PURE += ["order", "chat", "responses", "embeddings", "operations", "completion"]


@pytest.mark.parametrize("stem", PURE)
def test_decisions_neither_wait_nor_read_clocks_or_files(stem):
    impure = {"asyncio", "anyio", "time", "datetime", "os", "io", "pathlib", "socket", "logging"}

    assert not impure & set(imports(FOLDER / f"{stem}.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_only_the_server_knows_the_real_time_and_real_sockets(path):
    real = {"time", "datetime", "socket", "uvicorn"} & set(imports(path))

    assert not real or path.stem == "server"


def test_public_names_are_sorted_and_there():
    assert package.__all__ == sorted(package.__all__)
    assert all(hasattr(package, name) for name in package.__all__)


async def test_statistics_are_read_over_http_too():
    app = simulator(quick(), openai=quick())
    await azure(app)
    await plain(app)
    heard = await raw(app, "/statistics", b"", {}, method="GET")

    assert heard.json == orjson.loads(orjson.dumps(app.statistics()))
    assert [heard.json[name]["ok"] for name in ("eastus", "openai")] == [1, 1]


async def test_asking_for_statistics_does_not_start_the_clock():
    app = simulator(quick(faults=[{"kind": "outage", "until": 1}]))
    await raw(app, "/statistics", b"", {}, method="GET")
    await asyncio.sleep(100)

    assert (await azure(app)).status == 503


async def run_default(jobs):
    """All jobs of the scenario that is shipped, by a client that comes again when it is told."""
    app = Simulator(load())
    keys = {region.name: region.key for region in app.scenario.regions}
    shut = dict.fromkeys([*keys, "openai"], 0.0)
    loop, statuses = asyncio.get_running_loop(), []

    async def send(name, prompt):
        if name == "openai":
            key = app.scenario.openai.key
            return await plain(app, {"model": "gpt-4o-mini", **chat(prompt)}, key=key)
        return await azure(app, chat(prompt), region=name, key=keys[name])

    async def job(number):
        while True:
            name = min(shut, key=lambda one: max(shut[one], loop.time()))
            await asyncio.sleep(max(0.0, shut[name] - loop.time()))
            heard = await send(name, f"job {number}")
            statuses.append(heard.status)
            if heard.status == 200:
                return
            wait = float(heard.headers.get("retry-after-ms", "1000")) / 1000
            shut[name] = max(shut[name], loop.time() + wait)

    await asyncio.gather(*(job(number) for number in range(jobs)))
    return app, loop.time(), statuses


async def test_the_shipped_scenario_keeps_300_jobs_busy_for_a_quarter_of_a_minute():
    app, seconds, statuses = await run_default(300)
    counts = app.statistics()

    assert 10 < seconds < 30
    assert statuses.count(200) == 300
    assert all(one["throttled"]["requests"] for one in counts.values())
    assert counts["westeurope"]["errors"]["503"]
    assert 10 <= counts["openai"]["ok"] <= 90
