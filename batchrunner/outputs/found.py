"""The result of a row, in the results of a run or in the Batch output of a service."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from ..errors import DamagedError, IdentityError, UsageError
from ..inputs.jsonl import fingerprint
from . import foreign
from .lines import MAX_LINE, check, decode
from .places import opened, places


class Results(Protocol):
    """What answers were given to which rows."""

    failed: int
    end: int  #: no row from this ordinal on has a result by its place

    @property
    def unmatched(self) -> int:
        """How many results have answered no row so far, where that can be."""

    def __len__(self) -> int:
        """How many results there are."""

    def of(self, ordinal: int, row: bytes, name: Callable[[], str]) -> Mapping[str, Any] | None:
        """The result of a row, which has this ordinal, content and id; None: there is none yet.

        Raises IdentityError where it is that of another row.
        """

    def all(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Every result with its ordinal, in order."""

    def check_end(self, rows: int) -> None:
        """Raise IdentityError where there are results behind the last of so many rows."""

    def close(self) -> None:
        """Let go of the file."""


class OwnResults:
    """The results of a run: a row is known by its place and its fingerprint."""

    def __init__(self, path: Path, look: Callable[[bytes], None] = lambda _: None) -> None:
        """Reads all of ``path``, and shows each whole line to ``look``."""
        self._lines = places(path, look)
        self.failed, self.end = self._lines.failed, self._lines.end
        self.unmatched = 0  # the end is checked instead

    def __len__(self) -> int:
        return len(self._lines)

    def of(self, ordinal: int, row: bytes, name: Callable[[], str]) -> Mapping[str, Any] | None:  # noqa: ARG002 - the place is enough
        """By its ordinal."""
        line = self._lines.line(ordinal)
        if line is None:
            return None
        if self._mark(line) != fingerprint(row):
            raise IdentityError(
                f"row {ordinal + 1} of the input is not the one that the results have an answer "
                "for: it was edited, moved or removed; give the input as it was with --input"
            )
        return decode(line)

    def all(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Every result with its ordinal, in order."""
        for ordinal, line in self.lines():
            yield ordinal, decode(line)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Every line as it was written, with its ordinal, in order."""
        for ordinal in range(self._lines.end):
            line = self._lines.line(ordinal)
            if line is not None:
                self._mark(line)
                yield ordinal, line

    def check_end(self, rows: int) -> None:
        """Raise IdentityError where there are results behind so many rows."""
        if self._lines.end > rows:
            raise IdentityError(
                f"there is a result for row {self._lines.end:,} and the input has only {rows:,} "
                "rows: give the input it was made from with --input"
            )

    def close(self) -> None:
        """Let go of the file."""
        self._lines.close()

    def _mark(self, line: bytes) -> str:
        entry = check(line)
        if entry is None:
            raise DamagedError(f"{self._lines.path} was changed while it was read: export again")
        return entry[1].decode()


class BatchResults:
    """The Batch output of a service: a row is known by its id."""

    end = 0

    def __init__(self, path: Path) -> None:
        """Reads all of ``path``."""
        self._places: dict[str, int] = {}
        self._matched: set[str] = set()
        self.failed = 0
        self._remember(path)
        self._file = opened(path)

    def _remember(self, path: Path) -> None:
        for offset, record in foreign.records(path):
            if record["custom_id"] in self._places:
                raise UsageError(f"{path} has two lines for the id {record['custom_id']!a}")
            self._places[record["custom_id"]] = offset
            self.failed += record["error"] is not None

    def __len__(self) -> int:
        return len(self._places)

    def of(self, ordinal: int, row: bytes, name: Callable[[], str]) -> Mapping[str, Any] | None:  # noqa: ARG002 - the id is enough
        """By its id."""
        id_ = name()
        place = self._places.get(id_)
        if place is None:
            return None
        self._matched.add(id_)
        return self._at(place)

    @property
    def unmatched(self) -> int:
        """How many ids were in no row so far."""
        return len(self._places) - len(self._matched)

    def all(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Every result with its ordinal, in order."""
        for ordinal, place in enumerate(self._places.values()):
            yield ordinal, self._at(place)

    def check_end(self, rows: int) -> None:
        """An id that is in no row may be that of another part of a larger batch."""

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _at(self, place: int) -> Mapping[str, Any]:
        self._file.seek(place)
        return foreign.read(self._file.readline(MAX_LINE))
