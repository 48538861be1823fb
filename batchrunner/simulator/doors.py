"""What a call must pass before it is answered.

The doors stand in this order, and the first that refuses a call answers it:

1. the path, the api-version and the method;
2. the key;
3. the deployment, which a v1 request names in its body;
4. the request itself;
5. room for one more call, and the quota, which charges the call.
"""

import random
from dataclasses import dataclass

from .clock import Clock
from .dialect import Call, Dialect, Problem, Wait, wait_to_tell
from .faults import RetryAfter, Troubles
from .limits import Decision, Quota
from .operations import read
from .order import Complaint, Operation, Order, unsupported
from .scenario import Target

#: How long a full region asks to wait: nobody knows how long that lasts.
HIGH_DEMAND = 20.0

#: The first api-version that knows responses.
RESPONSES_SINCE = "2025-03-01-preview"


@dataclass(frozen=True, slots=True)
class Visit:
    """A call with everything that is decided when it arrives."""

    call: Call
    chance: random.Random
    troubles: Troubles
    number: int  #: 128 bits that name it
    began: float  #: seconds since the first call of the scenario


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that may be answered."""

    order: Order
    model: str
    decision: Decision


class Refused(Exception):  # noqa: N818  # it is no error of the simulator
    """A door stays closed; ``cause`` is what statistics count it as."""

    def __init__(
        self, problem: Problem, cause: str = "error", decision: Decision | None = None
    ) -> None:
        super().__init__(problem.status)
        self.problem = problem
        self.cause = cause
        self.decision = decision


class Doors:
    """The doors of one target."""

    def __init__(self, target: Target, dialect: Dialect, quota: Quota, clock: Clock) -> None:
        self._target = target
        self._dialect = dialect
        self._quota = quota
        self._clock = clock

    def enter(self, visit: Visit, in_flight: int, factor: float) -> Admitted:
        """Admit a call, or raise ``Refused``; its quota is multiplied with ``factor``."""
        self._route(visit.call)
        self._key(visit)
        order, model = self._read(visit)
        self._room(visit, in_flight)
        self._quota.scale(visit.began, factor)
        decision = self._quota.ask(visit.began, self._charge(order))
        if decision.axis:
            wait = self._wait(visit, decision.wait)
            problem = self._dialect.throttled(visit.call, model, decision, wait)
            raise Refused(problem, decision.axis.value, decision)
        return Admitted(order, model, decision)

    def _route(self, call: Call) -> None:
        if not call.route.known or (call.route.dated and not call.api_version):
            raise Refused(self._dialect.no_route())
        if call.method != "POST":
            raise Refused(self._dialect.wrong_method(call.method))
        is_response = call.route.dated and call.route.operation is Operation.RESPONSES
        if is_response and (call.api_version or "") < RESPONSES_SINCE:
            raise Refused(self._dialect.too_old())

    def _key(self, visit: Visit) -> None:
        problem = self._dialect.refuses_key(visit.call.headers)
        if problem is None and visit.troubles.refusal("key"):
            problem = self._dialect.wrong_key(self._target.key)
        if problem:
            raise Refused(problem, "key")
        if visit.troubles.refusal("forbidden"):
            raise Refused(self._dialect.forbidden(), "key")

    def _read(self, visit: Visit) -> tuple[Order, str]:
        named = visit.call.route.deployment
        if named is not None:
            self._model(visit, named)
        order = read(visit.call.body, visit.call.route.operation)
        if isinstance(order, Complaint):
            raise Refused(self._dialect.bad(order))
        named = named or order.model
        if named is None:
            raise Refused(self._dialect.bad(Complaint("you must provide a model parameter")))
        model = self._model(visit, named)
        complaint = unsupported(order, model)
        if complaint:
            raise Refused(self._dialect.bad(complaint))
        return order, model

    def _model(self, visit: Visit, name: str) -> str:
        model = self._target.model_of(name)
        if model is None or visit.troubles.refusal("missing"):
            raise Refused(self._dialect.no_deployment(name))
        return model

    def _room(self, visit: Visit, in_flight: int) -> None:
        if visit.troubles.refusal("billing"):
            raise Refused(self._dialect.billing(), "other")
        allowed = self._target.concurrency
        full = allowed is not None and in_flight > allowed
        if full or visit.troubles.refusal("capacity"):
            raise Refused(self._dialect.high_demand(self._wait(visit, HIGH_DEMAND)), "capacity")

    def _charge(self, order: Order) -> int:
        """The tokens that a call may cost; an open answer is taken to be a typical one."""
        answer = order.max_tokens or self._target.answer_tokens
        return order.estimate + answer * order.choices

    def _wait(self, visit: Visit, seconds: float) -> Wait:
        forced = visit.troubles.find(RetryAfter)
        told = forced.seconds if forced else None
        return wait_to_tell(self._target, seconds, self._clock.wall(visit.began), told)
