"""What an input asks for: all of it where it is small, else lines from all over it.

An input of up to ``WHOLE`` lines is looked at as a run does it. Of a larger one every line is
counted and one in n is parsed, n doubling as more of it is found, so that one pass is enough.
Which ones, the multiples of the golden ratio say: they lie evenly, and whatever repeats itself in
the input does not meet their step.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from ..inputs.defaults import Defaults
from ..inputs.feed import nothing_is_done
from ..inputs.glimpse import Glimpse
from ..inputs.identity import identify
from ..inputs.jsonl import BadLine, fingerprint, parse
from ..inputs.opening import open_lines
from ..inputs.survey import Duplicate, Survey
from ..inputs.tokens import Count, estimate
from ..values import value

WHOLE = 100_000  #: lines that are all looked at
KEPT = 5  #: of a larger one so many are kept, divided by this; or up to twice as many
NOTHING_TOLD: Mapping[int, int] = {}
TURN, GOLDEN = 1 << 64, 0x9E3779B97F4A7C15  #: and the golden ratio of it
HOPELESS = 1000  #: bad lines from the start, without one good: this is another format

Done = Callable[[int, str | None], bool]  #: of an ordinal, and its fingerprint where it is known


def is_chosen(number: int, every: int) -> bool:
    """Whether a line is one of those that stand for ``every`` lines each; the first always is."""
    return number * GOLDEN % TURN < TURN // every


@value
class Ask:
    """What one job asks for."""

    path: str
    model: str
    size: int  #: bytes of its body
    prompt: float  #: tokens
    cap: int | None  #: the most that its answer may use; None: open


@dataclass(slots=True)
class Sample:
    """What was seen of an input."""

    path: Path
    noun: str = "line"
    lines: int = 0  #: that are not blank
    done: int = 0  #: of these: jobs with a result of an earlier run
    parsed: int = 0
    every: int = 1  #: of so many lines one was parsed, in the end
    bytes: int = 0  #: of the lines that were parsed
    bad: int = 0  #: of those: no jobs
    told: tuple[int, float] = (0, 0.0)  #: tokens that an earlier run counted; as estimated
    asks: list[Ask] = field(default_factory=list)
    is_counted: bool = False  #: whether the tokens of prompts were counted

    @property
    def is_whole(self) -> bool:
        """Whether every line was looked at."""
        return self.every == 1

    @property
    def jobs(self) -> int:
        """Jobs that are to be sent; where not all were looked at, as many as the others show."""
        left = self.lines - self.done
        return left - (self.bad if self.is_whole else round(left * self.bad / self.parsed))

    @property
    def caps(self) -> Counter[int | None]:
        """How many of the jobs allow how long an answer."""
        return Counter(ask.cap for ask in self.asks)


async def look(  # noqa: PLR0913 - keyword-only
    seen: Glimpse,
    given: Defaults,
    *,
    limit: int | None = None,
    is_done: Done = nothing_is_done,
    records_bad: bool = False,
    count: Count | None = None,
    prompts: Mapping[int, int] = NOTHING_TOLD,
    whole: int = WHOLE,
) -> Sample:
    """Read the input once.

    ``is_done`` is asked of every line whether it has a result; it may raise when the line is not
    the one that was answered. Raises InputError as a run would, with all the bad lines that were
    met, unless they are to be recorded. ``prompts`` are tokens of prompts that an earlier run of
    this file was told, by ordinal. Beyond ``whole`` lines only some are parsed.
    """
    found = Survey(seen.path, await identify(seen.path), seen.noun, seen.shape)
    reader = _Reader(given, found, is_done, count, prompts, whole)
    left = -1 if limit is None else limit
    async with open_lines(seen.path, seen.shape) as source:
        ordinal = -1
        async for lines in source:
            for ordinal, line in enumerate(lines, ordinal + 1):  # noqa: B020 - it goes on
                if left == 0:
                    break
                if line and not line.isspace():
                    reader.take(ordinal, line)
                    left -= 1
            if left == 0:
                break
    reader.refuse(records_bad=records_bad)
    sample = reader.sample
    sample.asks, sample.is_counted = list(reader.kept.values()), count is not None
    return sample


class _Reader:
    """Decides which lines are parsed, and keeps what they ask for."""

    def __init__(  # noqa: PLR0913, PLR0917 - what `look` was given
        self,
        given: Defaults,
        found: Survey,
        is_done: Done,
        count: Count | None,
        prompts: Mapping[int, int],
        whole: int,
    ) -> None:
        self.sample = Sample(found.path, found.noun)
        self.kept: dict[int, Ask] = {}
        self._given, self._found, self._is_done, self._count = given, found, is_done, count
        self._prompts, self._whole = prompts, whole
        self._ids: dict[str, int] = {}

    @property
    def _most(self) -> int:
        """Lines that are kept of many."""
        return self._whole // KEPT

    def take(self, ordinal: int, line: bytes) -> None:
        """The next line that is not blank."""
        sample, number = self.sample, self.sample.lines
        sample.lines += 1
        if number == self._whole or (number > self._whole and len(self.kept) > 2 * self._most):
            self._thin()
        if not is_chosen(number, sample.every):
            sample.done += self._is_done(ordinal, None)
        else:
            self._parse(number, ordinal, line)

    def refuse(self, *, records_bad: bool) -> None:
        """Raise what a run would."""
        if self._found.bad_count and not records_bad:
            raise InputError(self._found.bad_message() + self._seen())
        if self._found.duplicates:
            raise InputError(self._found.duplicate_message() + self._seen())

    def _parse(self, number: int, ordinal: int, line: bytes) -> None:
        sample = self.sample
        sample.parsed += 1
        sample.bytes += len(line)
        mark = fingerprint(line)
        is_done = self._is_done(ordinal, mark)
        job = parse(line, ordinal, self._given, mark, self._count)
        if isinstance(job, BadLine):
            self._note(ordinal, job.reason)
            return
        sample.done += is_done
        self._note_id(job.id, ordinal)
        told = self._prompts.get(ordinal)
        if is_done and told is None:
            return
        prompt = job.prompt_tokens
        if prompt is None:
            prompt = estimate(job.path, job.body)
        if told is not None:
            sample.told = (sample.told[0] + told, sample.told[1] + prompt)
        if is_done:
            return
        self.kept[number] = Ask(job.path, job.model, len(job.body), prompt, job.answer_tokens)

    def _note(self, ordinal: int, reason: str) -> None:
        found = self._found
        found.bad_count += 1
        self.sample.bad += 1
        if len(found.bad) < HOPELESS:
            found.bad[ordinal] = reason
        if found.bad_count == HOPELESS == self.sample.parsed:
            raise InputError(found.bad_message() + self._seen())

    def _note_id(self, name: str, ordinal: int) -> None:
        first = self._ids.setdefault(name, ordinal)
        if first != ordinal:
            self._found.duplicate_count += 1
            self._found.duplicates.append(Duplicate(name, first, ordinal))

    def _thin(self) -> None:
        """Look at fewer lines from now on, and forget as many of the earlier ones."""
        sample = self.sample
        while sample.is_whole or len(self.kept) > self._most:
            sample.every *= 2
            every = sample.every
            self.kept = {
                number: ask for number, ask in self.kept.items() if is_chosen(number, every)
            }
        self._ids.clear()

    def _seen(self) -> str:
        sample = self.sample
        if sample.is_whole:
            return ""
        some = f"{sample.parsed:,} of the first {sample.lines:,} {sample.noun}s"
        return f"\n{some} were looked at; run looks at all"
