"""What is suspicious about regions that answer: shared quotas, drifting models, limits. Pure."""

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

from ..config import Settings
from .caution import Caution, Code
from .examination import SCHEMA_VERSION, Examination
from .place import Place

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
SPARE = 64  #: files that a run has open beside its connections
MOST_CHARGED = 4096.0  #: tokens that one region's tiny calls can have taken of a quota
_SAME = 0.01  #: of a limit; less is rounding
_DATED = re.compile(r"\d{4}-\d\d-\d\d(-preview)?")


def cautions(
    settings: Settings,
    places: Sequence[Place],
    found: Sequence[Examination],
    open_files: int | None = None,
) -> list[Caution]:
    """What to look at although it works; ``open_files`` is what the system allows this process."""
    pairs = list(zip(places, found, strict=True))
    return [
        *_shared(places),
        *_perhaps_shared(pairs),
        *_differing(found),
        *_versions(places),
        *_limits(pairs),
        *_machine(settings, open_files),
    ]


def _shared(places: Sequence[Place]) -> Iterator[Caution]:
    """One deployment is one quota, however often it is named."""
    at = _grouped(places, lambda p: (p.target.endpoint.rstrip("/").lower(), p.called))
    for same in at.values():
        if len(same) > 1 and not _is_declared(same):
            names = _names(same)
            message = f"{_and(names)} are one deployment of one resource: one quota"
            yield Caution(Code.SHARED_QUOTA, names, message, _one_group(same))


def _perhaps_shared(pairs: Sequence[tuple[Place, Examination]]) -> Iterator[Caution]:
    """Regions with the same limits, of which each has seen the calls of the others.

    Quotas of their own, asked alike, have as much left as each other. Of one quota they share,
    every call leaves a little less.
    """
    known = [(p, e) for p, e in pairs if e.limits.requests_left is not None and e.works]
    alike = _grouped(known, lambda pair: (pair[1].model, pair[1].limits.rpm, pair[1].limits.tpm))
    for same in alike.values():
        places = [place for place, _ in same]
        one_place = {(p.target.endpoint.rstrip("/").lower(), p.called) for p in places}
        if len(one_place) < 2 or _is_declared(places) or not _count_down([e for _, e in same]):
            continue
        names = _names(places)
        message = (
            f"{_and(names)} perhaps share one quota: same model, same limits, and what is left "
            "goes down from one to the next"
        )
        yield Caution(Code.PERHAPS_SHARED_QUOTA, names, message, _one_group(places))


def _count_down(found: Sequence[Examination]) -> bool:
    """Whether each call has left fewer requests than another, and fewer tokens."""
    requests = sorted(e.limits.requests_left or 0.0 for e in found)
    tokens = sorted(e.limits.tokens_left for e in found if e.limits.tokens_left is not None)
    calls = sum(e.calls for e in found)
    steps = [after - before for before, after in pairwise(requests)]
    return (
        all(0 < step <= calls for step in steps)
        and len(tokens) in {0, len(found)}
        and all(0 < after - before <= MOST_CHARGED for before, after in pairwise(tokens))
    )


def _is_declared(places: Sequence[Place]) -> bool:
    groups = {place.target.quota_group for place in places}
    return len(groups) == 1 and None not in groups


def _one_group(places: Sequence[Place]) -> str:
    return f"give them one name: {_and([place.name('quota_group') for place in places])}"


def _differing(found: Sequence[Examination]) -> Iterator[Caution]:
    """Models drift from region to region, and answers with them."""
    models = _grouped([e for e in found if e.model], lambda e: e.model)
    if len(models) > 1:
        told = "; ".join(f"{model}: {_and(_called(same))}" for model, same in models.items())
        message = f"the answers of a run would come from {len(models)} models: {told}"
        remedy = "deploy one version everywhere, if that matters"
        yield Caution(Code.MODELS_DIFFER, tuple(e.name for e in found if e.model), message, remedy)


def _versions(places: Sequence[Place]) -> Iterator[Caution]:
    """Dated versions that are old, previews, misspelt, or not the same everywhere."""
    dated = [place for place in places if place.api_version != "v1"]
    by_version = _grouped(dated, lambda place: place.api_version)
    if len(by_version) > 1:
        told = "; ".join(f"{v}: {_and(_names(same))}" for v, same in by_version.items())
        message = f"the regions are asked in {len(by_version)} api-versions: {told}"
        yield Caution(
            Code.VERSIONS_DIFFER, _names(dated), message, "use the newest one everywhere"
        )
    for version, same in by_version.items():
        names, variables = _names(same), _and([place.name("api_version") for place in same])
        if not _DATED.fullmatch(version):
            message = f"{version} is no api-version: {_and(names)}"
            yield Caution(Code.VERSION_MISSPELT, names, message, f"correct {variables}")
        elif version[:10] < SCHEMA_VERSION[:10]:
            message = f"api-version {version} of {_and(names)} knows no JSON schema"
            yield Caution(
                Code.VERSION_OLD, names, message, f"set {variables} to 2024-10-21 or later"
            )
        elif version.endswith("-preview"):
            message = f"api-version {version} of {_and(names)} is a preview, which ends some day"
            yield Caution(Code.VERSION_PREVIEW, names, message, "see whether 2024-10-21 will do")


def _limits(pairs: Sequence[tuple[Place, Examination]]) -> Iterator[Caution]:
    """Limits that are configured otherwise than the service names them."""
    for place, found in pairs:
        for setting, unit in (("rpm", "requests"), ("tpm", "tokens")):
            ours, theirs = getattr(place.target, setting), getattr(found.limits, setting)
            if ours is None or theirs is None or abs(ours - theirs) <= _SAME * theirs:
                continue
            name = place.name(setting)
            message = f"{found.name}: {name} says {ours:,.0f} {unit} a minute, the service "
            message += f"{theirs:,.0f}; the lower one holds"
            remedy = f"correct {name}" if ours > theirs else f"raise {name} to use what there is"
            yield Caution(Code.LIMIT_DIFFERS, (found.name,), message, remedy)


def _machine(settings: Settings, open_files: int | None) -> Iterator[Caution]:
    """What a run on these settings would meet, or leave out."""
    if open_files is not None and settings.concurrency + SPARE > open_files:
        message = f"{settings.concurrency:,} jobs at once need more files than the {open_files:,} "
        message += "that this system allows"
        yield Caution(Code.OPEN_FILES, (), message, "raise ulimit -Hn, or lower --concurrency")
    if settings.no_fallback and any(target.is_fallback for target in settings.targets):
        message = "plain OpenAI is configured, and left out here as in a run: no_fallback is set"
        yield Caution(
            Code.NO_FALLBACK, ("openai",), message, "unset BATCHRUNNER_NO_FALLBACK to use it"
        )


def _grouped(things: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = defaultdict(list)
    for thing in things:
        groups[key(thing)].append(thing)
    return groups


def _names(places: Iterable[Place]) -> tuple[str, ...]:
    return tuple(place.target.name for place in places)


def _called(found: Iterable[Examination]) -> list[str]:
    return [one.name for one in found]


def _and(names: Sequence[str], most: int = 5) -> str:
    """``a, b and c``; of many the first ones, and how many more."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
