"""Orders to a live run."""

import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from ..channel import SUFFIX, connect, is_own
from ..errors import BatchrunnerError, UsageError
from ..orders import OF_REGIONS, Order
from ..outputs.disk import sibling
from ..outputs.lock import holder
from ..views.state import state_lines
from .talk import say

PATIENCE = 10.0  #: seconds for an answer
LONGEST = 1 << 22  #: bytes of an answer


def ctl_command(output: Path, wanted: Mapping[str, Any], *, as_json: bool) -> int:
    """Tell the run of ``output`` what is wanted; 0 when that is so."""
    answer = ask(output, _order(wanted))
    if not answer.pop("ok", False):
        raise UsageError(str(answer.get("error") or "the run did not understand"))
    if wanted["do"] == "show":
        lines = state_lines(answer["state"])
    else:
        lines = answer["said"] or ["that is so already"]
    say(answer, lines, as_json=as_json)
    return 0


def wanted(what: str, value: str | None, limits: Mapping[str, int | None]) -> dict[str, Any]:
    """What the command line asks for; UsageError for what belongs to another command."""
    given = {name: limit for name, limit in limits.items() if limit is not None}
    if given and what != "region":
        raise UsageError(f"--{next(iter(given))} belongs to: region NAME")
    if what == "concurrency":
        if value is None or not value.isdecimal():
            raise UsageError("concurrency needs a number: how many jobs may be in flight")
        return {"do": what, "concurrency": int(value)}
    if value is not None and what not in OF_REGIONS:
        raise UsageError(f"{what} takes nothing more: leave out {value!r}")
    return {"do": what, "name": value, **given}


def ask(output: Path, order: Order) -> dict[str, Any]:
    """The answer of the run that writes ``output``; UsageError where there is none to be asked."""
    path = sibling(output, SUFFIX)
    try:
        with connect(path, PATIENCE) as connection:
            if not is_own(connection):
                raise UsageError(f"{path} belongs to another user's run: only they may steer it")
            connection.sendall(order.model_dump_json(exclude_none=True).encode() + b"\n")
            return _read(connection, output)
    except (TimeoutError, BlockingIOError):  # the other: more ask than it can look at
        raise BatchrunnerError(
            f"the run of {output} did not answer within {PATIENCE:g} s: try again"
        ) from None
    except PermissionError:
        raise UsageError(f"{path} is another user's: only they may steer their run") from None
    except OSError as error:
        raise UsageError(_why_not(output, error)) from None


def _order(wanted: Mapping[str, Any]) -> Order:
    try:
        order = Order.model_validate(dict(wanted))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise UsageError(f"{first['loc'][0]}: {first['msg']}") from None
    if order.mistake:
        raise UsageError(order.mistake)
    return order


def _read(connection: socket.socket, output: Path) -> dict[str, Any]:
    heard, end = b"", time.monotonic() + PATIENCE
    while not heard.endswith(b"\n"):
        if time.monotonic() > end:
            raise TimeoutError
        more = connection.recv(1 << 16)
        heard += more
        if not more or len(heard) > LONGEST:
            raise BatchrunnerError(f"the run of {output} ended before it answered")
    answer = orjson.loads(heard)
    return answer if isinstance(answer, dict) else {}


def _why_not(output: Path, error: OSError) -> str:
    who = holder(output)
    if who is None:
        return f"no run is writing {output}: ctl is for runs that go on"
    reason = error.strerror or str(error)
    return (
        f"{who} is writing {output}, but cannot be steered ({reason}): it has only just begun, or "
        "runs with --no-control, on another machine, or where no socket could be made (it said so)"
    )
