"""A job that met faults is tried so often, after pauses that double."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.policy.retry import Retry


@pytest.mark.parametrize(
    ("attempts", "faults", "enough"),
    [(6, 0, False), (6, 5, False), (6, 6, True), (6, 7, True), (1, 0, False), (1, 1, True)],
)
def test_a_job_is_given_up_after_so_many_faults(attempts, faults, enough):
    assert Retry(attempts).gives_up(faults) is enough


@pytest.mark.parametrize(
    ("rounds", "chance", "pause"),
    [(0, 0.5, 0.5), (0, 0, 0), (1, 0.5, 1), (2, 0.5, 2), (4, 0.5, 8), (5, 0.5, 15), (60, 1, 30)],
)
def test_pauses_double_up_to_the_longest_and_are_fully_jittered(rounds, chance, pause):
    assert Retry().pause(rounds, chance) == pause


def test_the_first_and_the_longest_pause_may_be_chosen():
    retry = Retry(first=0.25, longest=1)

    assert [retry.pause(rounds, 1) for rounds in range(4)] == [0.25, 0.5, 1, 1]


@given(rounds=st.integers(0, 10**9), chance=st.floats(0, 1, exclude_max=True))
def test_however_long_an_outage_the_pause_is_bounded(rounds, chance):
    assert 0 <= Retry().pause(rounds, chance) < 30
