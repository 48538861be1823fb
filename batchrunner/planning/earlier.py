"""What an earlier run teaches about the next one, and which jobs it leaves to do."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from ..caps import Caps
from ..config import Settings
from ..errors import UsageError
from ..histogram import Histogram
from ..identity import compare, is_done
from ..outputs import checkpoint
from ..outputs.disk import sibling
from ..outputs.done import DoneSet
from ..outputs.lines import check, decode, failed, retryable
from ..outputs.results_file import tail
from ..policy.answer import usage_of
from ..stats import Stats
from .latency import Latency
from .lengths import EVERY
from .limits import Known, from_earlier
from .sample import Done
from .spread import Spread

READ = 5000  #: results whose prompts are compared
ENOUGH = 20  #: answers that teach anything


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier run saw."""

    lengths: Mapping[str, Spread] = field(default_factory=dict)  #: by the model asked for
    regions: Mapping[str, Known] = field(default_factory=dict)
    prompts: Mapping[int, int] = field(default_factory=dict)  #: tokens, by ordinal
    head: str = ""  #: which input it read, by its first MiB
    answers: int = 0
    cap: float = 0.0  #: the mean of the longest answers that were allowed; zero: not known


def read_earlier(output: Path) -> Earlier:
    """What the run with this output saw; nothing where it has too few answers. It blocks.

    Raises UsageError where there is no such run.
    """
    loaded = checkpoint.load(checkpoint.checkpoint_path(output))
    saved = loaded.fields
    if saved is None:
        raise UsageError(f"--like {output}: {loaded.reason}; name the results of a run")
    stats = Stats.from_json(saved["stats"]) if saved.get("stats") else Stats()
    head = (saved.get("input") or {}).get("head") or ""
    earlier = learned(stats, saved.get("answered_by") or {}, _statistics(output))
    if not earlier.lengths:
        return earlier
    cap = mean_cap(sum(Caps.from_json(saved.get("caps") or {}).by_model.values(), Counter()))
    return replace(earlier, prompts=_prompts(output), head=head, cap=cap)


def mean_cap(caps: Mapping[int, int]) -> float:
    """The mean of values of ``max_tokens``, and how often each; zero where there are none."""
    return sum(cap * n for cap, n in caps.items()) / max(1, sum(caps.values()))


def learned(
    stats: Stats, answered_by: Mapping[str, Mapping[str, int]], statistics: Mapping[str, Any]
) -> Earlier:
    """What the numbers of a run teach: its own, which models answered, and its regions' limits."""
    if stats.answers < ENOUGH:
        return Earlier(answers=stats.answers)
    lengths, regions = _lengths(stats, answered_by), _regions(stats, statistics)
    return Earlier(lengths, regions, answers=stats.answers)


def answered(output: Path, settings: Settings, noun: str) -> Done | None:
    """Says which lines need not run again; None where there is no earlier run. It blocks.

    Raises IdentityError where the results were made with settings that ask for something else.
    """
    if settings.restart or not output.exists():
        return None
    saved = checkpoint.load(checkpoint.checkpoint_path(output)).fields or {}
    compare(output, saved, settings)
    done, drop = DoneSet(), failed if settings.retry_failed else retryable
    for line in tail(output):
        if (entry := check(line)) is not None and not drop(line):
            done.mark(*entry)

    def ask(ordinal: int, mark: str | None) -> bool:
        return ordinal in done if mark is None else is_done(done, ordinal, mark, noun)

    return ask


def _lengths(stats: Stats, answered_by: Mapping[str, Mapping[str, int]]) -> dict[str, Spread]:
    """Lengths of answers by the name that was asked for, and of all together."""
    by_model: dict[str, Counter[int]] = {}
    for usage in stats.regions.values():
        for model, tokens in usage.models.items():
            by_model.setdefault(model, Counter()).update(tokens.lengths.bins)
    if not (every := sum(by_model.values(), Counter[int]())):
        return {}  # an earlier version kept none
    found = {
        asked: sum((by_model[model] for model in models if model in by_model), Counter[int]())
        for asked, models in answered_by.items()
    }
    found[EVERY] = every
    return {name: Spread.of(Histogram(bins)) for name, bins in found.items() if bins}


def _regions(stats: Stats, statistics: Mapping[str, Any]) -> dict[str, Known]:
    found = {}
    for name, usage in stats.regions.items():
        tokens, said = usage.tokens, statistics.get(name) or {}
        latency = Latency(Spread.of(usage.latency), tokens.completion / max(1, tokens.answers))
        found[name] = from_earlier(said.get("rpm"), said.get("tpm"), latency)
    return found


def _statistics(output: Path) -> Mapping[str, Any]:
    """The regions of ``OUTPUT.stats.json``, which alone knows what the limits were."""
    try:
        regions: Mapping[str, Any] = orjson.loads(sibling(output, ".stats.json").read_bytes())[
            "regions"
        ]
    except (OSError, ValueError, LookupError):
        return {}
    return regions


def _prompts(output: Path) -> dict[int, int]:
    """How many tokens the services counted for the first prompts."""
    found = {}
    for line in islice(tail(output), READ):
        try:
            record = decode(line)
        except ValueError:  # nested too deeply to be read
            continue
        if record["error"] is None and (usage := usage_of(record["response"]["body"])).prompt:
            found[record["i"]] = usage.prompt
    return found
