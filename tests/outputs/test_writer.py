"""The writer and its tape: what they do when the disk is full, slow or broken. No time passes."""

import errno
import os

import pytest

from batchrunner.errors import BatchrunnerError, DiskError
from batchrunner.outputs import group as group_module
from batchrunner.outputs.recovery import Known, recover
from batchrunner.outputs.tape import Tape
from batchrunner.outputs.writer import Care, Writer

from .builders import line
from .faulty import FaultyDisk, JumpingTimer, Short


class Told(group_module.Group):
    """A group that is not on an event loop, and remembers what it was told."""

    __slots__ = ("told",)

    def __init__(self):
        self.lines, self.size, self.sync = [], 0, False
        self.told = []

    def settle(self, error):
        self.told.append(error)


class Desk:
    """A writer at its tape, run in the test's own thread."""

    def __init__(self, output, *steps, disk_wait=600.0, durability="normal", **scripts):
        self.output = output
        found = recover(output, Known())
        self.disk = FaultyDisk(**scripts)
        self.tape = Tape(output, found.fd, found.size, self.disk)
        self.timer = JumpingTimer(*steps)
        care = Care(durability=durability, disk_wait=disk_wait, timer=self.timer)
        self.writer = Writer(self.tape, care, Told)
        self.groups = []

    def put(self, *texts):
        for text in texts:
            group = self.writer.put(text)
            if group not in self.groups:
                self.groups.append(group)
        return group

    def finish(self):
        self.writer.close()
        self.writer.run()
        os.close(self.tape._fd)
        return self.output.read_bytes()

    def count(self, call):
        return self.disk.calls.count(call)


@pytest.fixture
def output(tmp_path):
    return tmp_path / "r.jsonl"


def lines(count, start=0):
    return [line(start + n) for n in range(count)]


def test_lines_that_wait_together_are_written_together(output):
    desk = Desk(output)
    desk.put(*lines(200))

    assert desk.finish() == b"".join(lines(200))
    assert desk.disk.calls == ["write", "fdatasync"]
    assert desk.groups[0].told == [None]


def test_a_group_has_at_most_256_lines_or_a_mebibyte(output):
    desk = Desk(output)
    desk.put(*lines(600))
    big = [line(1_000 + n, b'"%s"' % (b"x" * 400_000)) for n in range(3)]
    huge = line(2_000, b'"%s"' % (b"x" * 3_000_000))
    desk.put(*big, huge, line(2_001))

    assert [len(group.lines) for group in desk.groups] == [256, 256, 90, 1, 1, 1]
    assert desk.finish() == b"".join([*lines(600), *big, huge, line(2_001)])


def test_a_write_that_is_cut_short_goes_on_where_it_stopped(output):
    desk = Desk(output, write=[Short(1), Short(100), Short(7)])
    desk.put(*lines(3))

    assert desk.finish() == b"".join(lines(3))


# --- when to sync


def test_a_line_is_synced_within_200_ms_though_no_other_comes(output):
    desk = Desk(output)
    desk.put(line(0))
    desk.timer.steps = [desk.writer.close]
    seen = []
    desk.disk.fdatasync = lambda _: seen.append(desk.timer.time)
    desk.writer.run()

    assert seen == [pytest.approx(0.2)]
    assert desk.groups[0].told == [None]


def test_nobody_waits_for_that_sync(output):
    desk = Desk(output, fdatasync=[errno.EIO])
    desk.put(line(0))
    desk.finish()

    assert desk.groups[0].told == [None]


@pytest.mark.parametrize(
    ("texts", "syncs"),
    [
        (lines(1_023), 1),
        (lines(2_100), 3),
        ([line(n, b'"%s"' % (b"x" * (1 << 20))) for n in range(17)], 3),
    ],
)
def test_1000_lines_or_8_mebibytes_are_synced_at_once(output, texts, syncs):
    desk = Desk(output)
    desk.put(*texts)
    desk.finish()

    assert desk.count("fdatasync") == syncs


def test_strict_syncs_each_group_and_process_none_until_asked(output):
    strict = Desk(output, durability="strict")
    strict.put(*lines(600))
    strict.finish()
    assert strict.disk.calls == ["write", "fdatasync"] * 3

    process = Desk(output, durability="process")
    process.put(*lines(5_000, start=1_000))
    process.timer.steps = [process.writer.sync, process.writer.close]
    process.writer.run()
    assert process.count("fdatasync") == 1
    assert process.disk.calls[-1] == "fdatasync"


def test_a_sync_that_was_asked_for_covers_everything_before(output):
    desk = Desk(output)
    desk.put(*lines(300))
    asked = desk.writer.sync()
    desk.tape.sync, sync = (lambda: sizes.append(desk.tape.size) or sync()), desk.tape.sync
    sizes = []
    desk.finish()

    assert sizes[0] == len(b"".join(lines(300)))
    assert asked.told == [None]


