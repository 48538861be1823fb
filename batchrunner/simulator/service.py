"""One region as it lives: its quota, its calls in flight, and its bad days.

A call first meets what is wrong with the network or the gateway, then the doors; then the
content filter reads it; then its answer takes its time, and may still break.
"""

import asyncio
import hashlib
import random
from collections import Counter
from dataclasses import dataclass

import orjson

from .clock import Clock
from .completion import Usage, Written, compose
from .dialect import Call, Dialect, Header, Problem
from .doors import Admitted, Doors, Refused, Visit
from .faults import Error, Garbage, Hang, Outage, Reset, Slow, Trickle, Troubles
from .limits import Decision, Quota
from .operations import write
from .order import FILTER_MARKER, LONG_MARKER, Operation
from .scenario import Target
from .tally import Tally

_GARBAGE = {
    "html": (b"text/html", b"<html><head><title>Sign in</title></head><body></body></html>"),
    "empty": (b"application/json", b""),
    "broken": (b"application/json", b'{"id": "chatcmpl-broken", "choices": [{"ind'),
    "object": (b"application/json", b"{}"),
    "null": (b"application/json", b"null"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the client."""

    status: int
    headers: list[Header]
    body: bytes
    cut: bool = False  #: the connection is reset in the middle of the body
    trickle: float = 0.0  #: seconds over which the body is spread


class Service:
    """One target, an Azure region or plain OpenAI."""

    def __init__(
        self, target: Target, dialect: Dialect, quota: Quota, clock: Clock, seed: str
    ) -> None:
        self.tally = Tally()
        self._target = target
        self._dialect = dialect
        self._quota = quota
        self._doors = Doors(target, dialect, quota, clock)
        self._seed = hashlib.blake2b(seed.encode(), digest_size=32).digest()
        self._clock = clock
        self._repeats: Counter[bytes] = Counter()

    async def answer(self, call: Call, factor: float = 1.0) -> Answer:
        """Answer a call in its own time; its quota is multiplied with ``factor``.

        A call whose connection is to be reset raises ``ConnectionResetError``.
        """
        visit = self._visit(call)
        self.tally.arrive()
        try:
            return await self._answer(visit, factor)
        except asyncio.CancelledError:
            self.tally.abandoned += 1
            raise
        finally:
            self.tally.in_flight -= 1

    def _visit(self, call: Call) -> Visit:
        """Chance depends on the seed, the region, the body, and how often that body came."""
        digest = hashlib.blake2b(call.body, digest_size=8, key=self._seed).digest()
        repeat = self._repeats[digest]
        self._repeats[digest] = repeat + 1
        chance = random.Random(int.from_bytes(digest) * 1_000_003 + repeat)  # noqa: S311  # no secret
        number = chance.getrandbits(128)
        self.tally.sdk_retries += call.headers.get(b"x-stainless-retry-count", b"0") != b"0"
        now = self._clock.now()
        return Visit(call, chance, Troubles(self._target.faults, now, chance), number, now)

    async def _answer(self, visit: Visit, factor: float) -> Answer:
        if visit.troubles:
            problem = await self._gateway(visit)
            if problem:
                return self._refuse(visit, Refused(problem), at_gateway=True)
        try:
            admitted = self._doors.enter(visit, self.tally.in_flight, factor)
            return await self._serve(visit, admitted)
        except Refused as refused:
            return self._refuse(visit, refused)

    async def _gateway(self, visit: Visit) -> Problem | None:
        """What goes wrong before anything is looked at."""
        if hang := visit.troubles.find(Hang):
            await self._hang(visit.call, hang.seconds)
        reset = visit.troubles.find(Reset)
        if reset and reset.where == "start":
            self.tally.faults["reset"] += 1
            raise ConnectionResetError("the connection was reset")
        outage = visit.troubles.find(Outage)
        return self._dialect.failed(outage.status) if outage else None

    async def _hang(self, call: Call, seconds: float) -> None:
        self.tally.faults["hang"] += 1
        try:
            async with asyncio.timeout(seconds):
                await call.gone()
        except TimeoutError:
            pass
        raise ConnectionResetError("nobody waits any longer")

    async def _serve(self, visit: Visit, admitted: Admitted) -> Answer:
        """The call is charged, whatever becomes of it now."""
        decision = admitted.decision
        self.tally.charged_tokens += decision.charged
        await self._inspect(visit, admitted)
        choices, usage = compose(admitted.order, self._target.answer_tokens, visit.chance)
        await asyncio.sleep(self._seconds(visit, admitted.model, (usage.prompt, usage.longest)))
        failure = visit.troubles.find(Error)
        if failure:
            raise Refused(self._dialect.failed(failure.status), "error", decision)
        self._quota.settle(self._clock.now(), decision, usage.prompt + usage.completion)
        headers = self._headers(visit, decision)
        if garbage := visit.troubles.find(Garbage):
            return self._garbage(garbage, headers)
        created = int(self._clock.wall(visit.began))
        written = Written(admitted.order, admitted.model, choices, usage, visit.number, created)
        return self._finish(visit, headers, self._body(written), usage)

    def _body(self, written: Written) -> bytes:
        table = write(written)
        is_chat = written.order.operation is Operation.CHAT
        return orjson.dumps(self._dialect.decorate(table) if is_chat else table)

    async def _inspect(self, visit: Visit, admitted: Admitted) -> None:
        """The content filter and the model's context refuse a prompt after a little time."""
        order = admitted.order
        too_long = LONG_MARKER in order.text or order.prompt_tokens > self._target.context
        if too_long or visit.troubles.refusal("context"):
            problem = self._dialect.too_long(order, self._target.context)
        elif FILTER_MARKER in order.text or visit.troubles.filters(order.text):
            problem = self._dialect.filtered()
        else:
            return
        await asyncio.sleep(self._seconds(visit, admitted.model, (order.prompt_tokens, 0)) / 4)
        raise Refused(problem, "error", admitted.decision)

    def _seconds(self, visit: Visit, model: str, tokens: tuple[int, int]) -> float:
        load = self.tally.in_flight / self._target.concurrency if self._target.concurrency else 0
        seconds = self._target.latency.seconds(visit.chance, model, tokens, load)
        slow = visit.troubles.find(Slow)
        return seconds * slow.factor if slow else seconds

    def _headers(self, visit: Visit, decision: Decision | None) -> list[Header]:
        milliseconds = round((self._clock.now() - visit.began) * 1000)
        headers = self._dialect.headers(visit.number, milliseconds)
        return headers + self._dialect.limit_headers(decision) if decision else headers

    def _refuse(self, visit: Visit, refused: Refused, *, at_gateway: bool = False) -> Answer:
        problem = refused.problem
        self._count(refused)
        if at_gateway:
            headers = self._dialect.gateway_headers(visit.number)
        else:
            headers = self._headers(visit, refused.decision)
        body = b"" if problem.body is None else orjson.dumps(problem.body)
        return Answer(problem.status, [*headers, *problem.headers], body)

    def _count(self, refused: Refused) -> None:
        self.tally.refused_keys += refused.cause == "key"
        if refused.problem.status == 429:
            self.tally.throttled[refused.cause] += 1
        else:
            self.tally.errors[str(refused.problem.status)] += 1

    def _garbage(self, garbage: Garbage, headers: list[Header]) -> Answer:
        self.tally.faults["garbage"] += 1
        kind, body = _GARBAGE[garbage.shape]
        kept = [header for header in headers if header[0] != b"content-type"]
        return Answer(200, [(b"content-type", kind), *kept], body)

    def _finish(self, visit: Visit, headers: list[Header], body: bytes, usage: Usage) -> Answer:
        reset = visit.troubles.find(Reset)
        if reset:
            self.tally.faults["reset"] += 1
            return Answer(200, headers, body, cut=True)
        self.tally.ok += 1
        self.tally.prompt_tokens += usage.prompt
        self.tally.completion_tokens += usage.completion
        self.tally.cached_tokens += usage.cached
        trickle = visit.troubles.find(Trickle)
        return Answer(200, headers, body, trickle=trickle.seconds if trickle else 0.0)
