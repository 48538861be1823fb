"""The set of jobs that have a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.outputs.done import DoneSet


def test_the_first_fingerprint_of_an_ordinal_stays():
    done = DoneSet()

    assert done.mark(3, b"00000000000000ff")
    assert not done.mark(3, b"0000000000000001")
    assert done.fingerprint(3) == "00000000000000ff"
    assert len(done) == 1


def test_what_is_not_in_has_no_fingerprint():
    done = DoneSet()
    done.mark(3, b"00000000000000ff")

    assert 2 not in done
    assert 10**9 not in done
    with pytest.raises(KeyError):
        done.fingerprint(2)


@given(st.lists(st.integers(0, 20_000)))
def test_it_holds_what_a_dict_would(ordinals):
    done, model = DoneSet(), {}
    for ordinal in ordinals:
        fingerprint = f"{ordinal * 0x9E3779B97F4A7C15 % 2**64:016x}"
        assert done.mark(ordinal, fingerprint.encode()) is (ordinal not in model)
        model[ordinal] = fingerprint

    assert len(done) == len(model)
    assert done.highest == max(model, default=None)
    assert {ordinal: done.fingerprint(ordinal) for ordinal in model} == model
    assert [n for n in range(0, 21_000, 7) if n in done] == [
        n for n in range(0, 21_000, 7) if n in model
    ]


def test_a_million_jobs_take_nine_megabytes():
    done = DoneSet()
    for ordinal in range(1_000_000):
        done.mark(ordinal, b"0123456789abcdef")

    assert done._bits.__sizeof__() + done._fingerprints.__sizeof__() < 9_200_000
