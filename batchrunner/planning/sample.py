"""What an input asks for: all of it where it is small, else lines from all over it.

An input of up to ``WHOLE`` lines is looked at as a run does it. Of a larger one every line is
counted and every n-th is parsed, n doubling as more of it is found, so that one pass is enough
and the lines that are kept lie evenly.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from ..inputs.defaults import Defaults
from ..inputs.glimpse import Glimpse
from ..inputs.identity import identify
from ..inputs.jsonl import fingerprint, read
from ..inputs.opening import open_lines
from ..inputs.strict import RefusedError
from ..inputs.survey import Duplicate, Survey
from ..inputs.tokens import Count, estimate
from ..values import value

WHOLE = 100_000  #: lines that are all looked at
SAMPLE = 20_000  #: lines that are kept of more
NOTHING_TOLD: Mapping[int, int] = {}
HOPELESS = 1000  #: bad lines from the start, without one good: this is another format

Done = Callable[[int, str | None], bool]  #: of an ordinal, and its fingerprint where it is known


def nothing_is_done(_ordinal: int, _mark: str | None) -> bool:
    """Every line is to run."""
    return False


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
    every: int = 1  #: which lines were parsed, in the end
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
) -> Sample:
    """Read the input once.

    ``is_done`` is asked of every line whether it has a result; it may raise when the line is not
    the one that was answered. Raises InputError as a run would, with all the bad lines that were
    met, unless they are to be recorded. ``prompts`` are tokens of prompts that an earlier run of
    this file was told, by ordinal.
    """
    found = Survey(seen.path, await identify(seen.path), seen.noun, seen.shape)
    reader = _Reader(given, found, is_done, count, prompts)
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

    def __init__(
        self,
        given: Defaults,
        found: Survey,
        is_done: Done,
        count: Count | None,
        prompts: Mapping[int, int],
    ) -> None:
        self.sample = Sample(found.path, found.noun)
        self.kept: dict[int, Ask] = {}
        self._given, self._found, self._is_done, self._count = given, found, is_done, count
        self._prompts = prompts
        self._ids: dict[str, int] = {}

    def take(self, ordinal: int, line: bytes) -> None:
        """The next line that is not blank."""
        sample, number = self.sample, self.sample.lines
        sample.lines += 1
        if number % sample.every:
            sample.done += self._is_done(ordinal, None)
            return
        self._parse(number, ordinal, line)
        if number + 1 == WHOLE or (len(self.kept) > 2 * SAMPLE and sample.lines > WHOLE):
            self._thin()

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
        is_done = self._is_done(ordinal, fingerprint(line))
        try:
            name, path, model, body, cap = read(line, ordinal, self._given)
        except RefusedError as refused:
            self._note(ordinal, str(refused))
            return
        sample.done += is_done
        self._note_id(name, ordinal)
        told = self._prompts.get(ordinal)
        if is_done and told is None:
            return
        prompt = estimate(path, body) if self._count is None else self._count(path, model, body)
        if told is not None:
            sample.told = (sample.told[0] + told, sample.told[1] + prompt)
        if is_done:
            return
        self.kept[number] = Ask(path, model, len(body), prompt, cap)

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
        while len(self.kept) > SAMPLE:
            self.sample.every *= 2
            every = self.sample.every
            self.kept = {number: ask for number, ask in self.kept.items() if not number % every}
        self._ids.clear()

    def _seen(self) -> str:
        sample = self.sample
        if sample.is_whole:
            return ""
        some = f"{sample.parsed:,} of the first {sample.lines:,} {sample.noun}s"
        return f"\n{some} were looked at; run looks at all"
