"""A wire to a region that behaves as a test says."""

import ssl

import pytest

from batchrunner.model import Job
from batchrunner.targets import Target
from batchrunner.transport import AiohttpTransport
from batchrunner.wire import Wire
from tests.faultserver import faulty

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


def certified(authority, name="127.0.0.1"):
    """What a server shows as its name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context
