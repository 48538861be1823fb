"""Push a file of LLM prompts through every Azure OpenAI quota you own.

The names below are the public interface; everything else may change. They are loaded when they
are first used, so that ``batchrunner --help`` need not wait for an HTTP client.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .batch import run, run_async
    from .completion import call_completion, call_completion_async
    from .model import Job, Result
    from .settings import Settings
    from .streaming import stream

__all__ = [
    "Job",
    "Result",
    "Settings",
    "call_completion",
    "call_completion_async",
    "run",
    "run_async",
    "stream",
]

_HOME = {
    "Job": "model",
    "Result": "model",
    "Settings": "settings",
    "call_completion": "completion",
    "call_completion_async": "completion",
    "run": "batch",
    "run_async": "batch",
    "stream": "streaming",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
