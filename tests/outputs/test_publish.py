"""Small files, replaced whole, and the checkpoint among them."""

import errno
import stat

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.errors import UsageError
from batchrunner.outputs import checkpoint
from batchrunner.outputs.publish import publish

from .faulty import FaultyDisk, Short

FIELDS = {"synced": 12, "records": 3, "cfg_fp": "ab", "models": {"gpt-4o": 3}}


def test_a_published_file_has_the_content_and_nothing_is_left_beside_it(tmp_path):
    target = tmp_path / "stats.json"
    publish(target, b"old")
    publish(target, b"new")

    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_the_leftover_of_a_run_that_was_killed_is_no_hindrance(tmp_path):
    (tmp_path / "stats.json.tmp").write_bytes(b"half")

    publish(tmp_path / "stats.json", b"new")

    assert [path.name for path in tmp_path.iterdir()] == ["stats.json"]


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "stats.json").symlink_to(tmp_path / "other")
    (tmp_path / "stats.json.tmp").symlink_to(tmp_path / "other")

    publish(tmp_path / "stats.json", b"new")

    assert (tmp_path / "other").read_bytes() == b"other"
    assert not (tmp_path / "stats.json").is_symlink()


@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
def test_when_it_cannot_be_published_the_old_file_stays_and_the_draft_goes(tmp_path, call):
    target = tmp_path / "stats.json"
    publish(target, b"old")

    with pytest.raises(OSError, match="No space left"):
        publish(target, b"new", FaultyDisk(**{call: [errno.ENOSPC]}))

    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_steps_come_in_the_order_that_survives_a_power_cut(tmp_path):
    disk = FaultyDisk(write=[Short(2), Short(2)])
    publish(tmp_path / "stats.json", b"12345", disk)

    steps = ["unlink", "open", "write", "write", "write", "fsync", "replace", "fsync_directory"]
    assert disk.calls == steps
    assert (tmp_path / "stats.json").read_bytes() == b"12345"


# --- the checkpoint


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    path = tmp_path / "checkpoint.json"
    publish(path, checkpoint.encode(FIELDS))

    assert checkpoint.load(path) == (FIELDS, None)
    assert orjson.loads(path.read_bytes())["v"] == 1


def test_a_missing_checkpoint_is_none_and_says_why(tmp_path):
    fields, reason = checkpoint.load(tmp_path / "checkpoint.json")

    assert fields is None
    assert "missing" in reason


@given(st.data())
def test_a_damaged_checkpoint_is_none_and_says_why(tmp_path_factory, data):
    content = bytearray(checkpoint.encode(FIELDS))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("d") / "checkpoint.json"
    path.write_bytes(content)

    fields, reason = checkpoint.load(path)

    assert fields is None
    assert "damaged" in reason


@pytest.mark.parametrize("size", range(0, len(checkpoint.encode(FIELDS)), 7))
def test_a_checkpoint_that_was_cut_off_is_none(tmp_path, size):
    path = tmp_path / "checkpoint.json"
    path.write_bytes(checkpoint.encode(FIELDS)[:size])

    assert checkpoint.load(path).fields is None


def test_a_directory_in_its_place_is_none_and_says_why(tmp_path):
    assert "cannot be read" in checkpoint.load(tmp_path).reason


def test_a_checkpoint_of_another_version_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.json"
    with monkeypatch.context() as later:
        later.setattr(checkpoint, "VERSION", 2)
        publish(path, checkpoint.encode(FIELDS))

    with pytest.raises(UsageError, match="format 2"):
        checkpoint.load(path)
