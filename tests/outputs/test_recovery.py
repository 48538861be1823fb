"""A results file is whole again after recovery, whatever happened to it, or it is refused."""

import errno
import os
import stat
from contextlib import nullcontext
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.errors import DamagedError, DiskError, UsageError
from batchrunner.outputs.lines import check, failed, retryable
from batchrunner.outputs.recovery import Known, recover
from batchrunner.outputs.results_file import tail
from batchrunner.outputs.tape import Tape

from .builders import AGAIN, FINAL, line
from .faulty import FaultyDisk

LINES = [line(n, b'{"text":"%s"}' % (b"word " * n)) for n in range(5)]
WHOLE = b"".join(LINES)
SAFE = {"synced": len(WHOLE), "records": len(LINES)}


@pytest.fixture
def output(tmp_path):
    return tmp_path / "r.jsonl"


def opened(output, *, disk=None, **known):
    """Recover, and close the file."""
    found = recover(output, Known(**known), *([disk] if disk else []))
    os.close(found.fd)
    return found


def torn_files(output):
    return sorted(output.parent.glob("*.torn-*"))


def test_a_new_file_is_empty_and_its_owners_alone(output):
    found = opened(output)

    assert (found.size, len(found.done)) == (0, 0)
    assert stat.S_IMODE(output.stat().st_mode) == 0o600


def test_a_whole_file_stays_as_it_is(output):
    output.write_bytes(WHOLE)
    found = opened(output, **SAFE)

    assert output.read_bytes() == WHOLE
    assert found.size == len(WHOLE)
    assert [found.done.fingerprint(n) for n in range(5)] == [f"{n + 1:016x}" for n in range(5)]
    assert (found.bad_bytes, found.duplicates, found.compacted) == (0, 0, False)
    assert not torn_files(output)


def test_torn_at_every_byte_and_written_to_afterwards(output):
    after, content = line(99), WHOLE[: len(LINES[0] + LINES[1])]
    for cut in range(len(content) + 1):
        output.write_bytes(content[:cut])
        kept = content[:cut].count(b"\n")
        found = recover(output, Known())
        tape = Tape(output, found.fd, found.size, FaultyDisk())
        tape.write([after])
        tape.close()

        assert len(found.done) == kept
        assert output.read_bytes() == b"".join(LINES[:kept]) + after
        assert opened(output).bad_bytes == 0
        for torn in torn_files(output):
            torn.unlink()


def test_what_is_cut_off_is_kept(output):
    output.write_bytes(WHOLE + b'{"i":5,"fp')
    found = opened(output, **SAFE)

    assert found.kept_in.read_bytes() == b'{"i":5,"fp'
    assert (found.bad_lines, found.bad_bytes) == (1, 10)
    assert stat.S_IMODE(found.kept_in.stat().st_mode) == 0o600


def test_what_was_kept_before_is_never_overwritten(output):
    for rubbish in (b'{"i":1', b'{"i":2', b'{"i":3'):
        output.write_bytes(WHOLE + rubbish)
        opened(output)

    assert sorted(path.read_bytes() for path in torn_files(output)) == [
        b'{"i":1',
        b'{"i":2',
        b'{"i":3',
    ]


def test_whole_lines_behind_a_hole_are_kept(output):
    hole = bytes(200)
    output.write_bytes(LINES[0] + hole + b"\n" + LINES[2] + LINES[3][9:] + LINES[4])
    found = opened(output, synced=len(LINES[0]), records=1)

    assert output.read_bytes() == LINES[0] + LINES[2] + LINES[4]
    assert found.compacted
    assert found.size == output.stat().st_size
    assert found.kept_in.read_bytes() == hole + b"\n" + LINES[3][9:]
    assert [n in found.done for n in range(5)] == [True, False, True, False, True]


def test_of_two_lines_of_a_job_the_first_stays_and_the_other_is_kept_beside(output):
    other = line(1, b'{"text":"again"}')
    output.write_bytes(WHOLE + other)
    found = opened(output, **SAFE)

    assert output.read_bytes() == WHOLE
    assert found.duplicates == 1
    assert found.kept_in.read_bytes() == other


