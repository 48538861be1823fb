"""All regions at once, each by itself: on the virtual clock, against the simulator and scripts."""

import asyncio

import pytest

from batchrunner.config import read_settings
from batchrunner.doctor.examination import Mark
from batchrunner.doctor.probing import examine, places, probe, probe_all
from batchrunner.wire import Wire
from tests.doctor.clinic import (
    MODEL,
    VERSIONED,
    Scripted,
    answer,
    error,
    place,
    simulated,
    wire_to,
)
from tests.faultserver import faulty, reply, says

QUICK = {"latency": {"speed": 50.0}}
SICK = {
    "seed": 1,
    "regions": [
        {"name": "fine", "location": "East US", "rpm": 600, "tpm": 120_000, **QUICK},
        {"name": "key", "env_key": "not-the-key-of-it", **QUICK},
        {"name": "missing", "deployments": ["other"], **QUICK},
        {"name": "down", "faults": [{"kind": "outage"}], **QUICK},
        {"name": "hangs", "faults": [{"kind": "hang"}], **QUICK},
        {"name": "page", "faults": [{"kind": "garbage"}], **QUICK},
        {"name": "busy", "faults": [{"kind": "capacity"}], **QUICK},
        {"name": "resets", "faults": [{"kind": "reset"}], **QUICK},
    ],
    "openai": {"rpm": 500, "tpm": 200_000, **QUICK},
}


async def test_every_region_is_examined_by_itself_and_a_silent_one_holds_up_nobody():
    began = asyncio.get_running_loop().time()
    _, _, found = await simulated(SICK)
    marks = {one.name: (one.mark.value, one.outcome) for one in found}

    assert marks == {
        "fine": ("ok", "ok"),
        "key": ("FAILED", "barred"),
        "missing": ("FAILED", "barred"),
        "down": ("FAILED", "http_503"),
        "hangs": ("FAILED", "timeout"),
        "page": ("FAILED", "bad_payload"),
        "busy": ("warning", "throttled"),
        "resets": ("FAILED", "reset"),
        "openai": ("ok", "ok"),
    }
    assert asyncio.get_running_loop().time() - began == 20.0
    assert [one.calls for one in found] == [1] * 9


async def test_what_the_service_tells_of_itself_is_read():
    _, _, found = await simulated(SICK)
    fine, *_, plain = found

    assert (fine.model, fine.region, fine.status) == (VERSIONED, "East US", 200)
    assert (fine.limits.rpm, fine.limits.tpm, fine.limits.requests_left) == (600, 120_000, 599)
    assert (plain.kind, plain.limits.rpm, plain.api_version) == ("openai", 500, "v1")
    assert {one.schema.support for one in (fine, plain)} == {"yes"}


async def test_a_reasoning_model_is_asked_so_that_it_answers():
    _, _, found = await simulated(SICK, "o3-mini")

    assert found[0].mark is Mark.OK


async def test_no_more_than_three_calls_are_made_whatever_is_refused():
    outcome = error(400, "response_format max_completion_tokens could not finish the message")
    transport = Scripted(*[outcome] * 9)
    found = await probe(wire_to([place()], transport), place())

    assert found.calls == len(transport.bodies) == 3
    assert found.mark is Mark.FAILED
    assert [body["model"] for body in transport.bodies] == [MODEL] * 3


async def test_all_calls_to_a_region_share_its_time():
    slow = Scripted(*[error(400, "response_format")] * 2, answer(), delay=15.0)
    found = await probe(wire_to([place()], slow), place())

    assert asyncio.get_running_loop().time() == 20.0
    assert (found.outcome, found.calls, found.seconds) == ("timeout", 2, 5.0)
    assert found.schema.support == "no"


async def test_a_region_without_a_model_is_not_asked_and_the_others_are():
    nameless, other = place("a", model=None), place("b")
    transport = Scripted(answer())
    found = await probe_all(wire_to([nameless, other], transport), [nameless, other])

    assert [one.outcome for one in found] == ["no_model", "ok"]
    assert len(transport.bodies) == 1


