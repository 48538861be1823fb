"""One call at a time, over real sockets: the servers live in a thread of their own."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import openai
import orjson
import pytest
from anyio.from_thread import start_blocking_portal

from batchrunner import call_completion, call_completion_async, completion
from batchrunner.errors import ConfigError
from batchrunner.simulator import prompt_digest, validate
from batchrunner.simulator.server import serve
from tests.faultserver import faulty, reply, says
from tests.simulator.talk import quick

pytestmark = pytest.mark.socket

CANARY = "canary-6f1d"
HELLO = [{"role": "user", "content": "Hello there"}]
DIGEST = prompt_digest("Hello there")
FULL = {"kind": "capacity"}  # every call is throttled
ASKED = ("AZURE_OPENAI", "OPENAI", "BATCHRUNNER")


def forget():
    """Close the connections, and know nothing of any region."""
    if completion._failover.cache_info().currsize:
        portal = completion._portal()
        failover = portal.call(completion._failover)
        portal.call(next(iter(failover.clients.values())).close)  # they share one HTTP client
        completion._failover.cache_clear()


@pytest.fixture(autouse=True)
def _fresh(tmp_path, monkeypatch):
    """No variables, no ``.env``, and nothing known of any region."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(ASKED)]:
        monkeypatch.delenv(name)
    forget()
    yield
    forget()


