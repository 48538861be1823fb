"""One job's line is found among all, whatever stands around it."""

import pytest

from batchrunner.outputs import lookup
from batchrunner.outputs.lines import encode
from batchrunner.outputs.lookup import by_id, by_ordinal

from .builders import CFG, line, result


@pytest.fixture
def place(tmp_path):
    path = tmp_path / "r.jsonl"

    def write(*lines):
        path.write_bytes(b"".join(lines))
        return path

    return write


def named(ordinal, id_):
    return encode(result(ordinal, custom_id=id_), CFG)


@pytest.mark.parametrize("id_", ['q"uote', "back\\slash", "naïve 🙂", "a\tb\nc\x07", "", "0"])
def test_an_id_of_any_kind_is_found_and_no_other(place, id_):
    wanted = named(1, id_)
    path = place(named(0, id_ + "x"), wanted, named(2, "x" + id_))

    assert by_id(path, id_).lines == [wanted]
    assert by_id(path, id_ + "y").lines == []


def test_what_a_model_wrote_is_not_taken_for_a_head(place):
    fake = b'{"i":7,"fp":"0123456789abcdef","custom_id":"evil","response":null}'
    path = place(line(0, b'{"a":' + fake + b"}"), fake + b"\n")

    assert by_id(path, "evil").lines == []
    assert by_id(path, "evil").damaged == 1  # the second begins as a line does
    assert by_ordinal(path, 7).damaged == 1


@pytest.mark.parametrize("block", [64, 65, 100, 1000])
def test_a_line_across_blocks_is_found_once(place, block):
    lines = [line(n) for n in range(20)]
    path = place(*lines)

    assert all(by_ordinal(path, n, block).lines == [lines[n]] for n in range(20))
    assert all(by_id(path, f"task-{n}", block).lines == [lines[n]] for n in range(20))


def test_an_ordinal_is_not_found_within_a_longer_one(place):
    path = place(line(11), line(111))

    assert by_ordinal(path, 1).lines == []
    assert by_ordinal(path, 11).lines == [line(11)]


def test_a_line_that_is_being_written_is_none_yet(place):
    path = place(line(0), line(1)[:-5])

    assert by_ordinal(path, 1) == lookup.Hits()


def test_damaged_and_doubled_lines_are_told(place):
    broken = bytearray(line(1))
    broken[-30] ^= 1
    path = place(line(0), bytes(broken), line(0))

    assert (by_ordinal(path, 1).lines, by_ordinal(path, 1).damaged) == ([], 1)
    assert len(by_id(path, "task-0").lines) == 2


def test_an_id_that_is_no_text_is_in_no_line(place):
    assert by_id(place(line(0)), "\udc80") == lookup.Hits()
