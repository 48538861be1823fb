"""One request to one region, over connections that go wrong in every way."""

import asyncio
import gc
import gzip
import os
import resource
import socket
import ssl
import tracemalloc
from contextlib import AsyncExitStack, contextmanager

import orjson
import pytest
import trustme

from batchrunner import wire
from batchrunner.faults import fault_of
from batchrunner.model import Fault, FaultKind, Job, Reply
from batchrunner.policy.verdict import Barred, Faulty, judge
from batchrunner.sdk import Template
from batchrunner.targets import Target
from batchrunner.tls import make_context
from batchrunner.wire import AiohttpTransport, Wire
from tests.faultserver import OK, Line, faulty, reply, says
from tests.inputs.test_source import zstd

SOCKET = pytest.mark.socket
LONG, SHORT = 10.0, 0.2
KEY = "canary-6f1d-0123456789"


def job(model="gpt-4o", body=b'{"messages":[]}'):
    return Job(0, "", "a", "/chat/completions", model, body)


def target(endpoint, **more):
    return Target(**{"name": "eastus", "endpoint": endpoint, "key": KEY} | more)


async def send(endpoint, deadline=LONG, one=None, options=None, **more):
    """One job to one region; ``options`` are those of the transport."""
    async with AiohttpTransport(**options or {}) as transport:
        sender = Wire({"eastus": target(endpoint, **more)}, transport, deadline)
        return await sender.send("eastus", one or job())


async def meet(behave, deadline=LONG, **options):
    """What comes of a job that meets a server which behaves so."""
    async with faulty(behave, **options) as server:
        return await send(server.url, deadline)


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
    monkeypatch.setattr(wire, "LARGEST_BODY", 100_000)  # 64 MiB would take seconds
    for size, kind in ((100_000, None), (100_001, FaultKind.PROTOCOL)):
        body = b"x" * size
        said = reply(gzip.compress(body), "200 OK", PACKED) if packed else reply(body)
        outcome = await meet(says(said))
        assert getattr(outcome, "kind", None) is kind


@SOCKET
@pytest.mark.parametrize("packing", ["gzip", "zstd"])
async def test_a_small_body_that_unpacks_to_a_huge_one_costs_no_more_than_the_cap(packing):
    pack = {"gzip": lambda body: gzip.compress(body, 1), "zstd": zstd.compress}[packing]
    bomb = pack(bytes(2 * wire.LARGEST_BODY))
    tracemalloc.start()
    try:
        outcome = await meet(says(reply(bomb, "200 OK", f"content-encoding: {packing}")))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert outcome == Fault(FaultKind.PROTOCOL, "ValueError: a reply of more than 64 MiB")
    assert peak < 1.2 * wire.LARGEST_BODY


@SOCKET
async def test_a_body_without_an_end_is_cut_off(monkeypatch):
    monkeypatch.setattr(wire, "LARGEST_BODY", 1_000_000)

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


