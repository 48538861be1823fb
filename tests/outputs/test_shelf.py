"""Whole lines are found by what they answer; nothing that is damaged, cut or another's ever is."""

import random
from dataclasses import replace

import anyio
import pytest

from batchrunner.errors import UsageError
from batchrunner.outputs.disk import Disk
from batchrunner.outputs.lines import encode
from batchrunner.outputs.shelf import Shelf

from .builders import AGAIN, CFG, FINAL, result

pytestmark = pytest.mark.parametrize("disk", [Disk(), "cold"], indirect=True)


class Cold(Disk):
    """Nothing is in memory: every line comes from the disk, by a thread."""

    def peek(self, fd, size, offset):  # noqa: ARG002 - as it is called
        return b""


@pytest.fixture
def disk(request):
    return Cold() if request.param == "cold" else request.param


def request_name(number):
    return f"{number:032x}"[::-1]


def line(number, ordinal=0, body=b'{"text":"fine"}', failure=None):
    plain = result(ordinal, body, failure)
    return encode(replace(plain, job=replace(plain.job, request=request_name(number))), CFG)


def find(shelf, number):
    return anyio.run(shelf.find, request_name(number))


def anything(_):
    return True


@pytest.fixture
def shelf(disk):
    shelf = Shelf(disk=disk)
    yield shelf
    shelf.close()


def test_every_line_is_found_whatever_its_length(shelf, tmp_path):
    lines = [line(n, n, b'"%b"' % (b"x" * (n * 997 % 50_000))) for n in range(100)]
    (tmp_path / "a").write_bytes(b"".join(lines))

    found = shelf.add(tmp_path / "a", anything)

    assert (found.physical, found.whole, found.wanted, found.named) == (100, 100, 100, 100)
    assert len(shelf) == 100
    assert [find(shelf, n) for n in range(100)] == lines
    assert find(shelf, 100) is None


def test_only_what_is_wanted_is_found(shelf, tmp_path):
    lines = [line(0), line(1, 1, failure=FINAL), line(2, 2, failure=AGAIN)]
    (tmp_path / "a").write_bytes(b"".join(lines))

    shelf.add(tmp_path / "a", lambda line: b"content_filter" not in line)

    assert [find(shelf, n) for n in range(3)] == [lines[0], None, lines[2]]


def test_the_last_line_counts_and_that_of_the_file_that_was_named_last(shelf, tmp_path):
    a = [line(1, 0, b'"a0"'), line(2, 1, b'"a1"'), line(1, 2, b'"a2"')]
    b = [line(2, 0, b'"b0"')]
    (tmp_path / "a").write_bytes(b"".join(a))
    (tmp_path / "b").write_bytes(b"".join(b))

    shelf.add(tmp_path / "a", anything)
    shelf.add(tmp_path / "b", anything)

    assert find(shelf, 1) == a[2]
    assert find(shelf, 2) == b[0]


def test_damage_is_passed_over_whenever_it_came(shelf, tmp_path):
    """Any byte is spoiled, before the file is read or behind its back: the other lines stay."""
    lines = [line(n, n) for n in range(3)]
    whole = b"".join(lines)
    chance = random.Random(1)
    path = tmp_path / "a"
    for late in (False, True):
        for _ in range(40):
            spoiled = bytearray(whole)
            where = chance.randrange(len(whole))
            spoiled[where] ^= 1 << chance.randrange(8)
            path.write_bytes(whole if late else spoiled)
            fresh = Shelf(disk=shelf._disk)
            fresh.add(path, anything)
            path.write_bytes(spoiled)  # in place, as a failing medium would
            for number, expected in enumerate(lines):
                assert find(fresh, number) in (expected, None)
                start = sum(map(len, lines[:number]))
                if not start - 1 <= where < start + len(expected):
                    assert find(fresh, number) == expected
            fresh.close()


def test_half_a_line_at_the_end_is_not_there_yet(shelf, tmp_path):
    whole = line(0) + line(1, 1)
    (tmp_path / "a").write_bytes(whole[:-7])

    shelf.add(tmp_path / "a", anything)

    assert find(shelf, 0) == line(0)
    assert find(shelf, 1) is None


def test_a_file_that_is_cut_or_replaced_meanwhile_gives_nothing_wrong(shelf, tmp_path):
    lines = [line(n, n) for n in range(4)]
    path = tmp_path / "a"
    path.write_bytes(b"".join(lines))
    shelf.add(path, anything)

    with path.open("r+b") as file:
        file.truncate(len(lines[0]) + 5)
    assert [find(shelf, n) for n in range(4)] == [lines[0], None, None, None]

    path.rename(tmp_path / "old")
    path.write_bytes(b"another file")
    assert find(shelf, 0) == lines[0]


def test_half_of_a_request_is_not_enough(shelf, tmp_path):
    """Two requests whose first 64 bits agree: the one that is not there is not found."""
    (tmp_path / "a").write_bytes(line(1))
    shelf.add(tmp_path / "a", anything)
    twin = request_name(1)[:16] + "f" * 16

    assert twin != request_name(1)
    assert anyio.run(shelf.find, twin) is None


def test_lines_without_a_request_are_counted_and_not_found(shelf, tmp_path):
    (tmp_path / "a").write_bytes(encode(result(), CFG) + line(1, 1))

    found = shelf.add(tmp_path / "a", anything)

    assert (found.whole, found.named) == (2, 1)
    assert len(shelf) == 1


@pytest.mark.parametrize("is_there", [False, True], ids=["missing", "directory"])
def test_what_cannot_be_read_is_named(shelf, tmp_path, is_there):
    if is_there:
        (tmp_path / "a").mkdir()

    with pytest.raises(UsageError, match="/a "):
        shelf.add(tmp_path / "a", anything)


def test_a_link_to_the_results_of_last_night_is_followed(shelf, tmp_path):
    (tmp_path / "a").write_bytes(line(1))
    (tmp_path / "latest").symlink_to("a")

    shelf.add(tmp_path / "latest", anything)

    assert find(shelf, 1) == line(1)