@pytest.fixture
def backstage():
    """The loop in which the servers live."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture
def simulate(backstage, monkeypatch):
    """Simulate regions, quick ones, and make the environment name them."""
    with ExitStack() as stack:

        def simulate(*regions, plain=None, **variables):
            table = {
                "regions": [quick(name=f"region{n}") | one for n, one in enumerate(regions, 1)]
            }
            if plain is not None:
                table["openai"] = quick(**plain)
            served = backstage.wrap_async_context_manager(serve(validate(table)))
            simulation = stack.enter_context(served)
            for name, value in (simulation.environ() | variables).items():
                monkeypatch.setenv(name, value)
            return simulation

        yield simulate


@pytest.fixture
def behave(backstage, monkeypatch):
    """One region that behaves so."""
    with ExitStack() as stack:

        def behave(*behaviour):
            served = backstage.wrap_async_context_manager(faulty(*behaviour))
            server = stack.enter_context(served)
            monkeypatch.setenv("AZURE_OPENAI_API_KEY_1", CANARY)
            monkeypatch.setenv("AZURE_OPENAI_ENDPOINT_1", server.url)
            return server

        yield behave


def ask(**arguments):
    return call_completion(HELLO, **{"model": "gpt-4o-mini"} | arguments)


def calls(simulation):
    """How often each target was asked."""
    return {name: seen["calls"] for name, seen in simulation.statistics().items()}


def faulted(*faults):
    return {"faults": [fault if isinstance(fault, dict) else {"kind": fault} for fault in faults]}


def test_the_answer_is_the_text(simulate):
    simulate({})

    assert ask().startswith(DIGEST)


def test_regions_are_asked_in_the_order_of_the_environment(simulate):
    """Also where the limits are known, and the load could be balanced."""
    simulation = simulate({"rpm": 600}, {"rpm": 600}, plain={})
    for _ in range(5):
        ask()

    assert calls(simulation) == {"region1": 5, "region2": 0, "openai": 0}


def test_lower_priorities_are_asked_first(simulate):
    simulation = simulate({}, {}, AZURE_OPENAI_PRIORITY_2="-1")
    ask()

    assert calls(simulation) == {"region1": 0, "region2": 1}


def test_a_throttled_region_is_passed_over_and_left_alone(simulate):
    simulation = simulate({"rpm": 1, "headers": "none"}, {}, plain={})
    for _ in range(5):
        assert ask().startswith(DIGEST)

    assert calls(simulation) == {"region1": 2, "region2": 4, "openai": 0}
    assert simulation.statistics()["region1"]["throttled"]["requests"] == 1


def test_openai_is_asked_when_every_region_is_throttled(simulate):
    simulation = simulate(faulted(FULL), faulted(FULL), plain={})
    for _ in range(3):
        assert ask().startswith(DIGEST)

    assert calls(simulation) == {"region1": 1, "region2": 1, "openai": 3}


def test_the_fallback_is_not_waited_for(simulate):
    """Who asks now and then waits for no quota, whatever a run would do."""
    bad = faulted(FULL), faulted("outage")
    simulation = simulate(*bad, plain={}, BATCHRUNNER_FALLBACK_AFTER="100")
    for _ in range(3):
        assert ask().startswith(DIGEST)

    assert calls(simulation) == {"region1": 1, "region2": 3, "openai": 3}


def test_the_fallback_can_be_forbidden(simulate):
    simulation = simulate(faulted(FULL), plain={}, BATCHRUNNER_NO_FALLBACK="1")
    with pytest.raises(openai.RateLimitError):
        ask()

    assert calls(simulation)["openai"] == 0


@pytest.mark.parametrize(
    ("bad", "asked"),
    [
        ({"env_key": "wrong"}, 1),
        ({"deployments": ["other"]}, 1),
        (faulted("forbidden"), 1),
        (faulted("billing"), 1),
        (faulted(FULL), 1),
        (faulted("outage"), 3),
        (faulted("error"), 3),
        (faulted("garbage"), 3),
        (faulted({"kind": "garbage", "shape": "broken"}), 3),
        (faulted({"kind": "garbage", "shape": "null"}), 3),
        (faulted({"kind": "garbage", "shape": "object"}), 3),
        (faulted("reset"), 3),
        (faulted({"kind": "reset", "where": "body"}), 3),
    ],
    ids=str,
)
def test_another_region_answers_where_one_does_not(simulate, bad, asked):
    """One that is out or throttled is not asked again; a fault may have been chance."""
    simulation = simulate(bad, {})
    for _ in range(3):
        assert ask().startswith(DIGEST)

    assert calls(simulation) == {"region1": asked, "region2": 3}


def test_a_region_that_keeps_failing_rests(simulate):
    simulation = simulate(faulted("outage"), {})
    for _ in range(10):
        ask()

    assert calls(simulation) == {"region1": 5, "region2": 10}


def test_many_at_once_are_answered_by_the_region_that_is_open(simulate):
    slow = {"latency": {"median": 0.1, "tokens_per_second": 1e9, "slow_rate": 0}}
    simulation = simulate(faulted(FULL), slow)
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: ask(), range(40)))

    assert all(answer.startswith(DIGEST) for answer in answers)
    assert calls(simulation)["region2"] == 40


def test_every_argument_reaches_the_service(behave):
    server = behave()
    arguments = {
        "temperature": 0.25,
        "max_tokens": 7,
        "n": 2,
        "seed": 42,
        "stop": ["\n"],
        "response_format": {"type": "json_object"},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "user": "me",
    }
    assert ask(**arguments, extra_body={"own": 1}, extra_headers={"X-Own": "2"}) == "yes"
    assert ask(extra_query={"q": "3"}) == "yes"

    first, second = server.heard
    expected = arguments | {"messages": HELLO, "model": "gpt-4o-mini", "own": 1}
    assert orjson.loads(first.body) == expected
    assert first.headers["x-own"] == "2"
    assert first.headers["api-key"] == CANARY
    assert first.headers["x-stainless-retry-count"] == "0"
    assert first.line == (
        "POST /openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-10-21 HTTP/1.1"
    )
    assert "q=3" in second.line
    assert orjson.loads(second.body) == {"messages": HELLO, "model": "gpt-4o-mini"}


def test_messages_may_be_any_iterable(behave):
    server = behave(
        says(reply(b""), then=lambda line: line.close()),
    )
    with pytest.raises(openai.APIResponseValidationError):
        call_completion(iter(HELLO), model="m")

    assert orjson.loads(server.heard[0].body)["messages"] == HELLO


def test_a_region_may_call_the_model_otherwise(behave, monkeypatch):
    server = behave()
    monkeypatch.setenv("AZURE_OPENAI_DEPLOYMENT_1", "mini")
    ask()

    assert "/deployments/mini/" in server.heard[0].line
    assert orjson.loads(server.heard[0].body)["model"] == "mini"


def test_a_message_without_content_is_an_empty_text(behave):
    behave(says(reply(b'{"choices":[{"message":{"content":null}}]}')))

    assert ask() == ""


def test_connections_are_used_again(behave):
    server = behave()
    for _ in range(20):
        ask()

    assert (server.connections, len(server.heard)) == (1, 20)


def test_a_request_that_is_wrong_is_raised_at_once(simulate):
    simulation = simulate({}, {}, plain={})
    with pytest.raises(openai.BadRequestError) as caught:
        ask(max_tokens=-1)

    assert caught.value.status_code == 400
    assert caught.value.body["message"]
    assert caught.value.request_id
    assert calls(simulation) == {"region1": 1, "region2": 0, "openai": 0}


def test_a_filtered_prompt_is_raised_at_once(simulate):
    simulation = simulate(faulted("filter"), {})
    with pytest.raises(openai.BadRequestError) as caught:
        ask()

    assert caught.value.code == "content_filter"
    assert calls(simulation)["region2"] == 0


@pytest.mark.parametrize(
    ("bad", "error", "status"),
    [
        (faulted(FULL), openai.RateLimitError, 429),
        ({"env_key": "wrong"}, openai.AuthenticationError, 401),
        (faulted("forbidden"), openai.PermissionDeniedError, 403),
        ({"deployments": ["other"]}, openai.NotFoundError, 404),
        (faulted("outage"), openai.InternalServerError, 503),
    ],
    ids=["429", "401", "403", "404", "503"],
)
def test_when_nobody_answers_the_last_word_is_raised(simulate, bad, error, status):
    simulation = simulate(bad, bad)
    for _ in range(2):  # the second time all are closed, and one is asked nevertheless
        with pytest.raises(error) as caught:
            ask()
        assert type(caught.value) is error
        assert caught.value.status_code == status
        assert caught.value.body["message"]
        assert caught.value.response.headers["content-type"] == "application/json"

    assert sum(calls(simulation).values()) in {3, 4}


def test_a_region_that_comes_back_is_used_again(simulate):
    """All are closed, one is asked nevertheless, and answers."""
    simulate({"faults": [{"kind": "key", "until": 0.2}]})
    with pytest.raises(openai.AuthenticationError):
        ask()
    while True:
        try:
            assert ask().startswith(DIGEST)
            break
        except openai.AuthenticationError:
            continue

    (region,) = completion._portal().call(completion._failover).router.regions
    assert region.serves("gpt-4o-mini")


def test_garbage_from_everyone_is_an_error_of_the_sdk(simulate):
    simulate(faulted("garbage"))
    with pytest.raises(openai.APIResponseValidationError, match="holds no chat completion: <html"):
        ask()


def test_a_port_that_nobody_listens_on(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AZURE_OPENAI_API_KEY_1", CANARY)
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT_1", f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(openai.APIConnectionError) as caught:
            ask()

    assert type(caught.value) is openai.APIConnectionError
    assert CANARY not in str(caught.value)


def test_a_timeout_of_the_call(simulate):
    simulate(faulted("hang"))
    with pytest.raises(openai.APITimeoutError):
        ask(timeout=0.1)


def test_a_timeout_of_the_settings(simulate):
    simulate(faulted("hang"), {}, BATCHRUNNER_TIMEOUT="0.1")

    assert ask().startswith(DIGEST)


def test_a_redirect_carries_no_key_away(behave, backstage):
    with backstage.wrap_async_context_manager(faulty()) as trap:
        behave(says(reply(b"", "307 Moved", f"location: {trap.url}/")))
        with pytest.raises(openai.APIStatusError) as caught:
            ask()

    assert caught.value.status_code == 307
    assert trap.connections == 0


def test_proxies_of_the_environment_are_not_used(simulate, behave, monkeypatch):
    trap = behave()
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, trap.url)
    simulate({})
    ask()

    assert trap.connections == 0


def test_without_a_region_there_is_a_remedy():
    with pytest.raises(ConfigError, match="no region is configured: set AZURE_OPENAI_API_KEY_1"):
        ask()


def test_settings_that_were_wrong_are_read_again(simulate):
    with pytest.raises(ConfigError):
        ask()
    simulate({})

    assert ask().startswith(DIGEST)


def test_the_file_called_env_is_read(simulate, tmp_path, monkeypatch):
    for name, value in simulate({}).environ().items():
        monkeypatch.delenv(name)
        with (tmp_path / ".env").open("a") as file:
            file.write(f"{name}={value}\n")

    assert ask().startswith(DIGEST)


def test_arguments_that_do_not_exist_are_type_errors(simulate):
    simulation = simulate({})
    with pytest.raises(TypeError, match="stream=True gives no message text: leave it out"):
        ask(stream=True)
    with pytest.raises(TypeError, match="colour"):
        ask(colour="red")

    assert calls(simulation) == {"region1": 0}
    assert ask(stream=False).startswith(DIGEST)


def test_a_token_that_cannot_be_had_is_an_error_of_the_sdk(simulate, monkeypatch):
    """And another region is asked first."""

    async def fails():
        raise RuntimeError("no token")

    monkeypatch.setattr(completion, "entra_token", lambda: fails)  # azure-identity is an extra
    simulation = simulate({}, {}, AZURE_OPENAI_AUTH_1="entra")
    assert ask().startswith(DIGEST)
    assert calls(simulation) == {"region1": 0, "region2": 1}

    monkeypatch.setenv("AZURE_OPENAI_AUTH_2", "entra")
    forget()
    with pytest.raises(openai.APIConnectionError, match="no token: RuntimeError"):
        ask()


def test_from_many_threads(behave):
    server = behave()
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: ask(), range(64)))

    assert answers == ["yes"] * 64
    assert server.connections <= 16


def test_from_several_loops_one_after_the_other(behave):
    server = behave()

    async def twice():
        both = (call_completion_async(HELLO, model="m") for _ in range(2))
        return await asyncio.gather(*both)

    for _ in range(3):
        assert asyncio.run(twice()) == ["yes", "yes"]
    assert ask() == "yes"
    assert server.connections <= 2


async def test_errors_reach_coroutines_too(simulate):
    simulate({"env_key": "wrong"})
    with pytest.raises(openai.AuthenticationError):
        await call_completion_async(HELLO, model="m")


def test_who_is_cancelled_hangs_up(behave, backstage):
    server = behave(says())

    async def leave():
        task = asyncio.ensure_future(call_completion_async(HELLO, model="m"))
        await asyncio.to_thread(backstage.call, server.asked.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(backstage.call, server.left.wait)

    asyncio.run(asyncio.wait_for(leave(), 10))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_begins_anew(behave):
    server = behave()
    ask()
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover
        signal.alarm(10)
        os.write(theirs, ask().encode())
        os._exit(0)
    _, status = os.waitpid(child, 0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        assert (status, pipe.read()) == (0, b"yes")
    assert ask() == "yes"
    assert [heard.connection for heard in server.heard] == [1, 2, 1]


def python(script, **variables):
    """Run a script as users do, warnings being errors; what it printed."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "error", "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_no_thread_keeps_the_interpreter_from_ending(behave):
    behave()
    script = """
from batchrunner import call_completion
print(call_completion([{"role": "user", "content": "x"}], model="m"))
"""
    assert python(script) == "yes\n"


def test_threads_that_begin_together_share_one_loop(behave):
    behave()
    script = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from batchrunner import call_completion
sys.setswitchinterval(1e-6)
together = threading.Barrier(16)
def ask(_):
    together.wait()
    return call_completion([{"role": "user", "content": "x"}], model="m")
with ThreadPoolExecutor(16) as pool:
    print(set(pool.map(ask, range(16))))
print(sum(thread.name == "batchrunner" for thread in threading.enumerate()))
"""
    assert python(script) == "{'yes'}\n1\n"
