"""The simulator on real sockets, heard by the official client."""

import asyncio
import signal
import socket

import httpx2
import openai
import pytest

from batchrunner.simulator import prompt_digest, validate
from batchrunner.simulator.server import PortError, serve, serve_forever
from tests.simulator.talk import quick

pytestmark = pytest.mark.socket

HELLO = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello there"}]}


def scenario(*faults, **region):
    one = {"name": "eastus", "key": "k1", **quick(), **region, "faults": list(faults)}
    return validate({"regions": [one], "openai": {"key": "sk-1", **quick()}})


def sdk(environ, http):
    azure = openai.AsyncAzureOpenAI(
        azure_endpoint=environ["AZURE_OPENAI_ENDPOINT_1"],
        api_key=environ["AZURE_OPENAI_API_KEY_1"],
        api_version="2024-10-21",
        max_retries=0,
        http_client=http,
    )
    plain = openai.AsyncOpenAI(
        api_key=environ["OPENAI_API_KEY"],
        base_url=environ["OPENAI_BASE_URL"],
        max_retries=0,
        http_client=http,
    )
    return azure, plain


async def ask(served, **more):
    """One question to the region, by the official client."""
    async with serve(served) as simulation, httpx2.AsyncClient(trust_env=False) as http:
        azure, _ = sdk(simulation.environ(), http)
        return await azure.chat.completions.create(**HELLO | more)


async def test_the_official_client_reads_the_answers():
    async with serve(scenario()) as simulation, httpx2.AsyncClient(trust_env=False) as http:
        for client in sdk(simulation.environ(), http):
            answer = await client.chat.completions.create(**HELLO)
            assert answer.choices[0].message.content.startswith(prompt_digest("Hello there"))
            assert answer.usage.total_tokens > 0
        assert (await http.get(f"{simulation.url}/statistics")).json()["eastus"]["ok"] == 1


@pytest.mark.parametrize(
    ("region", "more", "error"),
    [
        ({"env_key": "wrong"}, {}, openai.AuthenticationError),
        ({"deployments": ["other"]}, {}, openai.NotFoundError),
        ({"tpm": 1}, {}, openai.RateLimitError),
        ({}, {"max_tokens": -1}, openai.BadRequestError),
    ],
)
async def test_the_official_client_raises_its_own_errors(region, more, error):
    with pytest.raises(error) as caught:
        await ask(scenario(**region), **more)

    assert caught.value.request_id
    assert caught.value.body["message"]


async def test_an_outage_is_a_server_error():
    with pytest.raises(openai.InternalServerError):
        await ask(scenario({"kind": "outage"}))


