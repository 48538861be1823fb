"""Whatever is in a results file, its reader finds the whole lines and nothing else."""

import io
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchrunner.errors import UsageError
from batchrunner.outputs.lines import check, failed, retryable, settings_of
from batchrunner.outputs.recovery import Known, recover
from batchrunner.outputs.results_file import last_line, tail
from tests.outputs.builders import AGAIN, CFG, line

LONG = bool(os.environ.get("LONG_TESTS"))
fuzzed = settings(
    max_examples=2_000 if LONG else 100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
WHOLE = st.builds(
    line,
    st.integers(0, 20),
    st.sampled_from([b'{"text":"fine"}', b'{"a":1,"error":null}', b'"\\u0000"', b"[]"]),
    st.sampled_from([None, AGAIN]),
)
RUBBISH = st.one_of(
    st.binary(max_size=80),
    st.just(b"\n"),
    st.just(bytes(100)),
    st.builds(lambda text, at: text[: at % len(text)], WHOLE, st.integers(0, 10**4)),
    st.builds(lambda text, at: text[at % len(text) :], WHOLE, st.integers(0, 10**4)),
)
CONTENT = st.lists(st.one_of(WHOLE, RUBBISH), max_size=12).map(b"".join)


@fuzzed
@given(content=CONTENT)
def test_recovery_keeps_the_first_whole_line_of_each_job_and_is_done_once(tmp_path, content):
    output = tmp_path / "r.jsonl"
    output.write_bytes(content)
    first = {}
    for text in filter(check, io.BytesIO(content)):
        first.setdefault(check(text)[0], text)
    try:
        found = recover(output, Known())
    except UsageError:
        assert not first
        assert output.read_bytes() == content
        return
    os.close(found.fd)

    assert output.read_bytes() == b"".join(first.values())
    assert [n for n in range(30) if n in found.done] == sorted(first)
    again = recover(output, Known())
    os.close(again.fd)
    assert (again.bad_bytes, again.duplicates, again.size) == (0, 0, found.size)
    assert last_line(output) == (list(first.values()) or [None])[-1]
    assert list(tail(output)) == list(first.values())


@fuzzed
@given(text=st.one_of(WHOLE, RUBBISH, st.binary(max_size=300)))
def test_no_bytes_make_the_reader_fail(text):
    entry = check(text)
    if entry is None:
        return
    assert 0 <= entry[0] <= 20
    assert settings_of(text) == CFG
    assert failed(text) == retryable(text)


@fuzzed
@given(text=WHOLE, at=st.integers(0, 10**4), bit=st.integers(0, 7))
def test_no_flipped_bit_goes_unnoticed(text, at, bit):
    spoiled = bytearray(text)
    spoiled[at % len(text)] ^= 1 << bit

    assert check(bytes(spoiled)) is None


def test_the_last_line_may_be_longer_than_what_is_looked_at_first(tmp_path):
    output = tmp_path / "r.jsonl"
    long = line(1, b'"%s"' % (b"x" * (1 << 20)))
    output.write_bytes(line(0) + long + b"torn")

    assert last_line(output) == long


@pytest.mark.parametrize("content", [b"", b"torn", b"\n\n"])
def test_a_file_without_lines_has_no_last_one(tmp_path, content):
    output = tmp_path / "r.jsonl"
    output.write_bytes(content)

    assert last_line(output) is None
