"""Everything that a plan needs, from files and regions: read once, and put away again."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import anyio.to_thread

from ..config import Settings, require_targets
from ..errors import UsageError
from ..inputs.contents import filled
from ..inputs.feed import nothing_is_done
from ..inputs.glimpse import Glimpse
from ..inputs.identity import identify
from ..inputs.remote import plain
from ..inputs.request import ENDPOINTS
from ..inputs.staging import staged
from ..intake import counter, defaults, glimpsed
from ..paths import output_path
from .earlier import Earlier, answered, mean_cap, read_earlier
from .forecast import DRAWN, spread
from .lengths import Lengths
from .limits import Known, known_limits
from .probe import probe
from .rehearsal import World
from .sample import Done, Sample, look

ALIKE = 0.5  #: how much ``max_tokens`` of two runs may differ and count as the same; a checkpoint
#: keeps twenty values, and takes more for the largest


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is planned, as the command line names it."""

    input: str
    output: str | None = None
    like: Path | None = None  #: an earlier run to learn from; default: that of the output
    probes: bool = False  #: whether the regions are asked


async def gather(wanted: Wanted, settings: Settings) -> tuple[World, Sample, list[str]]:
    """The world of the run, what the input asks for, and what should be said about both.

    Raises what a run would where it could not start.
    """
    settings = await anyio.to_thread.run_sync(filled, settings)
    require_targets(settings)
    given, count, input_ = defaults(settings), counter(settings), plain(wanted.input)
    output = _output(input_, wanted.output)
    earlier = await anyio.to_thread.run_sync(_earlier, wanted.like, output, settings)
    async with staged(input_) as source:
        seen = await glimpsed(source, settings, given, _existing(output, settings))
        sample = await look(
            seen,
            given,
            limit=settings.limit,
            is_done=await _done(output, settings, seen),
            records_bad=settings.bad_lines == "record",
            count=count,
            prompts=await _prompts(earlier, seen),
        )
    known = await _probed(settings, sample) if wanted.probes else {}
    world = World(
        settings,
        known_limits(settings.targets, earlier.regions, known),
        _lengths(earlier, sample),
        sample.is_counted,
    )
    return world, sample, _notes(settings, sample, earlier)


def _output(input_: str, output: str | None) -> Path | None:
    """Where the results of the run would be; None where nobody says."""
    return None if input_ == "-" and output is None else output_path(input_, output)


def _existing(output: Path | None, settings: Settings) -> Path | None:
    is_there = output is not None and output.exists() and not settings.restart
    return output if is_there else None


def _earlier(like: Path | None, output: Path | None, settings: Settings) -> Earlier:
    """The run that is named, else an earlier part of this one."""
    if like is not None:
        return read_earlier(like)
    if (own := _existing(output, settings)) is not None:
        with suppress(UsageError):  # without a checkpoint it teaches nothing
            return read_earlier(own)
    return Earlier()


async def _done(output: Path | None, settings: Settings, seen: Glimpse) -> Done:
    """How lines are told that need not run again."""
    if output is None:
        return nothing_is_done
    found = await anyio.to_thread.run_sync(answered, output, settings, seen.noun)
    return found or nothing_is_done


async def _prompts(earlier: Earlier, seen: Glimpse) -> Mapping[int, int]:
    """Tokens of prompts that are known, where the earlier run read this very file."""
    is_same = bool(earlier.head) and (await identify(seen.path)).head == earlier.head
    return earlier.prompts if is_same else {}


async def _probed(settings: Settings, sample: Sample) -> dict[str, Known]:
    first = sample.asks[0] if sample.asks else None
    model = settings.model if first is None else first.model
    if model is None:
        return {}
    path = ENDPOINTS[settings.endpoint] if first is None else first.path
    return await probe(settings, model, path)


def _lengths(earlier: Earlier, sample: Sample) -> Lengths:
    """How long prompts and answers will be."""
    lengths = Lengths(earlier.lengths, "counted" if sample.is_counted else "estimated")
    ours = mean_cap({cap: n for cap, n in sample.caps.items() if cap is not None})
    if ours and abs(ours - earlier.cap) <= ALIKE * ours:
        lengths = lengths.fitted(spread(sample.asks, DRAWN))
    told, estimated = sample.told
    if sample.is_counted or not told or not estimated:
        return lengths
    return replace(lengths, found="earlier run", prompts=told / estimated)


def _notes(settings: Settings, sample: Sample, earlier: Earlier) -> list[str]:
    """What was left out of account, and what was not."""
    found = []
    if sample.done:
        found.append(f"{sample.done:,} jobs have a result already: only the others are planned")
    if earlier.answers and not earlier.lengths:
        found.append(f"the earlier run has too few answers to learn from: {earlier.answers}")
    unseen = {ask.model for ask in sample.asks} - set(earlier.lengths)
    if earlier.lengths and unseen:
        names = ", ".join(sorted(unseen))
        found.append(
            f"the earlier run did not ask {names}: its other answers are taken for theirs"
        )
    ignored = [f"--{name}" for name in ("dedup", "reuse") if getattr(settings, name)]
    if settings.answer_schema is not None:
        ignored.append("--schema (answers that break it)")
    if ignored:
        found.append(f"not in the numbers: {', '.join(ignored)}")
    return found
