"""What one rendering of a template may cost, paid before it is spent."""

from typing import Any

from .strict import RefusedError

TURNS = 100_000  #: of all loops together; filters and comparisons take turns as well
MOST = 16 * 1024 * 1024  #: characters of all texts that are made
BUDGET = "\0budget"  #: where it lies among the variables; no template can write this name

_A_TURN = 4096  # characters that are looked at in one turn


class Budget:
    """What one rendering may still do."""

    __slots__ = ("_characters", "_turns")

    def __init__(self) -> None:
        self._turns = TURNS
        self._characters = MOST

    def turn(self, count: int = 1) -> None:
        """Take ``count`` turns of a loop."""
        self._turns -= count
        if self._turns < 0:
            raise RefusedError(f"takes more than {TURNS:,} turns: loop over less")

    def make(self, size: int) -> None:
        """Make a text of ``size`` characters."""
        self._characters -= size
        if self._characters < 0:
            raise RefusedError(f"makes more than {MOST >> 20} MiB of text: make less")

    def look(self, value: Any) -> None:
        """Look at all of ``value``, as a comparison does."""
        self.turn(1 + len(value) // _A_TURN if type(value) is str else 1)
        if isinstance(value, dict):
            for pair in value.items():
                self.look(pair)
        elif isinstance(value, list | tuple):
            for item in value:
                self.look(item)
