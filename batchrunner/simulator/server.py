"""The simulator on real sockets, on the loopback address only."""

import asyncio
import contextlib
import errno
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import anyio
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from .app import Receive, Send, Simulator
from .scenario import OPENAI, Region, Scenario

HOST = "127.0.0.1"
BACKLOG = 2048  #: so that a thousand connections at once are all taken

#: Closing a socket with this option throws away what is unsent and sends a reset.
_NO_LINGER = struct.pack("ii", 1, 0)


class PortError(OSError):
    """The port cannot be listened on; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulator that listens."""

    url: str
    simulator: Simulator

    def environ(self) -> dict[str, str]:
        """The variables that make a client use the simulator."""
        variables: dict[str, str] = {}
        for number, region in enumerate(self.simulator.scenario.regions, 1):
            variables |= self._region(number, region)
        plain = self.simulator.scenario.openai
        if plain:
            variables["OPENAI_API_KEY"] = plain.given_key
            variables["OPENAI_BASE_URL"] = f"{self.url}/{OPENAI}/v1"
        return variables

    def statistics(self) -> dict[str, dict[str, Any]]:
        """What every target has seen, by name."""
        return self.simulator.statistics()

    def _region(self, number: int, region: Region) -> dict[str, str]:
        endpoint = f"{self.url}/{region.name}"
        variables = {
            f"AZURE_OPENAI_API_KEY_{number}": region.given_key,
            f"AZURE_OPENAI_ENDPOINT_{number}": (
                f"{endpoint}/openai/v1/" if region.api == "v1" else endpoint
            ),
            f"AZURE_OPENAI_REGION_{number}": region.name,
        }
        if region.quota_group:
            variables[f"AZURE_OPENAI_QUOTA_GROUP_{number}"] = region.quota_group
        return variables


class _Protocol(H11Protocol):
    """HTTP that resets the connection when the application raises ``ConnectionResetError``."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._answer = self.app
        self.app = self._guard

    async def _guard(self, scope: Any, receive: Receive, send: Send) -> None:
        try:
            await self._answer(scope, receive, send)
        except ConnectionResetError:
            self.reset()
        except asyncio.CancelledError:
            # Only the end of serving cancels, and uvicorn would report it as a failure.
            self.reset()
        # Until the loss of the connection is known, uvicorn would send an error on it.
        await asyncio.sleep(0)

    def reset(self) -> None:
        """End the connection at once."""
        plug = self.transport.get_extra_info("socket")
        if plug is not None and not self.transport.is_closing():
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()


@contextlib.asynccontextmanager
async def serve(scenario: Scenario, port: int = 0) -> AsyncIterator[Simulation]:
    """Serve a scenario in the running event loop; port 0 is any that is free.

    Leaving resets all connections, also those that are waiting for an answer. No signal handlers
    are installed and nothing is logged.
    """
    simulator = Simulator(scenario, epoch=time.time())
    state = ServerState()
    config = uvicorn.Config(
        simulator,
        http=_Protocol,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
    )
    config.load()
    listener = _listen(port)
    server = await asyncio.get_running_loop().create_server(
        lambda: _Protocol(config=config, server_state=state, app_state={}),
        sock=listener,
        backlog=BACKLOG,
    )
    try:
        yield Simulation(f"http://{HOST}:{listener.getsockname()[1]}", simulator)
    finally:
        server.close()
        with anyio.CancelScope(shield=True):
            await _end(state)


async def serve_forever(scenario: Scenario, port: int, announce: Callable[[str], None]) -> None:
    """Serve until cancelled; the lines of an ``.env`` file are announced first."""
    async with serve(scenario, port) as simulation:
        for name, value in simulation.environ().items():
            announce(f"{name}={value}")
        await anyio.sleep_forever()


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            remedy = "another program uses it; choose another port, or 0 for any that is free"
        else:
            remedy = f"{error.strerror}; choose another port, or 0 for any that is free"
        raise PortError(error.errno, f"port {port} cannot be used: {remedy}") from error
    return listener


async def _end(state: ServerState) -> None:
    """Reset what is open, and see every request end."""
    for connection in list(state.connections):
        connection.transport.abort()
    await asyncio.sleep(0)
    tasks = set(state.tasks)
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
