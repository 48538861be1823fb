"""What the input is: how to read it, whether it is good, and whether it is the same as before."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread

from .config import Settings
from .errors import BatchrunnerError, IdentityError, InputError
from .fleet import require_prices
from .identity import is_done
from .inputs.contents import template
from .inputs.defaults import Defaults
from .inputs.dialect import checked
from .inputs.glimpse import Glimpse, glimpse
from .inputs.identity import identify
from .inputs.opening import Shape
from .inputs.request import ENDPOINTS
from .inputs.schema import response_format
from .inputs.survey import Survey, survey
from .inputs.tokens import Count
from .inputs.tokens import counter as exact
from .outputs import checkpoint
from .outputs.done import DoneSet
from .paths import known_as
from .tables.columns import check_free, columns_of_answers
from .tables.input_rows import InputRows


def defaults(settings: Settings) -> Defaults:
    """What lines get where they do not say."""
    made_by, shape = template(settings), settings.answer_schema
    return Defaults(
        settings.model,
        settings.system if made_by is None else None,
        settings.temperature,
        settings.max_tokens,
        path=ENDPOINTS[settings.endpoint],
        response_format=None if shape is None else response_format(shape),
        template=made_by,
        params=settings.params,
        id_column=settings.id_column,
    )


def counter(settings: Settings) -> Count | None:
    """What counts the tokens of prompts exactly, where that is asked for."""
    return exact() if settings.count_tokens else None


async def glimpsed(
    source: Path, settings: Settings, given: Defaults, earlier: Path | None
) -> Glimpse:
    """How to read the input; as it was read for the results in ``earlier``, where it is the same.

    Raises InputError where the table lacks a column that is asked for, or has one already in
    which answers would stand, as far as the first row of JSON Lines shows that.
    """
    shape = checked(Shape(settings.delimiter, settings.encoding))
    if earlier is not None:
        loaded = await anyio.to_thread.run_sync(
            checkpoint.load, checkpoint.checkpoint_path(earlier)
        )
        saved: Mapping[str, Any] = (loaded.fields or {}).get("input") or {}
        known = saved.get("shape")
        if known and (await identify(source, saved["size"])).head == saved["head"]:
            shape = Shape(
                shape.delimiter or known["delimiter"], shape.encoding or known["encoding"]
            )
    seen = await glimpse(source, shape)
    names = None if seen.columns is None else [column.name for column in seen.columns]
    if names is None and given.template is not None:
        names = await InputRows(source, shape, whole=True).first_names()
    if names is not None:
        is_embedding = settings.endpoint == "embeddings"
        answers = columns_of_answers(
            settings.answer_schema, texts=not is_embedding, embeddings=is_embedding
        )
        check_free(names, answers, settings.answer_prefix)
        if seen.columns is not None and (why := given.missing(names)):
            raise InputError(f"{source} {why}")
    return seen


async def survey_input(
    seen: Glimpse, settings: Settings, given: Defaults, done: DoneSet | None = None
) -> Survey:
    """Look at the whole input before anything is sent.

    Raises InputError with every line that cannot be a job, unless they are to be recorded, and
    IdentityError where ``done`` has results of another input.
    """
    known = None if done is None else partial(is_done, done, noun=seen.noun)
    found = await survey(seen.path, given, settings.limit, done=known, shape=seen.shape)
    if found.bad_count and settings.bad_lines == "fail":
        raise InputError(found.bad_message())
    if found.duplicates:
        raise InputError(found.duplicate_message())
    require_prices(settings, found.models)
    highest = None if done is None else done.highest
    if settings.limit is None and highest is not None and highest >= found.lines:
        raise IdentityError(
            f"there is a result for {found.noun} {highest + 1:,} and the input has only "
            f"{found.lines:,} {found.noun}s: give the input it was made from, or another --output"
        )
    return found


async def recalled(
    seen: Glimpse, settings: Settings, saved: Mapping[str, Any], done: DoneSet
) -> Survey | None:
    """What an earlier run saw in this very file with these settings; None: look at it again."""
    identity = await identify(seen.path)
    now = {**asdict(identity), "limit": settings.limit, "shape": _shaped(seen.shape, settings)}
    is_same = {**saved, **now} == saved
    if not is_same or (saved.get("bad") and settings.bad_lines == "fail"):
        return None
    bad, lines = saved.get("bad", 0), saved["lines"]
    highest = done.highest
    if highest is not None and highest >= lines:
        return None
    return Survey(
        *(seen.path, identity, seen.noun, seen.shape),
        jobs=saved["jobs"] - bad,
        lines=lines,
        bad_count=bad,
    )


def _shaped(shape: Shape, settings: Settings) -> dict[str, Any]:
    """How the input is read and named, so that an export can do the same."""
    return {
        **asdict(shape),
        "id_column": settings.id_column,
        "answer_prefix": settings.answer_prefix,
    }


def described(input_: str, found: Survey, settings: Settings) -> dict[str, Any]:
    """What the checkpoint says of the input."""
    return {
        "path": known_as(input_),
        "lines": found.lines,
        "jobs": found.jobs + found.bad_count,
        "bad": found.bad_count,
        "limit": settings.limit,
        "shape": _shaped(found.shape, settings),
        **asdict(found.identity),
    }


async def changed(source: Path, found: Survey) -> list[str]:
    """A warning where the input is not what it was at the start."""
    try:
        same = await identify(source) == found.identity
    except BatchrunnerError:
        same = False
    if same:
        return []
    warning = (
        f"{source} was changed while the run was reading it: the results are those of the lines "
        "as they were read; run the same command again to compare them"
    )
    return [warning]
