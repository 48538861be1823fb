"""What the service charges for a token is read off its own count, in the first minute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.policy.calibration import HIGHEST, LOWEST, MARGIN, Calibration, Mark


def compared(*stories, limit=1000):
    """The factor after comparisons of what was expected with what the service counts."""
    calibration = Calibration()
    for expected, used in stories:
        calibration.compare(Mark(expected), used, limit)
    return calibration.factor


def test_to_begin_with_the_service_counts_as_we_do():
    assert Calibration().factor == 1


@pytest.mark.parametrize(
    ("expected", "used", "ratio"),
    [(400, 400, 1), (400, 480, 1.2), (400, 320, 0.8), (201, 201, 1)],
)
def test_the_ratio_is_kept_with_a_margin(expected, used, ratio):
    assert compared((expected, used)) == pytest.approx(MARGIN * ratio)


def test_too_little_says_nothing():
    assert compared((100, 199)) == 1
    assert compared((100, 150), (120, 199)) == 1
    assert compared((100, -50)) == 1


def test_the_highest_count_says_most():
    assert compared((400, 480), (700, 700)) == pytest.approx(MARGIN)
    assert compared((700, 700), (400, 480)) == pytest.approx(MARGIN)
    assert compared((700, 700), (600, 700)) == pytest.approx(MARGIN)


def test_once_something_has_stopped_counting_the_counts_are_of_different_requests():
    calibration = Calibration()
    calibration.compare(Mark(400, expired=1), 480, 1000)
    assert calibration.factor == 1

    calibration.compare(Mark(400, expired=0), 440, 1000)
    assert calibration.factor == pytest.approx(MARGIN * 1.1)


def test_requests_that_arrive_in_another_order_than_they_left_mislead_nobody():
    assert compared((500, 300), (300, 500)) == pytest.approx(MARGIN)
    assert compared((300, 500), (500, 300)) == pytest.approx(MARGIN)


def test_marks_that_were_made_with_what_does_not_count_say_nothing():
    calibration = Calibration()
    calibration.compare(Mark(800), 800, 1000)
    calibration.return_()
    calibration.compare(Mark(700), 900, 1000)
    assert calibration.factor == pytest.approx(MARGIN)

    calibration.compare(Mark(600, returned=calibration.returned), 900, 1000)
    assert calibration.factor == pytest.approx(MARGIN * 1.5)


@pytest.mark.parametrize(
    ("expected", "used", "factor"), [(100, 900, HIGHEST), (900, 300, LOWEST), (0, 900, 1)]
)
def test_an_absurd_ratio_is_a_misunderstanding(expected, used, factor):
    assert compared((expected, used)) == factor


def test_every_refusal_adds_a_margin_up_to_a_limit():
    calibration = Calibration()
    calibration.correct()
    assert calibration.factor == pytest.approx(MARGIN)
    calibration.correct()
    assert calibration.factor == pytest.approx(MARGIN**2)
    for _ in range(100):
        calibration.correct()
    assert calibration.factor == HIGHEST


@given(
    events=st.lists(
        st.none() | st.tuples(st.floats(0, 1e12), st.integers(0, 2), st.floats(-1e12, 1e12))
    )
)
def test_whatever_is_compared_the_factor_stays_within_its_limits(events):
    calibration = Calibration()
    for event in events:
        if event is None:
            calibration.correct()
        else:
            expected, expired, used = event
            calibration.compare(Mark(expected, expired), used, 1000)
        assert LOWEST <= calibration.factor <= HIGHEST
