"""The results file of a run, which is also its memory: a job that has a line here is done."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import anyio
import anyio.to_thread

from ..errors import BatchrunnerError
from .disk import DISK, Disk
from .group import obituary
from .lines import MAX_LINE
from .recovery import Known, Recovered, recover
from .results_file import tail
from .tape import Tape
from .writer import Care, Durability, Writer

ROOM = 64 << 20  #: bytes that should be free before anything more is paid for


class Journal:
    """Appends lines to the results, a group at a time, in a thread of its own.

    ``open`` recovers the file and may take seconds: call it in a thread. Then::

        async with journal:
            await journal.append(ordinal, fingerprint, line)  # the system has it: survives kill -9
            await journal.sync()            # the medium has it: it survives a power cut

    ``done`` holds every job that has a line, or whose line is on its way. What a checkpoint may
    promise is taken *before* the sync: ``offset = journal.appended``, then ``await sync()``.
    """

    def __init__(self, path: Path, recovered: Recovered, care: Care, disk: Disk = DISK) -> None:
        self.path = path
        self.recovered = recovered
        self.done = recovered.done
        self.appended = recovered.size  #: length of the file once everything appended is written
        self._disk = disk
        self._tape = Tape(path, recovered.fd, recovered.size, disk)
        self._writer = Writer(self._tape, care)
        self._thread: threading.Thread | None = None
        self._closed = False
        self._sizes = [0] * (MAX_LINE.bit_length() + 1)  #: lines of this run, by bits of length

    @classmethod
    def open(  # noqa: PLR0913 - settings, by keyword only, each with a default
        cls,
        path: Path,
        *,
        synced: int = 0,
        records: int = 0,
        drop: Callable[[bytes], bool] | None = None,
        repair: bool = False,
        before_compaction: Callable[[], None] | None = None,
        durability: Durability = "normal",
        disk_wait: float = 600.0,
        disk: Disk = DISK,
    ) -> Self:
        """Recover the results at ``path``, see ``recovery``, and make them ready for more."""
        known = Known(
            synced=synced,
            records=records,
            drop=drop,
            repair=repair,
            before_compaction=before_compaction,
        )
        care = Care(durability=durability, disk_wait=disk_wait)
        return cls(path, recover(path, known, disk), care, disk)

    @property
    def records(self) -> int:
        """How many lines there are once everything appended is written."""
        return len(self.done)

    @property
    def written(self) -> int:
        """How many bytes the system has."""
        return self._tape.size

    @property
    def synced(self) -> int:
        """How many bytes the medium has."""
        return self._tape.synced

    @property
    def stalled(self) -> str | None:
        """Why nothing can be written at the moment; None while all is well."""
        return self._writer.stalled

    @property
    def usual_size(self) -> int:
        """What 99 of 100 lines of this run are not longer than, to within a factor of two."""
        left = 0.01 * sum(self._sizes)
        for bits in reversed(range(len(self._sizes))):
            left -= self._sizes[bits]
            if left < 0:
                return 1 << bits
        return 0

    def crowded(self, in_flight: int = 0) -> str | None:
        """Why nothing more should be paid for, where the disk has too little room for it.

        There should be 64 MiB, and twice what the jobs in flight are likely to need.
        """
        needed = max(ROOM, 2 * in_flight * self.usual_size)
        try:
            free = self._disk.free(self.path)
        except OSError:  # it cannot be known
            return None
        if free >= needed:
            return None
        return f"{self.path} has {free >> 20} MiB of room left, {needed >> 20} are wanted"

    @property
    def death(self) -> BatchrunnerError | None:
        """Why nothing will be written any more; None while all is well."""
        return None if self._writer.death is None else obituary(self._writer.death)

    def hurry(self) -> None:
        """Wait for a full disk no longer: what cannot be written now never will be."""
        self._writer.hurry()

    def tail(self, offset: int) -> Iterator[bytes]:
        """The whole lines from ``offset`` on, which is the beginning of one."""
        return tail(self.path, offset, self._disk)

    def append(self, ordinal: int, fingerprint: str, line: bytes) -> asyncio.Future[None]:
        """Append the whole line of a job, as ``encode`` made it; to be awaited at once.

        That returns when the line is written; one who is cancelled meanwhile has appended
        nevertheless. Raises ``DiskError`` when the line cannot be written, now or ever;
        ``ValueError`` for the second line of a job.
        """
        if ordinal in self.done:
            raise ValueError(f"job {ordinal} has its line already")
        group = self._writer.put(line)
        self.done.mark(ordinal, fingerprint)
        self.appended += len(line)
        self._sizes[len(line).bit_length()] += 1
        return group.wait()

    async def sync(self) -> None:
        """Return when every line appended before is on the medium."""
        await self._writer.sync().wait()

    async def aclose(self, *, patiently: bool = True) -> None:
        """Write and sync what was appended, then close the file; raises what kept it from that.

        With a full disk, ``patiently`` waits for room as long as an append does.
        """
        self._writer.close(patiently=patiently)
        if self._thread is not None:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._thread.join)
        self.close()
        if self._writer.death is not None:
            raise obituary(self._writer.death)

    def close(self) -> None:
        """Close the file of a journal that was never entered, or is closed already."""
        if not self._closed:
            self._closed = True
            self._tape.close()

    async def __aenter__(self) -> Self:
        self._thread = threading.Thread(target=self._writer.run, name="results", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            await self.aclose()
            return
        with suppress(BatchrunnerError):  # what is on its way already says more
            await self.aclose(patiently=False)
