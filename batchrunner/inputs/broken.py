"""What stands in the place of a row and is none."""

from typing import Self


class Broken(bytes):
    """What could be read of a row that cannot be told apart into cells."""

    reason: str  #: why, and what to do, in one line

    def __new__(cls, content: bytes, reason: str) -> Self:
        """``content`` is what its fingerprint is made of."""
        self = super().__new__(cls, content)
        self.reason = reason
        return self
