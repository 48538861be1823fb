"""A disk that is full, over quota, broken or slow, under a real process."""

import resource
import subprocess
from contextlib import contextmanager
from functools import partial

import pytest

from batchrunner.outputs.checkpoint import checkpoint_path, load

from .tools import LONG, append, assert_whole, finished, rounds, why_no_mounts, why_no_strace

pytestmark = pytest.mark.socket
JOBS = 200
needs_strace = pytest.mark.skipif(why_no_strace() is not None, reason=str(why_no_strace()))
needs_mounts = pytest.mark.skipif(why_no_mounts() is not None, reason=str(why_no_mounts()))


def inject(output, what):
    call = what.partition(":")[0]
    return ["-P", output, "-e", f"trace={call}", "-e", f"inject={what}"]


def assert_goes_on(output, first):
    """The next run finishes, pays for nothing that was written, and all is whole."""
    code, said, _ = finished(append(output, JOBS))
    assert (code, said.is_done) == (0, True)
    assert not first.jobs("w") & said.jobs("p")
    assert_whole(output, JOBS)


@needs_strace
@pytest.mark.parametrize("error", ["ENOSPC", "EDQUOT", "EIO"][: 3 if LONG else 1])
def test_a_write_error_that_passes_costs_nothing(tmp_path, error):
    output = tmp_path / "r.jsonl"
    strace = inject(output, f"write:error={error}:when=3..4")
    code, said, _ = finished(append(output, JOBS, strace=strace))

    assert (code, said.is_done) == (0, True)
    assert {said["p", str(ordinal)] for ordinal in range(JOBS)} == {1}
    assert_whole(output, JOBS)


@needs_strace
@pytest.mark.parametrize("error", ["ENOSPC", "EDQUOT", "EIO"])
def test_a_write_error_that_stays_ends_the_run_with_3(tmp_path, error):
    output = tmp_path / "r.jsonl"
    strace = inject(output, f"write:error={error}:when=3+")
    code, said, err = finished(append(output, JOBS, "--disk-wait", 0, strace=strace))

    assert code == 3
    assert "run the same command again" in err
    assert_goes_on(output, said)


@needs_strace
def test_a_failed_sync_is_not_tried_again_and_the_tail_is_written_again(tmp_path):
    output = tmp_path / "r.jsonl"
    strace = inject(output, "fdatasync:error=EIO:when=2")
    code, said, err = finished(append(output, JOBS, strace=strace))

    assert code == 3
    assert "cannot sync" in err
    log = tmp_path.joinpath("strace.log").read_text()
    assert log.count("fdatasync") == 2
    synced = load(checkpoint_path(output)).fields["results"]["synced"]
    size = output.stat().st_size
    assert synced < size

    trace = ["-P", output, "-e", "trace=pwrite64"]
    code, _, _ = finished(append(output, JOBS, strace=trace))
    assert code == 0
    again = tmp_path.joinpath("strace.log").read_text()
    assert f", {size - synced}, {synced})" in again
    assert_whole(output, JOBS)
    assert said.jobs("w")


@needs_strace
@pytest.mark.parametrize("call", ["write", "fdatasync", "fsync", "openat"])
def test_an_interrupted_call_is_made_again(tmp_path, call):
    output = tmp_path / "r.jsonl"
    strace = inject(output, f"{call}:error=EINTR:when=1+2")
    code, said, _ = finished(append(output, JOBS, strace=strace))

    assert (code, said.is_done) == (0, True)
    assert_whole(output, JOBS)


@needs_strace
@pytest.mark.parametrize("call", ["rename,renameat,renameat2", "fsync", "write"])
def test_a_checkpoint_that_cannot_be_replaced_stays_as_it_was(tmp_path, call):
    output = tmp_path / "r.jsonl"
    path = checkpoint_path(output)
    files = ["-P", path, "-P", f"{path}.tmp", "-e", f"trace={call}"]
    strace = [*files, "-e", f"inject={call}:error=ENOSPC:when=2+"]
    code, said, _ = finished(append(output, JOBS, strace=strace))

    assert (code, said.is_done) == (0, True)
    assert ("unsaved", "28") in said
    assert load(path).fields["complete"] is False
    assert not path.with_name(path.name + ".tmp").exists()
    assert_whole(output, JOBS)


@needs_strace
def test_a_slow_disk_is_written_to_in_larger_groups(tmp_path):
    output = tmp_path / "r.jsonl"
    strace = inject(output, "fdatasync:delay_exit=100000")
    code, said, _ = finished(append(output, 60, "--durability", "strict", strace=strace))

    assert (code, said.is_done) == (0, True)
    syncs = tmp_path.joinpath("strace.log").read_text().count("fdatasync")
    assert 60 / 8 <= syncs < 60 / 2  # eight jobs at a time share a sync


@pytest.mark.parametrize("seed", rounds(1, 10))
def test_a_limit_of_file_sizes_cuts_a_write_short_and_leaves_whole_lines(tmp_path, seed):
    output = tmp_path / "r.jsonl"
    limit = 40_000 + 777 * seed
    small = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit))
    code, said, err = finished(append(output, JOBS, "--disk-wait", 0, preexec_fn=small))

    assert code == 3
    assert "ulimit -f" in err
    assert output.read_bytes().endswith(b"\n")
    assert limit - 20_000 < output.stat().st_size <= limit
    assert_goes_on(output, said)


@contextmanager
def tmpfs(place, options):
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    subprocess.run(command, check=True)  # noqa: S603 - root, and a directory of this test
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)  # noqa: S603, S607


@needs_mounts
def test_a_full_file_system_ends_the_run_and_goes_on_when_there_is_room(tmp_path):
    with tmpfs(tmp_path / "small", "size=100k") as place:
        output = place / "r.jsonl"
        code, said, err = finished(append(output, JOBS, "--disk-wait", 0))
        assert code == 3
        assert "free some space" in err
        assert said.jobs("w")
        assert not list(place.glob("*.tmp"))
        subprocess.run(["mount", "-o", "remount,size=10m", str(place)], check=True)  # noqa: S603, S607
        assert_goes_on(output, said)


@needs_mounts
def test_without_an_inode_left_nothing_is_paid_for(tmp_path):
    with tmpfs(tmp_path / "small", "nr_inodes=2") as place:
        code, said, err = finished(append(place / "r.jsonl", JOBS))

    assert code == 3
    assert not said.jobs("p")
    assert "No space left on device" in err


@needs_mounts
def test_on_a_read_only_file_system_nothing_is_paid_for(tmp_path):
    with tmpfs(tmp_path / "small", "size=1m,ro") as place:
        code, said, err = finished(append(place / "r.jsonl", JOBS))

    assert code == 2
    assert not said.jobs("p")
    assert "Read-only file system" in err
