"""Whatever an input holds: its lines are jobs or bad lines, or there is one error that says why.

`FUZZ_EXAMPLES=20000 pytest tests/inputs/test_fuzz.py` looks longer.
"""

import gzip
import os
import tempfile
from pathlib import Path

import anyio
import orjson
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from batchrunner.errors import InputError
from batchrunner.inputs.jsonl import BadLine, parse
from batchrunner.inputs.source import Source
from batchrunner.inputs.survey import survey
from batchrunner.model import Job
from tests.inputs.test_source import PACK

pytestmark = pytest.mark.socket  # files are read in threads

LONG = settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "60")), deadline=None)
LONGEST = 2_000  #: bytes of a line here; the real cap would take seconds for each example

JOB = b'{"model":"m","prompt":"a"}'
PIECES = st.sampled_from(
    [
        *(
            JOB,
            b"\n",
            b"\n\n",
            b"\r\n",
            b"\r",
            b" ",
            b"\0",
            b"\xef\xbb\xbf",
            b"\xff",
            b"\xed\xa0\x80",
        ),
        *(
            b"NaN",
            b"1e999",
            b"9" * 5_000,
            b"[" * 1_500,
            b'{"a":' * 300,
            b"]",
            b"}",
            b"null",
            b"17",
        ),
        *(b'{"id":"a","model":"m","prompt":"a"}', b'"\\ud800"', b'{"prompt":"a","api_key":"x"}'),
        *(
            JOB + JOB,
            JOB[:-1],
            b"x" * 3_000,
            "日本🙂\u202e\x1b".encode(),
            JOB.decode().encode("utf-16"),
        ),
    ]
)
CONTENT = st.lists(PIECES | st.binary(max_size=20), max_size=12).map(b"".join)


def write(suffix, content):
    """A file of its own: an example must not find what another one left."""
    number, name = tempfile.mkstemp(suffix=".jsonl" + suffix)
    with os.fdopen(number, "wb") as file:
        file.write(content)
    return Path(name)


def lines(path, block=1 << 20):
    """All lines of a file; None where it is refused."""

    async def read():
        async with Source(path, block=block, longest=LONGEST) as source:
            return [line async for some in source for line in some]

    try:
        return anyio.run(read)
    except InputError:
        return None


def expected(content):
    """What the lines of a plain text are."""
    found = content.split(b"\n")
    found = [line[: LONGEST + 1] for line in (found if found[-1] else found[:-1])]
    return [line.removeprefix(b"\xef\xbb\xbf") if n == 0 else line for n, line in enumerate(found)]


@LONG
@given(CONTENT, st.integers(1, 4_000), st.sampled_from(["", *PACK]))
@example(b"", 1, "")
@example(b"\xef\xbb\xbf", 2, ".zst")
def test_the_lines_are_those_of_the_text_however_it_is_packed_and_read(content, block, suffix):
    assume(content or suffix == "")
    path = write(suffix, PACK[suffix](content) if suffix else content)
    try:
        found = lines(path, block)
    finally:
        path.unlink()

    if found is not None:  # else it is another format, and one error
        assert found == expected(content)


@LONG
@given(CONTENT, st.sampled_from([*PACK]), st.data())
def test_a_packed_file_that_was_damaged_is_refused_or_says_the_same(content, suffix, data):
    packed = bytearray(PACK[suffix](content))
    at = data.draw(st.integers(0, len(packed) - 1))
    match data.draw(st.sampled_from(["cut", "flip", "garbage"])):
        case "cut":
            del packed[at:]
        case "flip":
            packed[at] ^= 1 << data.draw(st.integers(0, 7))
        case "garbage":
            packed += data.draw(st.binary(min_size=1, max_size=20).filter(any))
    whole, damaged = write("", content), write(suffix, packed)
    try:
        found = lines(damaged)
        assert found is None or found == lines(whole)
    finally:
        whole.unlink()
        damaged.unlink()


@LONG
@given(CONTENT)
def test_every_line_is_a_job_or_a_bad_line_and_none_is_lost(content):
    path = write("", content)
    try:
        found = anyio.run(survey, path)
    except InputError:
        return
    finally:
        path.unlink()

    written = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    assert found.jobs + found.bad_count == sum(
        1 for line in written if line and not line.isspace()
    )
    for ordinal, reason in found.bad.items():
        assert isinstance(parse(written[ordinal], ordinal), BadLine)
        assert reason.isprintable()


@LONG
@given(st.lists(PIECES | st.binary(max_size=20), max_size=4).map(b"".join))
def test_a_line_that_becomes_a_job_says_what_was_written(line):
    job = parse(line, 0)
    if isinstance(job, Job):
        assert orjson.loads(job.body)["messages"]
        assert line.strip().startswith(b"{")
        assert b"\0" not in line


def test_the_examples_reach_both_ends():
    """Both a file that is read and one that is refused are among what is tried here."""
    for content, is_read in ((JOB, True), (JOB.decode().encode("utf-16"), False)):
        path = write("", content)
        assert (lines(path) is not None) is is_read
        path.unlink()
    assert gzip.decompress(PACK[".gz"](JOB)) == JOB
