"""The journal as a run uses it: on an event loop, with its thread, on a real disk."""

import errno
import os
import threading

import anyio
import anyio.to_thread
import pytest

from batchrunner.errors import DamagedError, DiskError
from batchrunner.outputs.journal import Journal
from batchrunner.outputs.lines import MAX_LINE, check, retryable
from batchrunner.outputs.recovery import Known, recover
from batchrunner.outputs.writer import Care, Timer

from .builders import AGAIN, line
from .faulty import FaultyDisk

pytestmark = pytest.mark.socket  # the writer is a thread, and threads know no virtual clock

LINES = [line(n) for n in range(1_000)]


@pytest.fixture
def output(tmp_path):
    return tmp_path / "r.jsonl"


async def put(journal, text):
    await journal.append(*check(text), text)


async def append_all(journal, texts):
    async with anyio.create_task_group() as tasks:
        for text in texts:
            tasks.start_soon(put, journal, text)


class HeldDisk(FaultyDisk):
    """The first write waits until it is let go."""

    def __init__(self, **scripts):
        super().__init__(**scripts)
        self.reached, self.let_go = threading.Event(), threading.Event()

        def write(fd, data, real=self.write):
            self.reached.set()
            assert self.let_go.wait(10)
            return real(fd, data)

        self.write = write


async def test_what_was_appended_is_in_the_file_and_known_next_time(output):
    journal = Journal.open(output)
    async with journal:
        await append_all(journal, LINES)
        assert journal.appended == journal.written == output.stat().st_size
        await journal.sync()
        assert journal.synced == journal.appended
        assert journal.records == 1_000

    assert output.read_bytes() == b"".join(LINES)
    again = Journal.open(output, synced=journal.synced, records=journal.records)
    again.close()
    assert (again.records, again.appended) == (1_000, journal.appended)
    assert again.done.fingerprint(7) == "0000000000000008"


async def test_append_returns_when_the_system_has_the_line(output):
    async with Journal.open(output) as journal:
        for n, text in enumerate(LINES[:50]):
            await put(journal, text)
            assert output.read_bytes().endswith(text)
            assert journal.written == len(b"".join(LINES[: n + 1]))


async def test_many_who_append_at_once_share_few_writes(output):
    disk = HeldDisk()
    async with Journal.open(output, disk=disk) as journal, anyio.create_task_group() as tasks:
        for text in LINES:
            tasks.start_soon(put, journal, text)
        await anyio.to_thread.run_sync(disk.reached.wait)
        await anyio.wait_all_tasks_blocked()
        assert journal.appended == len(b"".join(LINES))
        assert journal.written == 0
        disk.let_go.set()

    assert disk.calls.count("write") <= 6
    assert output.read_bytes() == b"".join(LINES)


async def test_a_slow_disk_does_not_hold_up_the_loop(output):
    disk = HeldDisk()
    async with Journal.open(output, disk=disk) as journal, anyio.create_task_group() as tasks:
        tasks.start_soon(put, journal, LINES[0])
        await anyio.to_thread.run_sync(disk.reached.wait)
        tasks.start_soon(put, journal, LINES[1])
        await anyio.wait_all_tasks_blocked()  # the loop turns while the disk does not
        assert journal.written == 0
        disk.let_go.set()

    assert output.read_bytes() == LINES[0] + LINES[1]


async def test_a_line_whose_writer_was_cancelled_is_written_nevertheless(output):
    disk = HeldDisk()
    async with Journal.open(output, disk=disk) as journal:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                for text in LINES[:10]:
                    tasks.start_soon(put, journal, text)
                await anyio.to_thread.run_sync(disk.reached.wait)
                scope.cancel()
        assert scope.cancelled_caught
        disk.let_go.set()
        await put(journal, LINES[10])

    assert output.read_bytes() == b"".join(LINES[:11])


async def test_who_is_cancelled_leaves_the_others_of_the_group_waiting(output):
    disk, written = HeldDisk(), []

    async def append(text):
        await put(journal, text)
        written.append(text)

    journal = Journal.open(output, disk=disk)
    with anyio.fail_after(10):
        async with journal, anyio.create_task_group() as tasks:
            tasks.start_soon(append, LINES[0])
            await anyio.to_thread.run_sync(disk.reached.wait)
            async with anyio.create_task_group() as impatient:
                impatient.start_soon(append, LINES[1])
                tasks.start_soon(append, LINES[2])
                await anyio.wait_all_tasks_blocked()
                impatient.cancel_scope.cancel()
            disk.let_go.set()

    assert written == [LINES[0], LINES[2]]
    assert output.read_bytes() == b"".join(LINES[:3])


async def test_leaving_early_writes_what_is_queued(output):
    async def fall_over():
        async with Journal.open(output) as journal:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await put(journal, LINES[0])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fall_over()

    assert output.read_bytes() == LINES[0]


