"""What a run would take."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from threading import Timer
from typing import Any

import anyio

from ..deadline import seconds_until
from ..inputs.opening import refuse_shape
from ..planning.gather import Wanted, gather
from ..planning.plan import Plan, make_plan
from ..planning.rehearsal import World
from ..planning.sample import Sample
from ..views.plan import plan_lines, plan_screen
from .sources import Files, configured
from .talk import say, tell

LONG = 3.0  #: seconds after which somebody may wonder


def plan_command(
    files: Files, wanted: Wanted, options: Mapping[str, Any], *, as_json: bool, quiet: bool
) -> int:
    """Plan the run of a file; returns the exit code."""
    refuse_shape(files.input, options)
    with _patience(quiet=quiet):
        world, sample, notes = anyio.run(
            _gathered, files, wanted, options, backend_options={"use_uvloop": True}
        )
        plan = _planned(world, sample, notes)
    name = "standard input" if files.input == "-" else files.input
    if not as_json and plan.sample.jobs and sys.stdout.isatty():
        plan_screen(plan, name)
    else:
        say(plan.as_json(), [] if as_json else plan_lines(plan, name), as_json=as_json)
    return 0


async def _gathered(
    files: Files, wanted: Wanted, options: Mapping[str, Any]
) -> tuple[World, Sample, list[str]]:
    async with configured(files.sources, options) as (settings, _):
        return await gather(wanted, settings)


def _planned(world: World, sample: Sample, notes: list[str]) -> Plan:
    deadline = world.settings.deadline
    until = None if deadline is None else seconds_until(deadline, datetime.now().astimezone())
    return make_plan(world, sample, until=until, notes=notes)


@contextmanager
def _patience(*, quiet: bool) -> Iterator[None]:
    """A word on standard error where it takes long."""
    timer = Timer(LONG, tell, ["reading the input and rehearsing the run …"])
    timer.daemon = True
    if not quiet:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
