"""What is in the results file: every line sorted, and nothing changed."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

from .disk import Disk
from .done import DoneSet
from .lines import check
from .results_file import physical_lines


class Kind(Enum):
    """What a line of the results file is worth."""

    WHOLE = auto()  #: to be kept
    BAD = auto()  #: torn, damaged, or none of ours
    DUPLICATE = auto()  #: of a job that had its line before
    DROPPED = auto()  #: whole, but its job shall run again


@dataclass(slots=True)
class Survey:
    """What the first pass finds."""

    done: DoneSet = field(default_factory=DoneSet)
    size: int = 0
    bad_at: int | None = None  #: offset of the first bad byte
    bad_lines: int = 0
    bad_bytes: int = 0
    duplicates: int = 0
    dropped: int = 0
    scattered: bool = False  #: whether whole lines follow bad ones

    def bad(self, offset: int, line: bytes) -> None:
        """Count a bad line."""
        if self.bad_at is None:
            self.bad_at = offset
        self.bad_lines += 1
        self.bad_bytes += len(line)

    @property
    def records(self) -> int:
        """Jobs that have a line, also one to be dropped."""
        return len(self.done) + self.dropped


def survey(path: Path, drop: Callable[[bytes], bool] | None, disk: Disk) -> Survey:
    """Read the whole file once; ``drop`` says which whole lines shall go."""
    found, size = Survey(), 0
    mark = found.done.mark
    with disk.reader(path) as file:
        for line in physical_lines(file):  # ten million of them: no generator in between
            entry = check(line)
            if entry is None:
                found.bad(size, line)
            elif drop is not None and drop(line):
                found.dropped += 1
            elif not mark(*entry):
                found.duplicates += 1
            elif found.bad_at is not None:
                found.scattered = True
            size += len(line)
    found.size = size
    return found


def sorted_lines(
    path: Path, done: DoneSet, drop: Callable[[bytes], bool] | None, disk: Disk
) -> Generator[tuple[Kind, bytes]]:
    """Every line with its kind. The ordinals of those to be kept go into ``done``."""
    with disk.reader(path) as file:
        for line in physical_lines(file):
            entry = check(line)
            if entry is None:
                yield Kind.BAD, line
            elif drop is not None and drop(line):
                yield Kind.DROPPED, line
            elif done.mark(*entry):
                yield Kind.WHOLE, line
            else:
                yield Kind.DUPLICATE, line