@pytest.mark.parametrize("where", ["start", "body"])
async def test_a_reset_really_resets(where, caplog):
    async with serve(scenario({"kind": "reset", "where": where})) as simulation:
        host, port = simulation.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        body = b'{"messages":[{"role":"user","content":"hi"}]}'
        writer.write(
            b"POST /eastus/openai/deployments/m/chat/completions?api-version=1 HTTP/1.1\r\n"
            b"host: x\r\napi-key: k1\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        )
        with pytest.raises(ConnectionResetError):
            await reader.read(-1)
        writer.close()

    assert caplog.records == []


@pytest.mark.parametrize("where", ["start", "body"])
async def test_the_official_client_calls_a_reset_a_connection_error(where):
    with pytest.raises((openai.APIConnectionError, httpx2.TransportError)):
        await ask(scenario({"kind": "reset", "where": where}))


async def test_a_connection_is_used_again_after_an_error():
    async with serve(scenario(env_key="wrong")) as simulation:
        limits = httpx2.Limits(max_connections=1)
        async with httpx2.AsyncClient(trust_env=False, limits=limits) as http:
            url = f"{simulation.url}/eastus/openai/v1/chat/completions"
            statuses = [(await http.post(url, json=HELLO)).status_code for _ in range(3)]

    assert statuses == [401, 401, 401]


async def test_hanging_calls_do_not_delay_the_end(caplog, capfd):
    loop = asyncio.get_running_loop()
    async with httpx2.AsyncClient(trust_env=False) as http:
        async with serve(scenario({"kind": "hang"})) as simulation:
            url = f"{simulation.url}/eastus/openai/v1/chat/completions"
            key = {"api-key": "k1"}
            calls = [
                asyncio.create_task(http.post(url, json=HELLO, headers=key)) for _ in range(5)
            ]
            while simulation.statistics()["eastus"]["in_flight"] < 5:  # noqa: ASYNC110  # no event tells
                await asyncio.sleep(0.005)
            begun = loop.time()
        took = loop.time() - begun
        ended = await asyncio.gather(*calls, return_exceptions=True)

    assert took < 0.5
    assert all(isinstance(one, httpx2.TransportError) for one in ended)
    assert simulation.statistics()["eastus"]["in_flight"] == 0
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


async def test_slow_answers_and_idle_connections_do_not_delay_the_end():
    loop = asyncio.get_running_loop()
    async with serve(scenario(latency={"median": 60.0})) as simulation:
        host, port = simulation.url.removeprefix("http://").split(":")
        idle, writer = await asyncio.open_connection(host, int(port))
        async with httpx2.AsyncClient(trust_env=False) as http:
            url = f"{simulation.url}/eastus/openai/v1/chat/completions"
            with pytest.raises(httpx2.ReadTimeout):
                await http.post(url, json=HELLO, headers={"api-key": "k1"}, timeout=0.1)
        assert simulation.statistics()["eastus"]["in_flight"] == 1
        begun = loop.time()

    async with asyncio.timeout(0.5):
        assert await idle.read() == b""
    writer.close()
    assert loop.time() - begun < 0.5
    assert simulation.statistics()["eastus"]["in_flight"] == 0


async def test_a_hanging_call_ends_when_the_client_hangs_up():
    async with serve(scenario({"kind": "hang"})) as simulation:
        async with httpx2.AsyncClient(trust_env=False, timeout=0.1) as http:
            url = f"{simulation.url}/eastus/openai/v1/chat/completions"
            with pytest.raises(httpx2.ReadTimeout):
                await http.post(url, json=HELLO, headers={"api-key": "k1"})
        async with asyncio.timeout(5):
            while simulation.statistics()["eastus"]["in_flight"]:  # noqa: ASYNC110  # no event tells
                await asyncio.sleep(0.005)


async def test_it_listens_on_the_loopback_address_only_and_leaves_signals_alone():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    async with serve(scenario()) as simulation:
        assert simulation.url.startswith("http://127.0.0.1:")
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


async def test_a_port_in_use_is_named_with_the_remedy():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortError, match=rf"port {port} .*choose another port"):
            async with serve(scenario(), port):
                pass


async def test_the_port_is_free_again_afterwards():
    async with serve(scenario()) as first:
        port = int(first.url.rsplit(":", 1)[1])
    async with serve(scenario(), port) as second:
        assert second.url == first.url


async def test_variables_name_what_a_client_needs():
    table = {
        "regions": [
            {"name": "eastus", "key": "k1"},
            {"name": "westus", "key": "k2", "env_key": "wrong", "quota_group": "pool"},
            {"name": "north", "key": "k3", "api": "v1"},
        ]
    }
    async with serve(validate(table)) as simulation:
        url = simulation.url
        assert simulation.environ() == {
            "AZURE_OPENAI_API_KEY_1": "k1",
            "AZURE_OPENAI_ENDPOINT_1": f"{url}/eastus",
            "AZURE_OPENAI_REGION_1": "eastus",
            "AZURE_OPENAI_API_KEY_2": "wrong",
            "AZURE_OPENAI_ENDPOINT_2": f"{url}/westus",
            "AZURE_OPENAI_REGION_2": "westus",
            "AZURE_OPENAI_QUOTA_GROUP_2": "pool",
            "AZURE_OPENAI_API_KEY_3": "k3",
            "AZURE_OPENAI_ENDPOINT_3": f"{url}/north/openai/v1/",
            "AZURE_OPENAI_REGION_3": "north",
        }


async def test_serving_for_ever_announces_the_variables_and_ends_when_cancelled():
    lines = asyncio.Queue()
    task = asyncio.create_task(serve_forever(scenario(), 0, lines.put_nowait))
    told = dict([(await lines.get()).split("=", 1) for _ in range(5)])
    async with httpx2.AsyncClient(trust_env=False) as http:
        azure, _ = sdk(told, http)
        assert (await azure.chat.completions.create(**HELLO)).choices
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
