"""Progress on standard error: a live screen on a terminal, a line now and then elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TextIO

from ..summary import Progress
from . import log, record
from .gauge import Gauge
from .line import line

EVERY = 5.0  #: seconds between two lines where there is no terminal
PAINT_EVERY = 0.45  #: seconds between two pictures where there is one: twice a second is calm

Watch = Callable[[Progress], None]


@contextmanager
def watching(*, quiet: bool, stream: TextIO | None = None) -> Iterator[Watch]:
    """A watcher of the progress that suits the stream, for as long as the stream lasts."""
    stream = stream or sys.stderr
    if quiet:
        yield lambda _: None
        return
    with ExitStack() as stack:
        if isinstance(stream, log.Log):
            watch = _json(stream)
        elif stream.isatty() and not _is_dumb(stream):
            watch = stack.enter_context(_live(stream))
        else:
            watch = _plain(stream)
        yield _unbreakable(watch)
        with suppress(OSError):
            stack.close()


def _unbreakable(watch: Watch) -> Watch:
    """A terminal may go away; the run goes on unseen."""
    is_gone = False

    def look(progress: Progress) -> None:
        nonlocal is_gone
        if not is_gone:
            try:
                watch(progress)
            except OSError:
                is_gone = True

    return look


def _is_dumb(stream: TextIO) -> bool:
    """Whether the terminal can do no more than print lines."""
    from .screen import Screen

    return Screen(file=stream).is_dumb_terminal


class _NowAndThen:
    """Says whether it is time again."""

    def __init__(self, every: float) -> None:
        self._every, self._last = every, -every

    def __call__(self, now: float) -> bool:
        is_due = now - self._last >= self._every
        self._last = now if is_due else self._last
        return is_due


def _plain(stream: TextIO) -> Watch:
    gauge, is_due = Gauge(), _NowAndThen(EVERY)

    def watch(progress: Progress) -> None:
        gauge.look(progress)
        if is_due(progress.wall_s):
            print(line(gauge.read(progress)), file=stream, flush=True)

    return watch


def _json(stream: log.Log) -> Watch:
    gauge, is_due = Gauge(), _NowAndThen(EVERY)
    is_begun = False

    def watch(progress: Progress) -> None:
        nonlocal is_begun
        problems = gauge.look(progress)
        if not is_begun:
            is_begun = True
            stream.event("started", **record.began(progress))
        for problem in problems:
            stream.event("problem", **record.problem(problem))
        if is_due(progress.wall_s):
            stream.event("progress", **record.moment(gauge.read(progress)))

    return watch


@contextmanager
def _live(stream: TextIO) -> Iterator[Watch]:
    from .live.frame import frame  # only for a terminal
    from .live.painter import painting

    gauge, is_due = Gauge(), _NowAndThen(PAINT_EVERY)
    with painting(stream) as painter:

        def watch(progress: Progress) -> None:
            gauge.look(progress)
            if is_due(progress.wall_s):
                size = painter.size  # the last column and line stay empty: nothing is wrapped
                lines = frame(gauge.read(progress), size.width - 1, size.height - 1)
                painter.paint(lines)

        yield watch