def test_a_file_of_half_a_line_only_becomes_empty(output):
    for rubbish in (b"{", b'{"i":0,"fp":"00', bytes(300), bytes(64) + WHOLE[64:90]):
        output.write_bytes(rubbish)
        assert opened(output).bad_bytes == len(rubbish)
        assert output.read_bytes() == b""


# --- what is refused


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]


@pytest.mark.parametrize("at", range(0, len(WHOLE), 23))
def test_a_flipped_bit_in_what_was_safe_is_refused_and_repaired_on_demand(output, at):
    output.write_bytes(flipped(WHOLE, at))
    hurt = {WHOLE[:at].count(b"\n")} | ({WHOLE[: at + 1].count(b"\n")} & set(range(5)))
    start = len(b"".join(LINES[: min(hurt)]))

    with pytest.raises(DamagedError, match=rf"byte {start} is damaged.*--repair"):
        opened(output, **SAFE)
    assert output.read_bytes() == flipped(WHOLE, at)

    found = opened(output, **SAFE, repair=True)
    assert {n for n in range(5) if n not in found.done} == hurt
    assert list(tail(output)) == [text for n, text in enumerate(LINES) if n not in hurt]


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (WHOLE[: len(LINES[0])], f"has {len(LINES[0])} bytes"),
        (b"", "has 0 bytes"),
        (b"".join(LINES[:4]) + LINES[0] + b"\n" * 200, "is damaged"),
        (b"".join([*LINES[:3], *LINES[:3]]), "has 3 whole lines"),
    ],
)
def test_a_file_that_lost_lines_is_refused(output, content, trouble):
    output.write_bytes(content)
    with pytest.raises(DamagedError, match=trouble):
        opened(output, **SAFE)

    assert output.read_bytes() == content
    opened(output, **SAFE, repair=True)
    assert [check(text) for text in output.read_bytes().splitlines(keepends=True)].count(None) == 0


def test_repair_does_nothing_to_a_file_that_needs_none(output):
    output.write_bytes(WHOLE)
    found = opened(output, **SAFE, repair=True)

    assert not found.compacted
    assert output.read_bytes() == WHOLE


@pytest.mark.parametrize(
    "content", [b"some notes\n", b'{"custom_id":"a","body":{}}\n' * 3, b"\0\0x", b"\x1f\x8b"]
)
def test_a_file_of_another_kind_is_not_touched(output, content):
    output.write_bytes(content)
    for repair in (False, True):
        with pytest.raises(UsageError, match="another kind of file"):
            opened(output, repair=repair)

    assert output.read_bytes() == content
    assert list(output.parent.iterdir()) == [output]


def make_link(output):
    (output.parent / "other").write_bytes(WHOLE)
    output.symlink_to(output.parent / "other")


def make_twin(output):
    output.write_bytes(WHOLE)
    (output.parent / "twin").hardlink_to(output)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (make_link, "symbolic link"),
        (make_twin, "2 names"),
        (os.mkfifo, "not a regular file"),
        (lambda output: output.mkdir(), "directory"),
    ],
)
def test_what_is_no_file_of_its_own_is_refused(output, make, reason):
    make(output)
    with pytest.raises(UsageError, match=f"{reason}.*--output|{reason}.*copy"):
        opened(output)


