"""What goes over a connection, byte for byte, and what becomes of one that is of no more use."""

import asyncio
import gc
import sys
from collections import deque

import pytest

from batchrunner import idle
from batchrunner.model import Fault, FaultKind, Reply
from batchrunner.sdk import Template
from batchrunner.transport import AiohttpTransport
from tests.faultserver import OK, Line, faulty, reply, says
from tests.wiring import KEY, LONG, SHORT, SOCKET, certified

HUGE = bytes(32 << 20)  #: more than the buffers of both sides hold


def template(url, **headers):
    return Template(f"{url}/x?y=z", {"api-key": KEY} | headers, b"{")


@SOCKET
async def test_a_request_is_its_line_its_headers_and_the_body():
    came = []

    async def listen(line, _):
        came.append(await line.reader.readuntil(b"}"))
        await line.say(reply())

    more = {"accept": "application/json", "user-agent": "é", "content-length": "1"}
    async with faulty(listen, mute=True) as server, AiohttpTransport() as transport:
        await transport.post(template(server.url, **more), b'{"a":1}', LONG)

    head, _, body = came[0].partition(b"\r\n\r\n")
    line, *headers = head.decode().split("\r\n")
    assert line == "POST /x?y=z HTTP/1.1"
    assert body == b'{"a":1}'
    assert {"gzip", "deflate"} <= set(
        headers.pop(-2).removeprefix("Accept-Encoding: ").split(", ")
    )
    assert headers == [
        f"Host: 127.0.0.1:{server.port}",
        f"api-key: {KEY}",
        "accept: application/json",
        "user-agent: é",
        "Content-Length: 7",
    ]


@SOCKET
@pytest.mark.parametrize("ending", ["\r\nx: y", "\n", "\r", "\0", "\x0b", "\x7f"])
async def test_a_header_cannot_smuggle_another_one(ending):
    async with faulty() as server, AiohttpTransport() as transport:
        outcome = await transport.post(template(server.url, a="b" + ending), b"{}", LONG)

    assert outcome == Fault(FaultKind.PROTOCOL, "ValueError: a control character in a header")
    assert server.connections == 0


@SOCKET
async def test_the_beginning_of_a_request_is_made_once_and_not_shown():
    async with faulty() as server, AiohttpTransport() as transport:
        one = template(server.url)
        await transport.post(one, b"{}", LONG)
        route = transport._routes[one]
        await transport.post(one, b"{}", LONG)

        assert transport._routes[one] is route
        assert KEY not in repr(route)


async def left_over(line, gone):
    """How many bytes still come after the client is ``gone``."""
    await asyncio.wait_for(gone.wait(), LONG)
    size = 0
    while data := await line.reader.read(1 << 20):
        size += len(data)
    return size


@SOCKET
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("status", [None, 413])
async def test_a_server_that_reads_no_further_keeps_neither_connection_nor_body(
    status, secure, authority, ca_file
):
    """It says nothing until the deadline, or that it wants no more of it."""
    came, gone = asyncio.get_running_loop().create_future(), asyncio.Event()

    async def listen(line, _):
        await line.reader.readuntil(b"\r\n\r\n")
        if status is not None:
            await line.say(reply(OK, f"{status} Too Large"))
        came.set_result(await left_over(line, gone))

    tls = certified(authority) if secure else None
    async with (
        faulty(listen, mute=True, tls=tls) as server,
        AiohttpTransport(ca_file=ca_file) as transport,
    ):
        deadline = SHORT if status is None else LONG
        outcome = await transport.post(template(server.url), HUGE, deadline)
        gone.set()
        assert await asyncio.wait_for(came, LONG) < len(HUGE)
        assert not transport._connector._conns
        assert not transport._connector._acquired

    if status is None:
        assert outcome.kind is FaultKind.TIMEOUT
    else:
        assert (outcome.status, outcome.body) == (status, OK)


@SOCKET
async def test_a_body_that_was_read_to_its_end_leaves_a_connection_for_the_next():
    async with faulty() as server, AiohttpTransport() as transport:
        for body in (HUGE, b"{}"):
            assert (await transport.post(template(server.url), body, LONG)).body == OK

    assert [len(heard.body) for heard in server.heard] == [len(HUGE), 2]
    assert server.connections == 1


@SOCKET
@pytest.mark.parametrize("then", [Line.close, Line.reset], ids=["close", "reset"])
async def test_a_connection_that_ends_as_it_begins_is_a_fault(then):
    async with faulty(says(then=then), mute=True) as server, AiohttpTransport() as transport:
        sent = [transport.post(template(server.url), b"{}", LONG) for _ in range(50)]
        outcomes = await asyncio.gather(*sent)

    assert {outcome.kind for outcome in outcomes} <= {FaultKind.RESET, FaultKind.CONNECT}


@SOCKET
@pytest.mark.parametrize("turns", [0, 1], ids=["closing", "closed"])
async def test_a_connection_that_was_lost_unseen_is_a_fault(turns):
    """It was there when the connector gave it away."""
    async with faulty() as server, AiohttpTransport() as transport:
        connect = transport._connector.connect

        async def connected(*args):
            connection = await connect(*args)
            connection.transport.abort()
            for _ in range(turns):
                await asyncio.sleep(0)
            return connection

        transport._connector.connect = connected
        outcome = await transport.post(template(server.url), b"{}", LONG)

    assert outcome.kind is FaultKind.RESET
    assert "as soon as it was open" in outcome.detail


