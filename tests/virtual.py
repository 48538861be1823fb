"""The clock that jumps, for tests; those that need real sockets carry the mark ``socket``."""

from batchrunner.planning.clock import VirtualLoop, run

__all__ = ["VirtualLoop", "run"]
