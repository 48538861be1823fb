"""Progress on standard error: a live screen on a terminal, a line now and then elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TextIO

from ..summary import Progress
from ..terminal import printable
from . import words

EVERY = 5.0  #: seconds between two lines where there is no terminal

Watch = Callable[[Progress], None]


@contextmanager
def watching(*, quiet: bool, stream: TextIO | None = None) -> Iterator[Watch]:
    """A watcher of the progress that suits the stream, for as long as the stream lasts."""
    stream = stream or sys.stderr
    if quiet:
        yield lambda _: None
        return
    with ExitStack() as stack:
        watch = stack.enter_context(_live(stream)) if stream.isatty() else _plain(stream)
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


def _plain(stream: TextIO) -> Watch:
    shown = -EVERY

    def watch(progress: Progress) -> None:
        nonlocal shown
        if progress.wall_s - shown >= EVERY:
            shown = progress.wall_s
            print(words.line(progress), file=stream, flush=True)

    return watch


@contextmanager
def _live(stream: TextIO) -> Iterator[Watch]:
    from rich.console import Group  # only for a terminal
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    from .screen import Screen
    from .table import regions

    console = Screen(file=stream)
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def watch(progress: Progress) -> None:
            head = " · ".join(
                (
                    f"{progress.done:,} of {progress.total:,} jobs",
                    f"{progress.stats.failed:,} failed",
                    f"{progress.rate:.1f} jobs/s",
                    f"{words.duration(progress.wall_s)} so far",
                    f"ETA {words.duration(progress.remaining_s)}",
                )
            )
            bar = ProgressBar(total=max(1, progress.total), completed=progress.done, width=60)
            note = [Text(printable(progress.note), style="yellow")] if progress.note else []
            live.update(Group(Text(head), bar, regions(progress), *note), refresh=True)

        yield watch