# --- whom to believe


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def ca_file(authority, tmp_path):
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def certified(authority, name="127.0.0.1"):
    """What a server shows as its name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


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
    ):
        options = {"ca_file": ca_file, "proxy": f"http://user:word@127.0.0.1:{proxy.port}"}
        outcome = await send("https://eastus.openai.azure.com/", options=options)

    assert outcome.body == OK
    assert [heard.line for heard in asked] == ["CONNECT eastus.openai.azure.com:443 HTTP/1.1"]
    assert asked[0].headers["proxy-authorization"] == "Basic dXNlcjp3b3Jk"
    assert KEY not in str(asked)
    assert region.heard[0].headers["api-key"] == KEY


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


@SOCKET
@pytest.mark.parametrize(
    ("tail", "more", "path", "auth", "model"),
    [
        (
            "",
            {},
            "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
            "api-key",
            "gpt-4o",
        ),
        (
            "",
            {"deployment": "a b/c?é%"},
            "/openai/deployments/a%20b%2Fc%3F%C3%A9%25/chat/completions?api-version=2024-10-21",
            "api-key",
            "a b/c?é%",
        ),
        ("/openai/v1/", {}, "/openai/v1/chat/completions", "authorization", "gpt-4o"),
        (
            "/openai/v1/",
            {"deployment": 'mi"ni'},
            "/openai/v1/chat/completions",
            "authorization",
            'mi"ni',
        ),
        ("/v1", {"kind": "openai"}, "/v1/chat/completions", "authorization", "gpt-4o"),
    ],
    ids=["azure", "deployment", "v1", "v1 deployment", "openai"],
)
async def test_every_kind_of_region_gets_what_it_understands(tail, more, path, auth, model):
    async with faulty() as server:
        await send(
            server.url + tail, one=job(body=b'{"messages":[{"a":"\xc3\xa9"}],"n":1}'), **more
        )

    (heard,) = server.heard
    assert heard.line == f"POST {path} HTTP/1.1"
    assert heard.headers[auth] in {KEY, f"Bearer {KEY}"}
    assert list(orjson.loads(heard.body)) == ["model", "messages", "n"]
    assert orjson.loads(heard.body) == {"model": model, "messages": [{"a": "é"}], "n": 1}
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["host"] == f"127.0.0.1:{server.port}"
    assert int(heard.headers.get("x-stainless-retry-count", 0)) == 0
    names = [name.lower() for name in heard.headers]
    assert len(names) == len(set(names))


@SOCKET
async def test_a_region_with_a_token_sends_it_and_not_the_key():
    async def token():
        return "the-token"

    async with faulty() as server, AiohttpTransport() as transport:
        targets = {"eastus": target(server.url, auth="entra")}
        await Wire(targets, transport, LONG, {"eastus": token}).send("eastus", job())

    assert server.heard[0].headers["authorization"] == "Bearer the-token"
    assert KEY not in str(server.heard)


@SOCKET
@pytest.mark.parametrize("token", ["", "two\r\nlines: x", None], ids=["empty", "lines", "none"])
async def test_a_token_that_can_be_none_is_a_fault(token):
    async def provide():
        return token

    async with faulty() as server, AiohttpTransport() as transport:
        targets = {"eastus": target(server.url, auth="entra", key=None)}
        outcome = await Wire(targets, transport, LONG, {"eastus": provide}).send("eastus", job())

    assert isinstance(outcome, Fault)
    assert server.heard == []


@SOCKET
async def test_a_provider_that_fails_is_a_fault_that_names_its_error():
    async def fails():
        raise PermissionError(f"no token for {KEY}")

    async with AiohttpTransport() as transport:
        targets = {"eastus": target("https://127.0.0.1:1", auth="entra", key=None)}
        outcome = await Wire(targets, transport, LONG, {"eastus": fails}).send("eastus", job())

    assert outcome.kind is FaultKind.CONNECT
    assert outcome.detail.endswith("PermissionError")


async def test_a_transport_must_be_entered():
    with pytest.raises(RuntimeError, match="before it is entered"):
        await AiohttpTransport().post(Template("http://127.0.0.1", {}, b"{"), b"", LONG)


class Recording:
    """A transport that answers at once and remembers what it was given."""

    def __init__(self):
        self.sent = []

    async def post(self, template, body, deadline):
        self.sent.append((template, body, deadline))
        return Reply(200, {}, OK)


@pytest.fixture
def builds(monkeypatch):
    """Every template that was built. The SDK takes a second and a thread: here it takes a second.

    A virtual clock knows no threads, so the SDK has a stand-in.
    """
    made = []

    async def build(region, path, model, token=None):
        await asyncio.sleep(1)
        said = await token() if token else ""
        made.append((region.name, path, model, said))
        return Template(f"{region.name} {model} {said}", {}, b'{"model":"%b",' % model.encode())

    monkeypatch.setattr(wire, "make_template", build)
    return made


def virtual(token=None, deadline=LONG):
    regions = {name: target("https://a", name=name) for name in ("eastus", "westus")}
    return Wire(regions, Recording(), deadline, {"eastus": token} if token else {})


async def test_two_hundred_jobs_at_once_share_one_template(builds):
    sender = virtual()
    outcomes = await asyncio.gather(*(sender.send("eastus", job()) for _ in range(200)))

    assert [outcome.status for outcome in outcomes] == [200] * 200
    assert builds == [("eastus", "/chat/completions", "gpt-4o", "")]
    assert len({id(template) for template, *_ in sender.transport.sent}) == 1


async def test_every_region_and_model_has_its_own_template(builds):
    sender = virtual()
    for region, model in [("eastus", "a"), ("westus", "a"), ("eastus", "b"), ("eastus", "a")]:
        await sender.send(region, job(model))

    assert [(region, model) for region, _, model, _ in builds] == [
        ("eastus", "a"),
        ("westus", "a"),
        ("eastus", "b"),
    ]
    assert [template.url for template, *_ in sender.transport.sent] == [
        "eastus a ",
        "westus a ",
        "eastus b ",
        "eastus a ",
    ]


@pytest.mark.usefixtures("builds")
async def test_the_body_is_the_jobs_own_bytes_behind_the_model():
    sender = virtual()
    await sender.send("eastus", job("gpt-4o", b'{"messages": [ 1.50 ],  "x":1e400}'))

    ((_, body, deadline),) = sender.transport.sent
    assert body == b'{"model":"gpt-4o","messages": [ 1.50 ],  "x":1e400}'
    assert deadline == LONG


async def test_a_template_with_a_key_lives_for_ever(builds):
    sender = virtual()
    await sender.send("eastus", job())
    await asyncio.sleep(1e6)
    await sender.send("eastus", job())

    assert len(builds) == 1


class Tokens:
    def __init__(self):
        self.given = 0

    async def __call__(self):
        self.given += 1
        return str(self.given)


async def test_a_template_with_a_token_is_built_again_when_its_life_is_over(builds):
    sender = virtual(Tokens())
    await sender.send("eastus", job())  # built at 0, there at 1
    await asyncio.sleep(wire.TOKEN_LIFE - 1.5)
    await sender.send("eastus", job())
    assert len(builds) == 1
    await asyncio.sleep(1)
    await asyncio.gather(*(sender.send("eastus", job()) for _ in range(200)))

    assert [said for *_, said in builds] == ["1", "2"]
    urls = [template.url for template, *_ in sender.transport.sent]
    assert urls == ["eastus gpt-4o 1"] * 2 + ["eastus gpt-4o 2"] * 200


class Suspicious(Recording):
    """Takes no token but the ``wanted`` one."""

    def __init__(self, wanted):
        super().__init__()
        self.wanted = wanted

    async def post(self, template, body, deadline):
        await super().post(template, body, deadline)
        return Reply(200 if template.url.endswith(self.wanted) else 401, {}, OK)


@pytest.mark.parametrize(("wanted", "status"), [("2", 200), ("7", 401)])
async def test_a_refused_token_is_replaced_once(builds, wanted, status):
    sender = virtual(Tokens())
    sender.transport = Suspicious(wanted)

    outcome = await sender.send("eastus", job())

    assert outcome.status == status
    assert [said for *_, said in builds] == ["1", "2"]
    assert len(sender.transport.sent) == 2


async def test_a_refused_key_is_not_sent_again(builds):
    sender = virtual()
    sender.transport = Suspicious("2")

    assert (await sender.send("eastus", job())).status == 401
    assert len(builds) == len(sender.transport.sent) == 1


@pytest.mark.usefixtures("builds")
async def test_a_provider_that_failed_is_asked_again():
    answers = iter([OSError("no network"), "a token"])

    async def sometimes():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    sender = virtual(sometimes)
    first, second = [await sender.send("eastus", job()) for _ in range(2)]

    assert first == Fault(FaultKind.CONNECT, "no request could be prepared: OSError")
    assert second.status == 200


async def test_what_is_prepared_ahead_is_built_once_and_sends_nothing(builds):
    sender = virtual()
    prepared = [await sender.prepare("eastus", job()) for _ in range(2)]

    assert prepared == [None, None]
    assert sender.transport.sent == []
    assert (await sender.send("eastus", job())).status == 200
    assert len(builds) == len(sender.transport.sent) == 1


@pytest.mark.usefixtures("builds")
async def test_what_cannot_be_prepared_is_a_fault_and_sends_nothing():
    async def never():
        raise OSError

    sender = virtual(never)

    assert (await sender.prepare("eastus", job())).detail.endswith("prepared: OSError")
    assert sender.transport.sent == []


@pytest.mark.usefixtures("builds")
async def test_a_provider_that_never_answers_is_ended_by_the_deadline():
    sender = virtual(asyncio.Event().wait)
    sent = [sender.send("eastus", job()) for _ in range(50)]
    outcomes = await asyncio.gather(*sent)

    assert set(outcomes) == {Fault(FaultKind.TIMEOUT, "no token in time")}
    assert asyncio.get_running_loop().time() == LONG


async def test_who_is_cancelled_while_preparing_leaves_it_to_the_next(builds):
    sender = virtual()
    first = asyncio.ensure_future(sender.send("eastus", job()))
    second = asyncio.ensure_future(sender.send("eastus", job()))
    await asyncio.sleep(0.5)
    first.cancel()

    assert (await second).status == 200
    assert first.cancelled()
    assert len(builds) == 1


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