async def test_the_model_is_that_of_the_command_line_else_each_deployment():
    environ = {
        "AZURE_OPENAI_API_KEY_1": "k",
        "AZURE_OPENAI_ENDPOINT_1": "https://a.openai.azure.com",
        "AZURE_OPENAI_DEPLOYMENT_1": "prod",
        "AZURE_OPENAI_API_KEY_2": "k",
        "AZURE_OPENAI_ENDPOINT_2": "https://b.openai.azure.com",
        "OPENAI_API_KEY": "k",
    }
    bare, named = read_settings({}, environ, {}), read_settings({"model": "m"}, environ, {})

    assert [one.called for one in places(bare)] == ["prod", None, None]
    assert [one.called for one in places(named)] == ["prod", "m", "m"]
    assert [one.called for one in places(bare, "x")] == ["prod", "x", "x"]


async def test_what_the_fallback_is_forbidden_is_not_examined():
    _, regions, found = await simulated(SICK, BATCHRUNNER_NO_FALLBACK="true")

    assert "openai" not in [one.name for one in found]
    assert len(regions) == len(found) == 8


async def test_a_key_that_is_sent_back_is_in_nothing_that_is_found():
    key = "0123456789abcdef"
    transport = Scripted(error(401, f"wrong key {key}", key, x_ms_region=key))
    found = await probe(wire_to([place()], transport), place())

    assert "(key)" in found.reason
    assert key not in repr(found)


FAULTS = {
    "a whole answer": (says(reply(b'{"choices":[{"message":{"content":"yes"}}]}')), "ok"),
    "no HTTP": (says(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "protocol"),
    "a reset": (lambda line, _: line.reset(), "reset"),
    "silence": (says(), "timeout"),
    "a redirect": (says(reply(b"", "307 No", "location: http://127.0.0.1:1/")), "barred"),
}


@pytest.mark.socket
@pytest.mark.parametrize("name", FAULTS)
async def test_over_real_connections_too(name):
    behave, outcome = FAULTS[name]
    async with faulty(behave) as server:
        environ = {"AZURE_OPENAI_API_KEY_1": "k" * 20, "AZURE_OPENAI_ENDPOINT_1": server.url}
        settings = read_settings({"timeout": 0.3}, environ, {})
        found = await examine(settings, "m")

    assert [one.outcome for one in found] == [outcome]
    assert len(server.heard) == 1
    assert found[0].schema.support == ("no" if outcome == "ok" else "unknown")


@pytest.mark.socket
async def test_nobody_at_home():
    environ = {"AZURE_OPENAI_API_KEY_1": "k", "AZURE_OPENAI_ENDPOINT_1": "http://127.0.0.1:1"}
    (found,) = await examine(read_settings({"timeout": 5.0}, environ, {}), "m")

    assert found.outcome == "connect"
    assert found.reason.startswith("no connection: 127.0.0.1:1")
    assert "AZURE_OPENAI_ENDPOINT_n" in found.remedy  # nobody has said what it is called


@pytest.mark.socket
async def test_everything_is_prepared_before_the_first_call_so_that_times_are_the_regions_own():
    class Watching(Scripted):
        async def post(self, *request):
            ready.append([one.template is not None for one in wire._prepared.values()])
            return await super().post(*request)

    ready = []
    regions = [place(f"r{n}") for n in range(4)]
    targets = {p.target.name: p.target for p in regions}
    wire = Wire(targets, Watching(*[answer()] * 4), 5.0)
    await probe_all(wire, regions)

    assert ready == [[True] * 4] * 4


@pytest.mark.socket
async def test_a_token_that_cannot_be_had_is_told_of_that_region_alone():
    async def no_token():
        raise OSError

    entra, other = place("a", auth="entra", key=None), place("b")
    targets = {p.target.name: p.target for p in (entra, other)}
    wire = Wire(targets, Scripted(answer()), 5.0, {"a": no_token})
    found = await probe_all(wire, [entra, other])

    assert [one.outcome for one in found] == ["connect", "ok"]
    assert "az login" in found[0].remedy
