"""A multi-region Azure OpenAI, and plain OpenAI, on this machine.

It behaves towards its clients as the services do: it counts requests and tokens, throttles, tells
limits in headers, takes time, and breaks down as its scenario says. It shares no code with the
rest of the package, so that a misunderstanding of the services cannot hide on both sides.

``Simulator`` is the ASGI application; ``batchrunner.simulator.server`` puts it on real sockets
and is imported only where that is wanted.
"""

from .app import Simulator
from .loading import load
from .scenario import Scenario, ScenarioError, parse, validate
from .text import prompt_digest

__all__ = [
    "Scenario",
    "ScenarioError",
    "Simulator",
    "load",
    "parse",
    "prompt_digest",
    "validate",
]
