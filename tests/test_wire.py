"""One request to one region, over connections that go wrong in every way."""

import asyncio
import gc
import gzip
import os
import resource
import socket
import tracemalloc
from contextlib import AsyncExitStack, contextmanager

import pytest

from batchrunner import transport as transporting
from batchrunner.faults import fault_of
from batchrunner.model import Fault, FaultKind, Reply
from batchrunner.policy.verdict import Faulty, judge
from batchrunner.sdk import Template
from batchrunner.transport import AiohttpTransport
from batchrunner.wire import Wire
from tests.faultserver import OK, Line, faulty, reply, says
from tests.inputs.test_source import zstd
from tests.wiring import KEY, LONG, SHORT, SOCKET, job, meet, send, target


def half_of(data):
    return data[: len(data) // 2]


async def drip(line, _):
    """A byte now and then, for ever."""
    while True:
        await line.say(b"x")
        await asyncio.sleep(0.01)


async def drip_header(line, _):
    await line.say(b"HTTP/1.1 200 OK\r\nx-slow: ")
    await drip(line, _)


async def drip_body(line, _):
    await line.say(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    await drip(line, _)


HEADERS = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n"
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
GZIPPED = gzip.compress(OK)
PACKED = "content-encoding: gzip"
BROKEN = {
    "closed before the reply": (says(then=Line.close), FaultKind.RESET),
    "reset before the reply": (says(then=Line.reset), FaultKind.RESET),
    "reset in the body": (says(half_of(reply()), then=Line.reset), FaultKind.RESET),
    "closed in the header": (says(b"HTTP/1.1 200 OK\r\nx-", then=Line.close), FaultKind.RESET),
    "shorter than it says": (says(HEADERS + b"12345", then=Line.close), FaultKind.RESET),
    "no last chunk": (says(CHUNKED + b"5\r\n12345\r\n", then=Line.close), FaultKind.RESET),
    "a bad chunk": (says(CHUNKED + b"five\r\n12345\r\n0\r\n\r\n"), FaultKind.PROTOCOL),
    "no gzip at all": (says(reply(OK, "200 OK", PACKED)), FaultKind.RESET),
    "no HTTP": (says(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), FaultKind.PROTOCOL),
    "a bad status": (says(b"HTTP/1.1 abc OK\r\n\r\n"), FaultKind.PROTOCOL),
    "a huge header": (says(reply(OK, "200 OK", "x-big: " + "x" * 200_000)), FaultKind.PROTOCOL),
    "two lengths": (says(reply(OK, "200 OK", "content-length: 1")), FaultKind.PROTOCOL),
}


SILENT = {
    "silence": says(),
    "silence after the header": says(HEADERS),
    "silence in the body": says(HEADERS + b"12345"),
    "a slow header": drip_header,
    "a slow body": drip_body,
}


@SOCKET
async def test_a_whole_reply():
    outcome = await meet(says(reply(OK, "200 OK", "X-Request-Id: r1")))

    assert isinstance(outcome, Reply)
    assert (outcome.status, outcome.body) == (200, OK)
    assert outcome.headers["x-request-id"] == "r1"


@SOCKET
@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_reply_is_a_fault(name):
    behave, kind = BROKEN[name]
    outcome = await meet(behave)

    assert isinstance(outcome, Fault)
    assert outcome.kind is kind
    assert outcome.detail
    assert KEY not in outcome.detail


@SOCKET
async def test_half_a_gzip_is_no_answer():
    outcome = await meet(says(reply(half_of(GZIPPED), "200 OK", PACKED)))

    assert isinstance(judge(outcome), Faulty)


@SOCKET
@pytest.mark.parametrize("name", SILENT)
async def test_the_deadline_ends_an_attempt_however_lively_it_is(name):
    began = asyncio.get_running_loop().time()
    outcome = await meet(SILENT[name], SHORT)

    assert outcome.kind is FaultKind.TIMEOUT
    assert SHORT <= asyncio.get_running_loop().time() - began < SHORT + 1


@SOCKET
@pytest.mark.parametrize("status", [400, 401, 404, 408, 429, 500, 503])
async def test_an_error_is_a_reply(status):
    outcome = await meet(says(reply(b"{}", f"{status} Oh", "Retry-After: 7")))

    assert (outcome.status, outcome.body) == (status, b"{}")
    assert outcome.headers["retry-after"] == "7"


@SOCKET
@pytest.mark.parametrize(
    ("said", "body"),
    [
        (reply(b""), b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (reply(GZIPPED, "200 OK", PACKED), OK),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + reply(), OK),
        (reply(b"\xff\xfe<html>"), b"\xff\xfe<html>"),
    ],
    ids=["empty", "no content", "chunks", "gzip", "continue", "no JSON"],
)
async def test_bodies_come_as_they_are(said, body):
    outcome = await meet(says(said))

    assert isinstance(outcome, Reply)
    assert outcome.body == body


@SOCKET
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status):
    async with faulty() as trap:
        goal = f"location: {trap.url}/openai/v1/chat/completions"
        outcome = await meet(says(reply(b"", f"{status} Moved", goal)))

    assert outcome.status == status
    assert (trap.connections, trap.heard) == (0, [])


@SOCKET
@pytest.mark.parametrize("packed", [False, True])
async def test_a_body_larger_than_any_answer_is_not_read_to_its_end(packed, monkeypatch):
    monkeypatch.setattr(transporting, "LARGEST_BODY", 100_000)  # 64 MiB would take seconds
    for size, kind in ((100_000, None), (100_001, FaultKind.PROTOCOL)):
        body = b"x" * size
        said = reply(gzip.compress(body), "200 OK", PACKED) if packed else reply(body)
        outcome = await meet(says(said))
        assert getattr(outcome, "kind", None) is kind


@SOCKET
@pytest.mark.parametrize("packing", ["gzip", "zstd"])
async def test_a_small_body_that_unpacks_to_a_huge_one_costs_no_more_than_the_cap(packing):
    pack = {"gzip": lambda body: gzip.compress(body, 1), "zstd": zstd.compress}[packing]
    bomb = pack(bytes(2 * transporting.LARGEST_BODY))
    tracemalloc.start()
    try:
        outcome = await meet(says(reply(bomb, "200 OK", f"content-encoding: {packing}")))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert outcome == Fault(FaultKind.PROTOCOL, "ValueError: a reply of more than 64 MiB")
    assert peak < 1.2 * transporting.LARGEST_BODY


@SOCKET
async def test_a_body_without_an_end_is_cut_off(monkeypatch):
    monkeypatch.setattr(transporting, "LARGEST_BODY", 1_000_000)

    async def endless(line, _):
        await line.say(CHUNKED)
        while True:
            await line.say(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")

    async with faulty(endless) as server:
        outcome = await send(server.url)
        await asyncio.wait_for(server.left.wait(), LONG)

    assert outcome.kind is FaultKind.PROTOCOL


@SOCKET
async def test_a_port_that_nobody_listens_on():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        outcome = await send(f"http://127.0.0.1:{free.getsockname()[1]}")

    assert outcome.kind is FaultKind.CONNECT


@SOCKET
async def test_a_host_that_nobody_knows(monkeypatch):
    async def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    # what a name server would say, without asking one
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)

    assert (await send("https://nowhere.invalid")).kind is FaultKind.CONNECT


@SOCKET
async def test_a_port_that_accepts_nobody():
    """More wait to be let in than the system keeps, as before a server that hangs."""
    async with AsyncExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            plug = stack.enter_context(socket.socket())
            plug.setblocking(False)  # noqa: FBT003 - the name of the function says what it is
            plug.connect_ex(full.getsockname())
        outcome = await send(f"http://127.0.0.1:{full.getsockname()[1]}", SHORT)

    assert outcome.kind is FaultKind.TIMEOUT


# --- this machine's own limits


@contextmanager
def no_more_files():
    """As many files are open as may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@SOCKET
async def test_too_many_open_files_are_nobody_elses_fault():
    async with faulty() as server, AiohttpTransport() as transport:
        template = Template(f"{server.url}/x", {}, b"{")
        with no_more_files():
            outcome = await transport.post(template, b"{}", LONG)
        assert outcome.kind is FaultKind.LOCAL
        assert (await transport.post(template, b"{}", LONG)).status == 200


@pytest.mark.parametrize("number", [socket.EAI_NONAME, socket.EAI_AGAIN])
def test_a_name_that_cannot_be_looked_up_for_want_of_files_is_not_unknown(number):
    """The system says the same of both, since it cannot even open the list of hosts."""
    error = socket.gaierror(number, "Name or service not known")
    assert fault_of(error).kind is not FaultKind.LOCAL

    with no_more_files():
        assert fault_of(error).kind is FaultKind.LOCAL


@SOCKET
async def test_connections_are_used_again():
    async with faulty() as server, AiohttpTransport() as transport:
        sender = Wire({"eastus": target(server.url)}, transport, LONG)
        for _ in range(20):
            assert (await sender.send("eastus", job())).body == OK

        assert (server.connections, len(server.heard)) == (1, 20)


@SOCKET
async def test_a_connection_that_was_closed_while_it_was_kept_is_not_used_again():
    async with faulty(says(reply(), then=Line.close)) as server, AiohttpTransport() as transport:
        template = Template(f"{server.url}/x", {}, b"{")
        for number in (1, 2, 3):
            server.left.clear()
            assert (await transport.post(template, b"{}", LONG)).body == OK
            await asyncio.wait_for(server.left.wait(), LONG)
            assert server.connections == number


@SOCKET
@pytest.mark.parametrize(
    ("said", "status"), [(UPGRADED, 101), (b"HTTP/1.1 204 No Content\r\n\r\n", 204)]
)
async def test_a_reply_without_a_body_holds_no_connection(said, status):
    loop, complaints = asyncio.get_running_loop(), []
    loop.set_debug(True)  # then aiohttp says what was not closed
    loop.set_exception_handler(lambda _, context: complaints.append(context["message"]))

    assert (await meet(says(said))).status == status
    gc.collect()

    assert not complaints


REPEATED = {
    "an error": (reply(f'{{"error":{{"message":"not {KEY}!"}}}}'.encode(), "401 No"), 401),
    "an answer": (reply(OK.replace(b"yes", KEY.encode())), 200),
    "no JSON": (reply(f"<p>api-key: {KEY}</p>".encode(), "400 No"), 400),
    "a header": (reply(OK, "200 OK", f"x-request-id: {KEY}"), 200),
}


@SOCKET
@pytest.mark.parametrize("name", REPEATED)
async def test_a_key_that_is_sent_back_goes_no_further(name):
    said, status = REPEATED[name]
    outcome = await meet(says(said))

    assert outcome.status == status
    assert KEY not in f"{outcome.body} {dict(outcome.headers)}"
    assert "(key)" in f"{outcome.body} {dict(outcome.headers)}"


@SOCKET
async def test_a_key_in_what_is_no_http_goes_no_further():
    outcome = await meet(says(f"{KEY}\r\n\r\n".encode()))

    assert outcome.kind is FaultKind.PROTOCOL
    assert KEY not in outcome.detail
    assert "(key)" in outcome.detail


@SOCKET
async def test_a_token_that_is_sent_back_goes_no_further():
    async def token():
        return "token-" + KEY

    async with (
        faulty(says(reply(f"token-{KEY}".encode()))) as server,
        AiohttpTransport() as transport,
    ):
        targets = {"eastus": target(server.url, auth="entra", key=None)}
        outcome = await Wire(targets, transport, LONG, {"eastus": token}).send("eastus", job())

    assert outcome.body == b"(key)"


@SOCKET
async def test_what_is_shorter_than_any_key_stays_in_an_answer():
    async with faulty(says(reply(b'{"k1":1}'))) as server:
        assert (await send(server.url, key="k1")).body == b'{"k1":1}'


@SOCKET
@pytest.mark.parametrize("late", [False, True])
async def test_a_second_reply_is_not_given_to_another_job(late):
    """An answer that nobody asked for, at once or after the first one was read."""
    first_read = asyncio.Event()

    async def twice(line, heard):
        if heard.connection > 1:
            await line.say(reply(b"mine"))
        elif late:
            await line.say(reply(b"first"))
            await first_read.wait()
            await line.say(reply(b"stray"))
        else:
            await line.say(reply(b"first") + reply(b"stray"))

    async with faulty(twice) as server, AiohttpTransport() as transport:
        template = Template(f"{server.url}/x", {}, b"{")
        assert (await transport.post(template, b"{}", LONG)).body == b"first"
        first_read.set()
        await asyncio.sleep(0.05)  # until the stray reply is there
        outcome = await transport.post(template, b"{}", LONG)

    assert getattr(outcome, "body", b"mine") == b"mine"


@SOCKET
async def test_as_many_wait_as_were_sent():
    """The leases limit how many connections there are, and nothing else does."""
    everyone = asyncio.Event()

    async def gather(line, _):
        if len(server.heard) == 300:
            everyone.set()
        await everyone.wait()
        await line.say(reply())

    async with faulty(gather) as server, AiohttpTransport() as transport:
        template = Template(f"{server.url}/x", {}, b"{")
        sent = [transport.post(template, b"{}", LONG) for _ in range(300)]
        outcomes = await asyncio.gather(*sent)

    assert {outcome.status for outcome in outcomes} == {200}


@SOCKET
async def test_who_is_cancelled_hangs_up():
    async with faulty(says()) as server:
        task = asyncio.ensure_future(send(server.url))
        await asyncio.wait_for(server.asked.wait(), LONG)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.left.wait(), LONG)


@SOCKET
async def test_cookies_and_proxies_change_nothing(monkeypatch):
    async with faulty(says(reply(OK, "200 OK", "set-cookie: a=b"), then=Line.say)) as server:
        async with faulty() as trap, AiohttpTransport() as transport:
            for name in ("http_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, trap.url)
            sender = Wire({"eastus": target(server.url)}, transport, LONG)
            for _ in range(2):
                await sender.send("eastus", job())

        assert trap.connections == 0
        assert [("cookie" in heard.headers) for heard in server.heard] == [False, False]


async def test_a_transport_must_be_entered():
    with pytest.raises(RuntimeError, match="before it is entered"):
        await AiohttpTransport().post(Template("http://127.0.0.1", {}, b"{"), b"", LONG)


async def test_a_refused_connection_leaves_no_circle_that_holds_the_body():
    """The collector may come late, and a body may have megabytes."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        template = Template(f"http://127.0.0.1:{nobody.getsockname()[1]}/x", {}, b"{")
        async with AiohttpTransport() as transport:
            await transport.post(template, b"{}", LONG)
            gc.collect()
            gc.disable()
            try:
                outcome = await transport.post(template, b"{}", LONG)
                assert gc.collect() == 0
            finally:
                gc.enable()
    assert outcome.kind is FaultKind.CONNECT
