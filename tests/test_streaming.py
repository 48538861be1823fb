"""Results as they come, from regions on real sockets."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, aclosing
from datetime import date

import pytest

from batchrunner import Settings, stream
from batchrunner.config import read_settings
from batchrunner.errors import ConfigError, InputError, NoTargetError
from batchrunner.simulator import prompt_digest, validate
from batchrunner.simulator.server import serve
from tests.faultserver import faulty, reply
from tests.simulator.talk import quick

pytestmark = pytest.mark.socket


@pytest.fixture
async def simulate():
    """Settings for one simulated region, and the simulation."""
    async with AsyncExitStack() as stack:

        async def simulate(region=None, **options):
            table = {"regions": [quick(name="eastus") | (region or {})]}
            simulation = await stack.enter_async_context(serve(validate(table)))
            given = {"model": "gpt-4o-mini"} | options
            return read_settings(given, simulation.environ(), {}), simulation

        yield simulate


def prompts(count):
    return [{"id": f"job-{n}", "prompt": f"prompt {n}"} for n in range(count)]


def settings_for(server, **options):
    environ = {"AZURE_OPENAI_API_KEY_1": "k", "AZURE_OPENAI_ENDPOINT_1": server.url}
    return read_settings({"model": "m", **options}, environ, {})


async def test_every_line_is_answered_once(simulate):
    settings, simulation = await simulate(concurrency=7)
    results = [result async for result in stream(prompts(100), settings)]

    assert sorted(result.job.ordinal for result in results) == list(range(100))
    for result in results:
        assert result.job.id == f"job-{result.job.ordinal}"
        assert prompt_digest(f"prompt {result.job.ordinal}").encode() in result.reply.body
        assert result.failure is None
    seen = simulation.statistics()["eastus"]
    assert (seen["calls"], seen["ok"]) == (100, 100)
    assert 1 < seen["peak_in_flight"] <= 7


async def test_a_line_is_what_a_line_of_a_file_may_be(simulate):
    settings, _ = await simulate()
    body = {"messages": [{"role": "user", "content": "x"}], "model": "gpt-4o"}
    batch = {"custom_id": "b", "method": "POST", "url": "/v1/chat/completions", "body": body}
    results = [result async for result in stream([batch, body, {"prompt": "y"}], settings)]

    named = {result.job.id: result.job.model for result in results}
    assert named == {"b": "gpt-4o", "1": "gpt-4o", "2": "gpt-4o-mini"}


async def test_results_come_in_the_order_of_the_answers():
    """The first line is answered last."""
    others = asyncio.Event()

    async def behave(line, heard):
        if b"slow" in heard.body:
            await others.wait()
        await line.say(reply())

    seen = []
    async with faulty(behave) as server:
        lines = [{"prompt": "slow"}, {"prompt": "a"}, {"prompt": "b"}]
        async for result in stream(lines, settings_for(server, concurrency=2)):
            seen.append(result.job.ordinal)
            if len(seen) == 2:
                others.set()

    assert seen == [1, 2, 0]


async def test_no_lines_no_results(simulate):
    settings, simulation = await simulate()

    assert [result async for result in stream([], settings)] == []
    assert simulation.statistics()["eastus"]["calls"] == 0


async def test_lines_are_taken_when_there_is_a_worker_for_them(simulate):
    settings, _ = await simulate(concurrency=3)
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield {"prompt": "x"}

    async with aclosing(stream(endless(), settings)) as results:
        count = 0
        async for _ in results:
            count += 1
            assert taken <= count + 2 * 3
            if count == 50:
                break


async def test_a_failed_job_is_a_result(simulate):
    settings, _ = await simulate({"faults": [{"kind": "filter", "marker": "1"}]})
    results = [result async for result in stream(prompts(3), settings)]

    failed = Counter(result.failure.code if result.failure else None for result in results)
    assert failed == {None: 2, "content_filter": 1}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"id": "x"}, "line 3: "),
        ({"prompt": "x", "api_key": "k"}, "line 3: .*api_key"),
        ("no object", "line 3: "),
        (None, "line 3: "),
        ({"prompt": "x", "when": date(2020, 1, 1)}, None),
        ({"prompt": "x", "tags": {1, 2}}, "line 3: .*set"),
        ({"prompt": "x", "seed": 1 << 70}, "line 3: "),
        ({1: "prompt"}, "line 3: "),
        ({"prompt": "\ud800"}, "line 3: "),
    ],
    ids=str,
)
async def test_a_line_that_is_no_job_is_an_error(simulate, bad, message):
    settings, _ = await simulate(concurrency=2)
    lines = [*prompts(2), bad, *prompts(5)]
    if message is None:
        assert len([result async for result in stream(lines, settings)]) == len(lines)
        return
    with pytest.raises(InputError, match=f"^{message}"):
        async for _ in stream(lines, settings):
            pass


async def test_who_leaves_early_sends_nothing_more():
    first = asyncio.Event()

    async def behave(line, _):
        if first.is_set():
            await line.wait()
        first.set()
        await line.say(reply())

    async with faulty(behave) as server:
        lines = ({"prompt": str(n)} for n in range(1000))
        async with aclosing(stream(lines, settings_for(server, concurrency=5))) as results:
            async for _ in results:
                break
        sent = len(server.heard)
        await asyncio.sleep(0.05)  # what is in flight would arrive now
        assert len(server.heard) == sent <= 2 * 5
        assert next(lines)


async def test_an_error_in_the_loop_is_raised_as_it_is(simulate):
    settings, _ = await simulate()

    async def stumble():
        async with aclosing(stream(prompts(100), settings)) as results:
            async for _ in results:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await stumble()


@pytest.mark.parametrize("region", [{"env_key": "wrong"}, {"deployments": ["other"]}], ids=str)
async def test_no_region_left_is_an_error(simulate, region):
    settings, _ = await simulate(region)
    with pytest.raises(NoTargetError, match="no region is left"):
        async for _ in stream(prompts(50), settings):
            pass


async def test_nowhere_to_send_is_an_error():
    with pytest.raises(ConfigError, match="no region is configured"):
        async for _ in stream(prompts(1), Settings()):
            pass


async def test_settings_come_from_the_environment(simulate, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    _, simulation = await simulate()
    for name, value in simulation.environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BATCHRUNNER_MODEL", "gpt-4o")

    assert [result.job.model async for result in stream(prompts(2))] == ["gpt-4o"] * 2


@pytest.mark.parametrize("given", [{"dedup": True}, {"reuse": ("monday.results.jsonl",)}])
async def test_what_needs_results_in_files_is_refused(simulate, given):
    settings, simulation = await simulate(**given)

    with pytest.raises(ConfigError, match="a stream writes no results to reuse"):
        async for _ in stream(prompts(1), settings):
            pass

    assert simulation.statistics()["eastus"]["calls"] == 0
