"""Regions to examine: the simulator on the virtual clock, or replies as a test words them."""

import asyncio

import orjson

from batchrunner.config import read_settings
from batchrunner.doctor.asking import first, instead
from batchrunner.doctor.examination import Call, examination
from batchrunner.doctor.place import PLAIN, Place
from batchrunner.doctor.probing import places, probe_all
from batchrunner.model import CHAT, Reply
from batchrunner.simulator import Simulator, validate
from batchrunner.simulator.server import Simulation
from batchrunner.targets import Target, variables_of
from batchrunner.wire import Wire, _Prepared
from tests.world import PATH, URL, AsgiTransport, template

MODEL = "gpt-4o-mini"
VERSIONED = "gpt-4o-mini-2024-07-18"
LIMITS = {
    "x-ratelimit-limit-requests": "100",
    "x-ratelimit-renewalperiod-requests": "10",
    "x-ratelimit-limit-tokens": "60000",
    "x-ratelimit-remaining-requests": "99",
    "x-ratelimit-remaining-tokens": "59700",
    "x-ratelimit-reset-requests": "0",
    "x-ratelimit-reset-tokens": "1",
}


def target(name="eastus", **more):
    endpoint = f"https://{name}.openai.azure.com"
    return Target(**{"name": name, "endpoint": endpoint, "key": "0123456789abcdef"} | more)


def place(name="eastus", *, number=1, model=MODEL, path=CHAT, **more):
    return Place(target(name, **more), model, path, 20.0, variables_of(f"_{number}"))


def plain(model=MODEL):
    endpoint = "https://api.openai.com/v1"
    return Place(target("openai", kind="openai", endpoint=endpoint), model, CHAT, 20.0, PLAIN)


def reply(status=200, body=None, **headers):
    body = body if isinstance(body, bytes) else orjson.dumps(body)
    return Reply(status, {k.replace("_", "-"): v for k, v in headers.items()}, body)


def error(status, message, code=None, **headers):
    return reply(status, {"error": {"code": code, "message": message}}, **headers)


def answer(text='{"answer":"ok"}', model=VERSIONED, finish="stop", headers=LIMITS, **more):
    body = {
        "model": model,
        "choices": [{"message": {"content": text, **more}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 50, "completion_tokens": 6},
    }
    return Reply(200, headers, orjson.dumps(body))


def asked(where, *outcomes):
    """The calls that a region gets when it answers so, one after another."""
    ask, calls = first(where.path), []
    for outcome in outcomes:
        calls.append(Call(ask, outcome, 0.5))
        if (simpler := instead(ask, outcome)) is None:
            break
        ask = simpler
    return calls


def examined(where, *outcomes):
    """A region that answers so."""
    return examination(where, asked(where, *outcomes))


class Scripted:
    """A transport that answers from a list, and keeps what it was asked."""

    def __init__(self, *outcomes, delay=0.0):
        self.outcomes, self.delay, self.bodies = list(outcomes), delay, []

    async def post(self, _template, body, _deadline):
        self.bodies.append(orjson.loads(body))
        await asyncio.sleep(self.delay)
        return self.outcomes.pop(0)


def settings_of(scenario, **environ):
    """A simulator, and the settings that lead to it."""
    simulator = Simulator(validate(scenario))
    found = Simulation(URL, simulator).environ() | environ
    return simulator, read_settings({"timeout": 20.0}, found, {})


async def simulated(scenario, model=MODEL, **environ):
    """The examinations of a scenario's regions."""
    simulator, settings = settings_of(scenario, **environ)
    regions = places(settings, model)
    wire = wire_to(regions, AsgiTransport(simulator, lambda: 0.01), settings.timeout)
    return settings, regions, await probe_all(wire, regions)


def wire_to(regions, transport, timeout=20.0):
    """What the SDK prepares takes a thread, which the virtual clock cannot wait for."""
    wire = Wire({p.target.name: p.target for p in regions}, transport, timeout)
    for one in regions:
        if one.called is not None:
            prepared = _Prepared(template(one.target, one.called))
            wire._prepared[one.target.name, PATH, one.called] = prepared
    return wire
