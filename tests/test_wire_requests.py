"""What a wire sends, and how often it is prepared."""

import asyncio

import orjson
import pytest

from batchrunner import wire
from batchrunner.model import Fault, FaultKind, Reply
from batchrunner.sdk import Template
from batchrunner.transport import AiohttpTransport
from batchrunner.wire import Wire
from tests.faultserver import OK, faulty
from tests.wiring import KEY, LONG, SOCKET, job, send, target


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


@pytest.mark.usefixtures("builds")
async def test_a_refused_token_that_cannot_be_replaced_is_a_fault():
    answers = iter(["1"])

    async def once():
        answer = next(answers, None)
        if answer is None:
            raise OSError("no network")
        return answer

    sender = virtual(once)
    sender.transport = Suspicious("2")

    outcome = await sender.send("eastus", job())

    assert outcome == Fault(FaultKind.CONNECT, "no request could be prepared: OSError")
    assert len(sender.transport.sent) == 1


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
