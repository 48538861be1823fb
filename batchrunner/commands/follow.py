"""A run, followed from another shell until it ends."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import orjson

from ..errors import UsageError
from ..growth import Growth, remaining
from ..outputs.lock import holder
from ..status import Follower
from ..summary import Summary
from ..views.following import Look

Show = Callable[[Look], None]


def follow_command(output: Path, every: float, *, as_json: bool) -> int:
    """Tell how far a run is whenever that changes, until it has ended; 0 however it did.

    Raises UsageError where there is no output, and none is being begun.
    """
    with (
        suppress(BrokenPipeError),  # who stopped reading has seen enough
        closing(Follower(output)) as follower,
        _shown(as_json=as_json) as show,
    ):
        for look in _looks(follower, every):
            show(look)
    return 0


def _looks(follower: Follower, every: float) -> Iterator[Look]:
    """One after the other, the last one when nobody writes any more."""
    growth: Growth | None = None
    while True:
        if (found := _look(follower)) is not None:
            summary, writer = found
            done, total = summary.progress.done, summary.progress.total
            growth = growth or Growth(done / summary.wall_s if summary.wall_s else 0.0)
            rate = growth.look(time.monotonic(), done)
            yield Look(summary, writer, rate, remaining(total - done, rate))
            if writer is None:
                return
        time.sleep(every)


def _look(follower: Follower) -> tuple[Summary, str | None] | None:
    """None while somebody is about to begin the output."""
    try:
        return follower.look()
    except UsageError:
        if follower.output.exists() or holder(follower.output) is None:
            raise
        return None


@contextmanager
def _shown(*, as_json: bool) -> Iterator[Show]:
    """What shows a look, in the way that suits who reads."""
    if as_json or not sys.stdout.isatty():
        yield _log(_as_json if as_json else _as_line)
        return
    from rich.console import Group  # only for a terminal
    from rich.live import Live
    from rich.text import Text

    from ..views.screen import Screen

    with Live(console=Screen(highlight=False), auto_refresh=False) as live:
        yield lambda look: live.update(Group(*map(Text, look.lines)), refresh=True)


def _log(text: Callable[[Look], bytes]) -> Show:
    """A line for each look at which something has changed."""
    told: tuple[object, ...] | None = None

    def show(look: Look) -> None:
        nonlocal told
        if look.state != told:
            told = look.state
            sys.stdout.buffer.write(text(look) + b"\n")
            sys.stdout.buffer.flush()

    return show


def _as_json(look: Look) -> bytes:
    return orjson.dumps(look.as_json())


def _as_line(look: Look) -> bytes:
    return look.line.encode("utf-8", "replace")
