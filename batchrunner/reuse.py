"""Answers that are there already: nothing is sent for a request that was answered before.

With ``--reuse`` the answers of earlier outputs are taken, with ``--dedup`` those of the same run:
then of requests that are the same only the first is sent, and the line of every other one is made
from its line. Both work from lines in files, so that there is one way to take an answer, however
long ago it was given, and so that memory holds the place of an answer and never an answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from .answers import Answers
from .errors import UsageError
from .model import Job, Result
from .outputs.lines import failed, retryable, taken
from .outputs.shelf import Found, Shelf


@dataclass(slots=True)
class Reuse:
    """Where the last words on requests are looked for."""

    earlier: Shelf | None = None  #: answers of other outputs
    own: Shelf | None = None  #: answers of this output, and failures for good

    @property
    def is_empty(self) -> bool:
        """Whether there is nowhere to look."""
        return self.earlier is None and self.own is None

    @classmethod
    def of(cls, paths: Sequence[Path], output: Path) -> Self:
        """Look through earlier outputs; where two have an answer, that of the last named counts.

        Blocks, so call it in a thread. Raises UsageError for what is no output, or is this one.
        """
        reuse = cls(Shelf() if paths else None)
        try:
            for path in paths:
                reuse._look_through(path, output)
        except BaseException:
            reuse.close()
            raise
        return reuse

    def _look_through(self, path: Path, output: Path) -> None:
        if self.earlier is None:
            return
        if path.exists() and output.exists() and path.samefile(output):
            raise UsageError(
                f"--reuse {path} is the output: it goes on by itself; name the results of another "
                "run, or leave it out"
            )
        try:
            found = self.earlier.add(path, _is_answer)
        except UsageError as error:
            raise UsageError(f"--reuse {error}") from None
        if reason := _useless(found):
            raise UsageError(f"--reuse {path} {reason}")

    def look_through_own(self, output: Path, jobs: int) -> None:
        """From now on requests that are the same are asked once; ``jobs`` are to be expected."""
        self.own = Shelf(jobs)
        self.own.add(output, _is_last_word)

    async def find(self, job: Job, answers: Answers | None = None) -> Result | None:
        """The last word on a job for which nothing needs to be sent; None where it must be.

        An answer that would not do as a fresh one, by ``answers``, is asked for again.
        """
        for shelf in (self.own, self.earlier):
            line = None if shelf is None else await shelf.find(job.request)
            if line is not None and _is_good(result := taken(line, job), answers):
                return result
        return None

    def note(self, result: Result, offset: int) -> None:
        """Find a result that stands in this output at ``offset`` now."""
        is_last_word = result.failure is None or not result.failure.retryable
        if self.own is not None and result.job.request and is_last_word:
            self.own.note(result.job.request, offset)

    def close(self) -> None:
        """Close the files."""
        for shelf in (self.earlier, self.own):
            if shelf is not None:
                shelf.close()


def _is_good(result: Result, answers: Answers | None) -> bool:
    """Whether a result may be taken: a failure as it is, an answer if it keeps to the schema."""
    if answers is None or result.failure is not None or result.reply is None:
        return True
    return answers.complaint(result.reply.body) is None


def _is_answer(line: bytes) -> bool:
    return not failed(line)


def _is_last_word(line: bytes) -> bool:
    return not retryable(line)


def _useless(found: Found) -> str:
    """Why nothing of a file can ever be taken, though it is not empty."""
    if found.physical and not found.whole:
        return "holds no results: name an output of an earlier run, unpacked"
    if found.wanted and not found.named:
        return (
            "was made by an earlier version, which did not note what was asked: leave it out "
            "this once; what this run writes can be reused"
        )
    return ""
