"""One run at a time."""

import errno
import os
import platform
import stat
import subprocess
import sys

import pytest

from batchrunner.errors import DiskError, LockedError, UsageError
from batchrunner.outputs.lock import acquire, holder

from .faulty import FaultyDisk


def test_the_second_run_is_told_who_holds_the_output(tmp_path):
    output = tmp_path / "r.jsonl"

    holder = f"process {os.getpid()} on {platform.node()}"
    with acquire(output), pytest.raises(LockedError, match=holder):
        acquire(output)


def test_a_lock_that_was_released_can_be_had_again_and_its_file_stays(tmp_path):
    output = tmp_path / "r.jsonl"
    first = acquire(output)
    first.release()
    first.release()

    with acquire(output):
        assert (tmp_path / "r.jsonl.lock").exists()
    assert (tmp_path / "r.jsonl.lock").exists()


def test_the_lock_of_a_run_that_was_killed_is_free(tmp_path):
    output = tmp_path / "r.jsonl"
    code = (
        "import os, pathlib, sys; from batchrunner.outputs.lock import acquire, holder;"
        "acquire(pathlib.Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    )
    died = subprocess.run([sys.executable, "-c", code, output], check=False)  # noqa: S603 - our own

    assert died.returncode == -9
    acquire(output).release()


def test_a_child_process_does_not_inherit_the_lock(tmp_path):
    output = tmp_path / "r.jsonl"
    lock = acquire(output)
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:  # noqa: S607 - any will do
        lock.release()
        acquire(output).release()
        child.kill()


def test_only_the_owner_may_read_the_lock(tmp_path):
    with acquire(tmp_path / "r.jsonl"):
        assert stat.S_IMODE((tmp_path / "r.jsonl.lock").stat().st_mode) == 0o600


def test_rubbish_in_the_lock_is_not_shown(tmp_path):
    output = tmp_path / "r.jsonl"
    with acquire(output):
        (tmp_path / "r.jsonl.lock").write_bytes(b"12 \x1b]0;evil\x07")
        with pytest.raises(LockedError, match="another run is writing"):
            acquire(output)


def test_where_no_file_can_be_made_the_message_says_so(tmp_path):
    with pytest.raises(UsageError, match="--output"):
        acquire(tmp_path / "missing" / "r.jsonl")


def test_a_link_in_the_place_of_the_lock_is_refused(tmp_path):
    (tmp_path / "r.jsonl.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError):
        acquire(tmp_path / "r.jsonl")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("call", "number", "error"),
    [("lock", errno.ENOLCK, UsageError), ("write", errno.ENOSPC, DiskError)],
)
def test_a_disk_that_cannot_lock_or_write_ends_the_run_first(tmp_path, call, number, error):
    with pytest.raises(error):
        acquire(tmp_path / "r.jsonl", FaultyDisk(**{call: [number]}))

    acquire(tmp_path / "r.jsonl").release()


def test_it_can_be_asked_who_holds_it_without_getting_in_the_way(tmp_path):
    output = tmp_path / "r.jsonl"
    assert holder(output) is None
    with acquire(output):
        assert holder(output) == f"process {os.getpid()} on {platform.node()}"
    assert holder(output) is None
    acquire(output).release()


def test_a_run_that_starts_while_somebody_asks_gets_the_lock(tmp_path):
    busy = BlockingIOError(errno.EAGAIN, "busy")
    acquire(tmp_path / "r.jsonl", FaultyDisk(lock=[busy, busy])).release()