def test_a_sync_of_nothing_new_costs_nothing(output):
    desk = Desk(output)
    asked = desk.writer.sync()
    desk.finish()

    assert asked.told == [None]
    assert desk.disk.calls == []


# --- a full disk


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG])
def test_a_full_disk_is_waited_for_and_nothing_is_written_twice(output, number):
    desk = Desk(output, write=[Short(500), number, Short(3), number, number])
    desk.put(*lines(5))

    assert desk.finish() == b"".join(lines(5))
    assert desk.timer.time == 3.0
    assert desk.writer.stalled is None
    assert desk.groups[0].told == [None]


def test_while_it_waits_it_says_why(output):
    desk = Desk(output, write=[errno.ENOSPC])
    desk.put(line(0))
    said = []
    desk.timer.wait = lambda *_: said.append(desk.writer.stalled)
    desk.finish()

    assert said == [f"cannot write {output}: No space left on device; trying again"]


def test_half_a_group_is_cut_off_while_waiting(output):
    desk = Desk(output, write=[None, Short(100), errno.ENOSPC])
    desk.put(*lines(257))
    sizes = []
    desk.timer.wait = lambda *_: sizes.append(output.stat().st_size)
    desk.finish()

    assert sizes == [len(b"".join(lines(256)))]


def test_where_it_cannot_be_cut_off_nothing_is_written_until_it_can(output):
    desk = Desk(
        output, write=[Short(300), errno.ENOSPC], ftruncate=[errno.EIO, errno.EIO, errno.EIO]
    )
    desk.put(*lines(5))

    assert desk.finish() == b"".join(lines(5))
    assert desk.disk.calls.count("write") == 3


def test_after_ten_minutes_of_a_full_disk_everyone_is_told_what_to_do(output):
    desk = Desk(output, write=[None] + [errno.ENOSPC] * 10_000)
    desk.put(*lines(800))
    content = desk.finish()

    assert desk.timer.time == 600.0
    assert content == b"".join(lines(256))
    assert [group.told == [None] for group in desk.groups] == [True, False, False, False]
    for group in desk.groups[1:]:
        [error] = group.told
        assert isinstance(error, DiskError)
        assert "free some space" in str(error)
    with pytest.raises(DiskError, match="free some space"):
        desk.writer.put(line(9_000))


def test_without_patience_there_is_one_try(output):
    desk = Desk(output, disk_wait=0.0, write=[errno.ENOSPC])
    desk.put(line(0))
    assert desk.finish() == b""

    hurried = Desk(output, write=[errno.ENOSPC, errno.ENOSPC])
    hurried.put(line(0))
    hurried.writer.close(patiently=False)
    assert hurried.finish() == b""
    assert hurried.timer.time == 0.0


# --- broken for good


def test_a_disk_that_became_read_only_is_not_waited_for(output):
    desk = Desk(output, write=[errno.EROFS])
    desk.put(line(0))
    desk.finish()

    assert desk.timer.time == 0.0
    assert isinstance(desk.groups[0].told[0], DiskError)


def test_a_failed_sync_is_the_end_and_is_never_tried_again(output):
    desk = Desk(output, fdatasync=[errno.EIO])
    desk.put(*lines(2_000))
    desk.finish()

    assert desk.count("fdatasync") == 1
    assert [type(group.told[0]) for group in desk.groups] == [type(None)] * 4 + [DiskError] * 4
    with pytest.raises(DiskError, match="cannot sync"):
        desk.writer.sync()
    with pytest.raises(DiskError, match="cannot sync"):
        desk.tape.sync()
    with pytest.raises(DiskError, match="cannot sync"):
        desk.tape.write(lines(1))


def test_strict_tells_those_whose_sync_failed(output):
    desk = Desk(output, durability="strict", fdatasync=[errno.EIO])
    desk.put(line(0))
    desk.finish()

    assert isinstance(desk.groups[0].told[0], DiskError)


@pytest.mark.parametrize("bug", [RuntimeError("a bug"), SystemExit(), KeyboardInterrupt()])
def test_whatever_kills_the_writer_nobody_waits_for_ever(output, bug):
    desk = Desk(output, write=[None, bug])
    desk.put(*lines(600))
    desk.finish()

    assert [group.told for group in desk.groups] == [[None], [bug], [bug]]
    with pytest.raises(BatchrunnerError):
        desk.writer.put(line(9_000))


def test_a_closed_writer_takes_nothing_more(output):
    desk = Desk(output)
    desk.finish()

    with pytest.raises(RuntimeError, match="closed"):
        desk.writer.put(line(0))
