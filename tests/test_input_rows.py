"""Inputs that are damaged or hostile, through the front door: what is sent, and what is said."""

import gzip
import json
from pathlib import Path

import pytest

from batchrunner.outputs.lines import check
from tests import test_run
from tests.inputs.test_source import PACK
from tests.test_run import read_results, write_jobs

place, batchrunner = test_run.place, test_run.batchrunner

RUN = ("run", "in.jsonl", "--simulate", "swift.toml", "--json")
GOOD = b'{"prompt":"a","model":"gpt-4o-mini"}\n'
BAD = {
    "bad UTF-8": b'{"prompt":"\xff"}',
    "half a character": b'{"prompt":"\\ud800"}',
    "half a character in bytes": b'{"prompt":"\xed\xa0\x80"}',
    "NaN": b'{"prompt":"a","x":NaN}',
    "a number without end": b'{"prompt":"a","x":1e999}',
    "a number of 5,000 digits": b'{"prompt":"a","x":' + b"9" * 5000 + b"}",
    "NUL": b'{"prompt":"a\0"}',
    "a hole": bytes(4096),
    "two jobs": GOOD.strip() + GOOD.strip(),
    "a list": b"[]",
    "a text": b'"a"',
    "null": b"null",
    "nested 100,000 times": b'{"prompt":' + b"[" * 100_000,
    "100 MB": b"x" * 100_000_000,
    "a key": b'{"prompt":"a","model":"m","api_key":"s3cret"}',
    "another host": b'{"prompt":"a","model":"m","base_url":"https://evil.example"}',
    "headers": b'{"prompt":"a","model":"m","headers":{"a":"b"}}',
}


def calls(out):
    return sum(region["calls"] for region in json.loads(out)["simulator"].values())


def test_bad_lines_are_recorded_and_nothing_is_paid_for_them(batchrunner):
    Path("in.jsonl").write_bytes(b"\n".join([GOOD.strip(), *BAD.values(), GOOD]))

    code, out, _ = batchrunner(*RUN, "--bad-lines", "record")

    bad = {result["i"] for result in read_results() if result["error"]}
    assert code == 1
    assert bad == set(range(1, len(BAD) + 1))
    assert calls(out) == 2
    assert json.loads(out)["failures"] == {"bad_line": len(BAD)}
    lines = Path("in.results.jsonl").read_bytes().splitlines(keepends=True)
    assert all(check(line) for line in lines)
    assert b"s3cret" not in b"".join(lines)
    assert batchrunner(*RUN, "--bad-lines", "record")[0] == 1  # once more: all is as it was
    assert Path("in.results.jsonl").read_bytes() == b"".join(lines)


def test_every_bad_line_is_told_before_anything_is_sent(batchrunner):
    small = {name: line for name, line in BAD.items() if len(line) < 1_000_000}
    Path("in.jsonl").write_bytes(b"\n".join([GOOD.strip(), *small.values(), GOOD]))

    code, out, err = batchrunner(*RUN)

    assert (code, out) == (2, "")
    for number in range(2, len(small) + 2):
        assert f"line {number}: " in err
    assert "s3cret" not in err
    assert not Path("in.results.jsonl").exists()


@pytest.mark.parametrize("code", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_one_error_and_not_one_for_each_line(batchrunner, code):
    Path("in.jsonl").write_bytes((GOOD * 1000).decode().encode(code))

    ended, _, err = batchrunner(*RUN)

    assert (ended, err) == (2, "batchrunner: in.jsonl is UTF-16: save it as UTF-8\n")


def test_line_ends_and_marks_of_other_systems_ask_the_same(batchrunner):
    """What was answered with one kind of them is done with the other."""
    lines = [GOOD.strip().replace(b'"a"', b'"%d"' % n) for n in range(3)]
    for number, content in enumerate(
        (
            b"\n".join(lines) + b"\n",
            b"\xef\xbb\xbf" + b"\r\n".join(lines) + b"\r\n",
            b"\n".join(lines),
        )
    ):
        Path("in.jsonl").write_bytes(content)
        code, out, _ = batchrunner(*RUN)
        assert (code, calls(out)) == (0, 0 if number else 3)


@pytest.mark.parametrize("suffix", PACK)
def test_packed_inputs_are_read_and_name_their_results_as_the_others_do(
    batchrunner,
    suffix,
):
    write_jobs()
    Path("in.jsonl" + suffix).write_bytes(PACK[suffix](Path("in.jsonl").read_bytes()))

    code, out, _ = batchrunner("run", "in.jsonl" + suffix, *RUN[2:])

    assert (code, calls(out)) == (0, 20)
    assert len(read_results("in.results.jsonl")) == 20


DAMAGE = {
    "cut": lambda packed: packed[:-9],
    "garbage behind it": lambda packed: packed + b"garbage",
    "empty": lambda _: b"",
}


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("suffix", PACK)
def test_a_damaged_packed_input_sends_nothing_and_leaves_the_results(
    batchrunner,
    how,
    suffix,
):
    write_jobs()
    path = Path("in.jsonl" + suffix)
    whole = PACK[suffix](Path("in.jsonl").read_bytes())
    arguments = ("run", path, *RUN[2:])
    path.write_bytes(DAMAGE[how](whole))
    code, _, err = batchrunner(*arguments)
    assert code == 2
    assert path.name in err
    assert not Path("in.results.jsonl").exists()

    path.write_bytes(whole)
    batchrunner(*arguments)
    before = Path("in.results.jsonl").read_bytes()
    path.write_bytes(DAMAGE[how](whole))
    assert batchrunner(*arguments)[0] == 2
    assert Path("in.results.jsonl").read_bytes() == before


def test_parts_one_after_the_other_and_zeros_behind_them_are_one_file(batchrunner):
    parts = [gzip.compress(b'{"prompt":"%d","model":"gpt-4o-mini"}\n' % n) for n in range(5)]
    Path("in.jsonl.gz").write_bytes(b"".join(parts) + bytes(1024))

    code, out, _ = batchrunner("run", "in.jsonl.gz", *RUN[2:])

    assert (code, calls(out)) == (0, 5)
