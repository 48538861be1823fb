"""A few tiny calls to every region: what its headers say, and how long it takes."""

from collections.abc import Iterable
from dataclasses import replace
from statistics import median

import anyio

from ..caller import Send
from ..config import Settings
from ..doctor import asking
from ..doctor.asking import Ask
from ..fleet import open_caller, usable
from ..model import CHAT, Fault, Reply
from ..policy.ratelimit import NOTHING, Advertised, advertised
from ..policy.verdict import Answered, Barred, Faulty, judge
from .latency import fitted
from .limits import ASSUMED, Known, from_headers

CALLS = 3  #: of each region, one after the other


async def probe(settings: Settings, model: str, path: str) -> dict[str, Known]:
    """What every region that may be used says to a request of ``model``; costs some tokens."""
    async with open_caller(settings) as caller:
        return await ask_all(caller.send, [t.name for t in usable(settings)], model, path)


async def ask_all(
    send: Send, regions: Iterable[str], model: str, path: str = CHAT
) -> dict[str, Known]:
    """The same of ``regions``, by a function that sends."""
    found: dict[str, Known] = {}

    async def ask(name: str) -> None:
        found[name] = await _known(send, name, model, path)

    async with anyio.create_task_group() as group:
        for name in regions:
            group.start_soon(ask, name)
    return found


async def _known(send: Send, region: str, model: str, path: str) -> Known:
    ask, said = Ask(path, has_schema=False), NOTHING
    seconds, tokens, problem = [], 0, ""
    for _ in range(CALLS):
        since = anyio.current_time()
        reply = await send(region, ask.job(model))
        ask = asking.instead(ask, reply) or ask
        verdict = judge(reply, path)
        said = _said(reply) or said
        match verdict:
            case Answered(usage):
                seconds.append(anyio.current_time() - since)
                tokens += usage.completion
            case Barred(reason):
                problem = reason
                break
            case Faulty(outcome, message) if not seconds:
                problem = f"{outcome} {message}"
            case _:
                pass
    if not seconds:
        return replace(from_headers(said, ASSUMED), problem=problem)
    return from_headers(said, fitted(median(seconds), model, tokens / len(seconds)))


def _said(reply: Reply | Fault) -> Advertised | None:
    said = advertised(reply.headers) if isinstance(reply, Reply) else NOTHING
    return None if said is NOTHING else said