async def test_a_job_gets_one_line(output):
    async with Journal.open(output) as journal:
        await put(journal, LINES[3])
        with pytest.raises(ValueError, match="job 3 has its line already"):
            await put(journal, LINES[3])

    assert output.read_bytes() == LINES[3]


async def test_a_retryable_failure_makes_room_for_the_next_try(output):
    async with Journal.open(output) as journal:
        await append_all(journal, [line(0), line(1, failure=AGAIN), line(2)])

    async with Journal.open(output, drop=retryable) as journal:
        assert journal.recovered.dropped == 1
        assert 1 not in journal.done
        await put(journal, line(1))
        assert list(journal.tail(0)) == [line(0), line(2), line(1)]
        assert list(journal.tail(len(line(0)))) == [line(2), line(1)]


async def test_damage_is_refused_before_anything_is_written(output):
    output.write_bytes(LINES[0][:-3])
    with pytest.raises(DamagedError):
        Journal.open(output, synced=len(LINES[0]), records=1)

    Journal.open(output, synced=len(LINES[0]), records=1, repair=True).close()


async def test_a_failing_disk_is_told_to_everyone_then_and_later(output):
    disk = FaultyDisk(write=[errno.EROFS])
    journal = Journal.open(output, disk=disk)
    with pytest.raises(DiskError, match="writable"):
        async with journal:
            await put(journal, LINES[0])

    disk = HeldDisk(write=[errno.EROFS])
    journal = Journal.open(output, disk=disk)
    caught = []

    async def append(text):
        try:
            await put(journal, text)
        except DiskError as error:
            caught.append(error)

    async with anyio.create_task_group() as tasks:
        await journal.__aenter__()
        for text in LINES:
            tasks.start_soon(append, text)
        await anyio.to_thread.run_sync(disk.reached.wait)
        disk.let_go.set()

    assert len(caught) == len({id(error) for error in caught}) == 1_000
    with pytest.raises(DiskError):
        await journal.sync()
    with pytest.raises(DiskError):
        await journal.aclose()


class Held(Timer):
    """The writer rests until it is let go."""

    def __init__(self):
        self.resting, self.let_go = threading.Event(), threading.Event()

    def wait(self, event, seconds):
        if seconds == 1.0:
            self.resting.set()
            assert self.let_go.wait(10)
        else:
            super().wait(event, seconds)


async def test_a_full_disk_stalls_the_journal_until_there_is_room(output):
    timer, disk = Held(), FaultyDisk(write=[errno.ENOSPC])
    journal = Journal(output, recover(output, Known()), Care(timer=timer), disk)
    async with journal, anyio.create_task_group() as tasks:
        tasks.start_soon(put, journal, LINES[0])
        await anyio.to_thread.run_sync(timer.resting.wait)
        assert "No space left on device" in journal.stalled
        timer.let_go.set()

    assert journal.stalled is None
    assert output.read_bytes() == LINES[0]


@pytest.mark.parametrize(
    ("free", "size", "in_flight", "crowded"),
    [
        (64 << 20, 100, 10, False),
        ((64 << 20) - 1, 100, 10, True),
        (1 << 30, 1 << 20, 100, False),
        (1 << 30, 1 << 20, 1_000, True),
    ],
)
async def test_a_disk_is_crowded_before_it_is_full(output, free, size, in_flight, crowded):
    disk = FaultyDisk()
    disk.free = lambda _: free
    async with Journal.open(output, disk=disk) as journal:
        await append_all(journal, [line(n, b'"%s"' % (b"x" * size)) for n in range(3)])
        reason = journal.crowded(in_flight)

    assert bool(reason) is crowded
    assert reason is None or f"{free >> 20} MiB of room left" in reason


@pytest.mark.parametrize(("long", "usual"), [(1, 1 << 9), (2, 1 << 13)])
async def test_one_line_of_a_hundred_may_be_longer_than_usual(output, long, usual):
    sizes = [5_000] * long + [200] * (100 - long)
    async with Journal.open(output) as journal:
        await append_all(
            journal, [line(n, b'"%s"' % (b"x" * size)) for n, size in enumerate(sizes)]
        )

        assert journal.usual_size == usual


async def test_the_longest_line_is_appended_like_any_other(output):
    most = MAX_LINE - len(line(0, b'""'))
    async with Journal.open(output) as journal:
        await put(journal, line(0, b'"%s"' % (b"x" * most)))

    assert output.stat().st_size == MAX_LINE


async def test_where_the_room_cannot_be_known_it_does_not_matter(output):
    disk = FaultyDisk()
    disk.free = lambda path: os.statvfs(path / "none")
    async with Journal.open(output, disk=disk) as journal:
        assert journal.crowded(1) is None


async def test_a_journal_that_was_closed_takes_nothing_more(output):
    journal = Journal.open(output)
    async with journal:
        pass
    await journal.aclose()

    with pytest.raises(RuntimeError, match="closed"):
        await put(journal, LINES[0])
    journal.close()