@SOCKET
async def test_a_template_that_is_used_no_more_is_forgotten():
    """Those with a token are made anew every half minute."""
    async with faulty() as server, AiohttpTransport() as transport:
        for _ in range(3):
            assert isinstance(await transport.post(template(server.url), b"{}", LONG), Reply)
        gc.collect()

        assert not transport._routes
        assert server.connections == 1


@SOCKET
async def test_what_comes_before_a_reply_is_passed_over():
    early = b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    async with faulty(says(early, reply())) as server, AiohttpTransport() as transport:
        outcome = await transport.post(template(server.url), b"{}", LONG)

    assert (outcome.status, outcome.body) == (200, OK)
    assert "link" not in outcome.headers


@SOCKET
async def test_a_body_of_no_length_ends_with_its_connection():
    said = b"HTTP/1.1 200 OK\r\n\r\n" + OK
    async with faulty(says(said, then=Line.close)) as server, AiohttpTransport() as transport:
        for _ in range(2):
            assert (await transport.post(template(server.url), b"{}", LONG)).body == OK

    assert server.connections == 2


@SOCKET
async def test_a_status_that_is_none_is_a_reply_all_the_same():
    async with faulty(says(reply(OK, "099 Oh"))) as server, AiohttpTransport() as transport:
        assert (await transport.post(template(server.url), b"{}", LONG)).status == 99


BAD = {
    "no gzip": says(reply(bytes(100), "200 OK", "content-encoding: gzip")),
    "too short": says(reply(OK)[:-1], then=Line.close),
    "no HTTP": says(b"SSH-2.0-x\r\n\r\n"),
    "reset": says(then=Line.reset),
    "silence": says(),
}


@SOCKET
@pytest.mark.parametrize("name", BAD)
async def test_a_fault_holds_the_body_no_longer(name):
    """Errors hold frames and frames hold errors; the collector may come late."""
    body = bytes(1 << 20)
    gc.disable()
    try:
        async with faulty(BAD[name]) as server, AiohttpTransport() as transport:
            one = template(server.url)
            before = sys.getrefcount(body)
            assert isinstance(await transport.post(one, body, SHORT), Fault)
            assert sys.getrefcount(body) == before
    finally:
        gc.enable()


@SOCKET
async def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch):
    """Something on the way may have forgotten it, and says nothing."""
    monkeypatch.setattr(idle, "LONGEST", -1.0)
    async with faulty() as server, AiohttpTransport() as transport:
        for _ in range(2):
            server.left.clear()
            assert (await transport.post(template(server.url), b"{}", LONG)).body == OK
        assert server.connections == 2
        await asyncio.wait_for(server.left.wait(), LONG)


@SOCKET
async def test_a_server_that_wants_the_connection_closed_need_not_do_it():
    said = reply(OK, "200 OK", "connection: close")
    async with faulty(says(said)) as server, AiohttpTransport() as transport:
        assert (await transport.post(template(server.url), b"{}", LONG)).body == OK
        await asyncio.wait_for(server.left.wait(), LONG)


@SOCKET
async def test_a_connection_that_is_just_ending_is_not_used_again():
    async with faulty() as server, AiohttpTransport() as transport:
        one = template(server.url)
        await transport.post(one, b"{}", LONG)
        ((connection, _),) = transport._routes[one].idle._connections
        connection.transport.abort()
        assert (await transport.post(one, b"{}", LONG)).body == OK


@SOCKET
async def test_nothing_is_left_of_a_transport_that_was_left():
    async with faulty() as server, AiohttpTransport() as transport:
        await transport.post(template(server.url), b"{}", LONG)
    await asyncio.wait_for(server.left.wait(), LONG)

    assert transport._timeouts[LONG]._timer.cancelled()


@SOCKET
async def test_the_connection_that_was_used_last_is_used_first():
    """So the others grow old where fewer are needed."""
    together = asyncio.Barrier(3)

    async def meet(line, _):
        if len(server.heard) <= 3:
            await together.wait()
        await line.say(reply())

    async with faulty(meet) as server, AiohttpTransport() as transport:
        sent = [transport.post(template(server.url), b"{}", LONG) for _ in range(3)]
        await asyncio.gather(*sent)
        for _ in range(5):
            await transport.post(template(server.url), b"{}", LONG)

    assert server.connections == 3
    assert len({heard.connection for heard in server.heard[3:]}) == 1


@SOCKET
async def test_connections_that_are_needed_no_more_are_closed_one_after_the_other():
    async with faulty() as server, AiohttpTransport() as transport:
        one = template(server.url)
        await asyncio.gather(*(transport.post(one, b"{}", LONG) for _ in range(5)))
        kept = transport._routes[one].idle
        *old, young = kept._connections
        kept._connections = deque([*((it, since - 60.0) for it, since in old), young])
        sizes = []
        for _ in range(6):
            await transport.post(one, b"{}", LONG)
            sizes.append(len(kept._connections))

    assert server.connections == 5
    assert sizes == [4, 3, 2, 1, 1, 1]
