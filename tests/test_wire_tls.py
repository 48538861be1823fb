"""Whom a wire believes, directly and through a proxy."""

import asyncio
import ssl

import pytest

from batchrunner.model import FaultKind
from batchrunner.policy.verdict import Barred, Faulty, judge
from batchrunner.tls import make_context
from batchrunner.transport import AiohttpTransport
from batchrunner.wire import Wire
from tests.faultserver import OK, Line, faulty, reply, says
from tests.wiring import KEY, LONG, SOCKET, certified, job, send, target


@SOCKET
async def test_a_certificate_of_a_trusted_authority_is_good_enough(authority, ca_file):
    async with faulty(tls=certified(authority)) as server:
        outcome = await send(server.url, options={"ca_file": ca_file})

    assert outcome.body == OK
    assert server.heard[0].headers["api-key"] == KEY


UNTRUSTED = {
    "an authority that nobody knows": ("127.0.0.1", False, "unable to get local issuer"),
    "the name of another host": ("other.example", True, "not valid for '127.0.0.1'"),
}


@SOCKET
@pytest.mark.parametrize("name", UNTRUSTED)
async def test_who_cannot_prove_its_name_hears_nothing_and_is_not_asked_again(
    name, authority, ca_file
):
    certificate, is_known, why = UNTRUSTED[name]
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # the server's complaint
    async with faulty(tls=certified(authority, certificate)) as server:
        outcome = await send(server.url, options={"ca_file": ca_file if is_known else None})

    assert outcome.kind is FaultKind.TLS
    assert why in outcome.detail
    assert outcome.detail.endswith("with --ca-file")
    assert isinstance(judge(outcome), Barred)
    assert server.heard == []


@SOCKET
@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\nNo TLS.", b"SSH-2.0-x\r\n"])
async def test_a_port_that_does_not_speak_tls_is_not_asked_again(said):
    async with faulty(says(said), mute=True) as server:
        outcome = await send(server.url.replace("http", "https"))

    assert outcome.kind is FaultKind.TLS
    assert isinstance(judge(outcome), Barred)


@SOCKET
async def test_a_connection_that_ends_while_tls_begins_may_do_next_time():
    async with faulty(says(then=Line.close), mute=True) as server:
        outcome = await send(server.url.replace("http", "https"))

    assert outcome.kind is FaultKind.CONNECT
    assert isinstance(judge(outcome), Faulty)


def test_old_versions_of_tls_are_not_spoken_and_nothing_goes_unverified(monkeypatch, tmp_path):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    context = make_context()

    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.keylog_filename is None


@SOCKET
async def test_through_a_proxy_the_key_goes_to_the_region_alone(authority, ca_file):
    """The proxy opens a tunnel to a host that only it can reach, and learns no more than that."""
    asked = []

    async def tunnel(line, heard):
        asked.append(heard)
        reader, writer = await asyncio.open_connection("127.0.0.1", region.port)
        await line.say(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(carry(line.reader, writer), carry(reader, line.writer))

    async def carry(source, goal):
        while data := await source.read(65536):
            goal.write(data)
        goal.close()

    async with (
        faulty(tls=certified(authority, "eastus.openai.azure.com")) as region,
        faulty(tunnel) as proxy,
        AiohttpTransport(
            ca_file=ca_file, proxy=f"http://user:word@127.0.0.1:{proxy.port}"
        ) as transport,
    ):
        sender = Wire({"eastus": target("https://eastus.openai.azure.com/")}, transport, LONG)
        outcomes = [await sender.send("eastus", job()) for _ in range(3)]

    assert [outcome.body for outcome in outcomes] == [OK, OK, OK]
    assert [heard.line for heard in asked] == ["CONNECT eastus.openai.azure.com:443 HTTP/1.1"]
    assert asked[0].headers["proxy-authorization"] == "Basic dXNlcjp3b3Jk"
    assert KEY not in str(asked)
    assert [heard.headers["api-key"] for heard in region.heard] == [KEY, KEY, KEY]


REFUSING = {
    "wants another password": (says(reply(b"", "407 No")), "the proxy answers 407"),
    "cannot reach the region": (says(reply(b"", "502 No")), "the proxy answers 502"),
    "is no proxy": (says(b"garbage\r\n\r\n"), "Bad status line"),
    "hangs up": (says(then=Line.close), "ServerDisconnectedError"),
}


@SOCKET
@pytest.mark.parametrize("name", REFUSING)
async def test_a_proxy_that_lets_nothing_through_is_a_fault_that_hides_its_password(name):
    behave, why = REFUSING[name]
    async with faulty(behave) as proxy:
        options = {"proxy": f"http://me:pass%40word@127.0.0.1:{proxy.port}"}
        outcome = await send("https://eastus.openai.azure.com/", options=options)

    assert isinstance(judge(outcome), Faulty)
    assert why in outcome.detail
    assert "word" not in outcome.detail
    assert proxy.heard[0].headers["proxy-authorization"] == "Basic bWU6cGFzc0B3b3Jk"


@SOCKET
async def test_a_proxy_is_not_used_within_this_machine():
    async with faulty() as trap, faulty() as server:
        outcome = await send(server.url, options={"proxy": trap.url})

    assert outcome.body == OK
    assert trap.connections == 0
