"""Ids that occur twice, found with eight bytes for each id."""

from array import array
from collections.abc import Callable, Iterator

_BUCKETS = 256


class Seen:
    """Remembers ids by their hashes.

    The hashes lie in buckets, so that the search for equal ones needs a set of one bucket at a
    time and not of all. Two ids may share a hash: what is found is a suspicion, to be confirmed
    by a second look at the ids themselves.
    """

    def __init__(self, hashed: Callable[[str], int] = hash) -> None:
        self.hashed = hashed
        self._buckets = [array("q") for _ in range(_BUCKETS)]

    def add(self, name: str) -> None:
        """Remember ``name``."""
        value = self.hashed(name)
        self._buckets[value & 0xFF].append(value)

    def suspects(self) -> Iterator[int]:
        """The hashes that occur more than once."""
        for bucket in self._buckets:
            if len(set(bucket)) < len(bucket):
                yield from _repeated(bucket)


def _repeated(bucket: "array[int]") -> set[int]:
    once: set[int] = set()
    more: set[int] = set()
    for value in bucket:
        (more if value in once else once).add(value)
    return more
