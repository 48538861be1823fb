"""Where a live run takes orders: one line of JSON each, one line of JSON back.

Whoever is at the other end, however many, and whatever comes: the run goes on.
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import orjson
from pydantic import ValidationError

from .channel import LONGEST, SUFFIX, is_own, listening_at
from .errors import BatchrunnerError
from .orders import Order
from .outputs.disk import sibling

PATIENCE = 5.0  #: seconds for a whole conversation
AT_ONCE = 32  #: conversations; the next ones wait
PAUSE = 1.0  #: seconds until there may be a descriptor for the next one

Obey = Callable[[Order], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Control:
    """Takes orders for the run of one output, for as long as it is awaited."""

    output: Path
    obey: Obey
    complain: Callable[[str], None]  #: is told why there can be no socket
    patience: float = PATIENCE

    async def serve(self) -> None:
        """Take orders until cancelled; returns at once where there can be no socket."""
        path = sibling(self.output, SUFFIX)
        try:
            with listening_at(path) as listener:
                await self._accept(listener)
        except OSError as error:
            reason = error.strerror or str(error)
            self.complain(f"the run cannot be steered, as there is no socket {path}: {reason}")

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        room = anyio.Semaphore(AT_ONCE)
        async with anyio.create_task_group() as group:
            while True:
                await room.acquire()
                try:
                    connection, _ = await loop.sock_accept(listener)
                except OSError:  # no descriptors are left, or it hung up
                    room.release()
                    await anyio.sleep(PAUSE)
                else:
                    group.start_soon(self._converse, connection, room)

    async def _converse(self, connection: socket.socket, room: anyio.Semaphore) -> None:
        loop = asyncio.get_running_loop()
        try:
            with connection, anyio.move_on_after(self.patience):
                connection.settimeout(0)
                answer = await self._answer(connection)
                await loop.sock_sendall(connection, orjson.dumps(answer) + b"\n")
        except OSError:  # it hung up
            pass
        finally:
            room.release()

    async def _answer(self, connection: socket.socket) -> dict[str, Any]:
        line = await _line(connection)
        if not is_own(connection):
            return {"ok": False, "error": "only the user whose run it is may steer it"}
        if line is None:
            return {"ok": False, "error": f"an order is one line of at most {LONGEST} bytes"}
        return carry_out(line, self.obey)


def carry_out(line: bytes, obey: Obey) -> dict[str, Any]:
    """Do what a line asks for; the answer to it, whatever it is."""
    try:
        return {"ok": True, **obey(Order.model_validate_json(line))}
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "order"
        return {"ok": False, "error": f"{place}: {first['msg']}"}
    except BatchrunnerError as error:
        return {"ok": False, "error": str(error)}
    except Exception as error:  # noqa: BLE001 - a question must not end a run
        return {"ok": False, "error": f"an error of its own: {type(error).__name__}: {error}"}


async def _line(connection: socket.socket) -> bytes | None:
    """What comes before the first line end; None where that is too long, or never comes."""
    loop = asyncio.get_running_loop()
    heard = b""
    while b"\n" not in heard:
        more = await loop.sock_recv(connection, LONGEST)
        heard += more
        if not more or len(heard) > LONGEST:
            return None
    return heard.partition(b"\n")[0]
