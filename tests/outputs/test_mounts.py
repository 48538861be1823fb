"""Which file system a path is on."""

from pathlib import Path

import pytest

from batchrunner.outputs.mounts import file_system, warning

MOUNTS = """\
21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 21 0:40 / /home rw,relatime shared:7 - nfs4 server:/home rw
31 21 0:41 / /home/a\\040b rw - tmpfs tmpfs rw
32 21 0:42 / /mnt/c rw - 9p C rw
33 21 0:43 / /mnt/c rw - fuse.sshfs host: rw
half a line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/tmp/r.jsonl", "ext4"),  # noqa: S108 - only a name
        ("/home/r.jsonl", "nfs4"),
        ("/homes/r.jsonl", "ext4"),
        ("/home/a b/r.jsonl", "tmpfs"),
        ("/mnt/c/x/r.jsonl", "fuse.sshfs"),
    ],
)
def test_the_longest_and_last_mount_point_counts(path, kind):
    assert file_system(MOUNTS, Path(path)) == kind


def test_without_mounts_nothing_is_known():
    assert file_system("", Path("/r.jsonl")) is None


def test_a_local_disk_is_no_reason_to_warn_and_a_remote_one_is(tmp_path):
    output, listed = tmp_path / "r.jsonl", tmp_path / "mountinfo"
    assert warning(output) is None
    assert warning(output, listed) is None

    listed.write_text(MOUNTS.replace(" / / ", f" / {tmp_path} ").replace("ext4", "nfs"))
    assert "a file system of the kind nfs" in warning(output, listed)