def test_a_directory_that_is_missing_is_the_users_mistake(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        opened(tmp_path / "missing" / "r.jsonl")


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_sent(output, number):
    with pytest.raises(UsageError, match="choose another --output"):
        opened(output, disk=FaultyDisk(open=[number]))


# --- failures that are to run again


def test_lines_to_be_dropped_go_and_the_others_stay(output):
    mixed = [line(0), line(1, failure=AGAIN), line(2, failure=FINAL), line(3)]
    output.write_bytes(b"".join(mixed))

    found = opened(output, drop=retryable)
    assert output.read_bytes() == mixed[0] + mixed[2] + mixed[3]
    assert found.dropped == 1
    assert 1 not in found.done
    assert not torn_files(output)

    assert opened(output, drop=failed).dropped == 1
    assert output.read_bytes() == mixed[0] + mixed[3]


def test_the_promise_is_withdrawn_while_the_dropped_lines_can_still_be_read(output):
    mixed = [line(0), line(1, failure=AGAIN), line(2)]
    output.write_bytes(b"".join(mixed))
    seen = []

    opened(
        output,
        synced=len(b"".join(mixed)),
        records=3,
        drop=retryable,
        before_compaction=lambda: seen.extend(tail(output, len(mixed[0]))),
    )

    assert seen == mixed[1:]
    assert output.read_bytes() == mixed[0] + mixed[2]


def test_no_promise_is_withdrawn_where_nothing_is_compacted(output):
    output.write_bytes(WHOLE + b'{"i":')

    opened(output, **SAFE, drop=retryable, before_compaction=partial(pytest.fail, "called"))


def test_a_compaction_takes_lines_in_many_groups(output):
    mixed = [line(n, failure=AGAIN if n % 100 == 7 else None) for n in range(1_000)]
    output.write_bytes(b"".join(mixed))

    assert opened(output, drop=retryable).dropped == 10
    assert output.read_bytes() == b"".join(text for text in mixed if not retryable(text))


# --- the disk fails during recovery: the file is as it was

HOLED = LINES[0] + b"\n" + LINES[1] + LINES[1]
CASES = {"tail": WHOLE + b'{"i":', "hole": HOLED}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("call", ["write", "fsync", "fsync_directory", "ftruncate", "replace"])
def test_when_recovery_fails_nothing_is_lost_and_the_next_one_works(output, case, call):
    output.write_bytes(CASES[case])
    disk = FaultyDisk(**{call: [errno.EIO]})
    fails = (case, call) not in {("tail", "replace"), ("hole", "ftruncate")}
    with pytest.raises(DiskError, match="check the disk") if fails else nullcontext():
        opened(output, disk=disk)

    before = {check(text) for text in CASES[case].splitlines(keepends=True)} - {None}
    assert set(map(check, tail(output))) == before
    opened(output)
    assert set(map(check, output.read_bytes().splitlines(keepends=True))) == before
    assert not output.with_name("r.jsonl.compact").exists()


def test_the_new_file_of_a_compaction_that_was_killed_is_forgotten(output):
    output.write_bytes(WHOLE)
    output.with_name("r.jsonl.compact").write_bytes(LINES[0])

    assert len(opened(output).done) == 5
    assert list(output.parent.iterdir()) == [output]


def test_lines_behind_the_synced_length_are_written_again_in_place(output):
    output.write_bytes(WHOLE)
    disk = FaultyDisk()
    opened(output, synced=len(LINES[0]), records=1, disk=disk)
    assert "pwrite" in disk.calls
    assert output.read_bytes() == WHOLE

    disk = FaultyDisk()
    opened(output, **SAFE, disk=disk)
    assert "pwrite" not in disk.calls


# --- anything at all

PIECES = st.one_of(
    st.builds(line, st.integers(0, 6), failure=st.sampled_from([None, AGAIN, FINAL])),
    st.binary(max_size=30),
    st.just(bytes(70)),
    st.just(b"\n"),
    st.builds(lambda text, cut: text[cut:], st.sampled_from(LINES), st.integers(-60, 60)),
    st.builds(lambda text, cut: text[:cut], st.sampled_from(LINES), st.integers(1, 60)),
)


@given(pieces=st.lists(PIECES, max_size=12), drop=st.sampled_from([None, retryable, failed]))
def test_whatever_is_in_the_file_its_whole_lines_survive_once(tmp_path_factory, pieces, drop):
    output = tmp_path_factory.mktemp("any") / "r.jsonl"
    content = LINES[0] + b"".join(pieces)
    output.write_bytes(content)
    expected = {}
    for text in split(content):
        if check(text) and not (drop and drop(text)):
            expected.setdefault(check(text)[0], text)

    found = opened(output, drop=drop)
    again = opened(output, drop=drop, synced=found.size, records=len(found.done))

    assert output.read_bytes() == b"".join(expected.values())
    assert len(found.done) == len(again.done) == len(expected)
    assert (again.bad_bytes, again.compacted) == (0, False)


def split(content):
    return [piece + b"\n" for piece in content.split(b"\n")[:-1]]


def test_the_tail_begins_where_it_is_told_and_passes_over_damage(output):
    output.write_bytes(LINES[0] + LINES[1] + b"rubbish\n" + LINES[2] + LINES[3][:-1])

    assert list(tail(output, len(LINES[0]))) == LINES[1:3]
    assert list(tail(output, 10**6)) == []
