"""When a run has to end, as people write it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.config import read_settings
from batchrunner.deadline import HOW, PastError, check, seconds_until
from batchrunner.errors import ConfigError

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)  # 13:00 in Berlin
HOUR = 3600.0
YEAR_2000, YEAR_2100 = datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2100-01-01")


def until(text, now=NOON):
    return seconds_until(text, now, BERLIN)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45s", 45),
        ("90m", 90 * 60),
        ("2h30m", 2.5 * HOUR),
        ("1d", 24 * HOUR),
        ("1d2h3m4s", 26 * HOUR + 184),
        ("13:01", 60),
        ("13:00:07", 7),
        ("13:00", 24 * HOUR),
        ("06:00", 17 * HOUR),
        ("6:00", 17 * HOUR),
        ("2026-11-26T13:30", HOUR / 2),
        ("2026-11-26 13:30", HOUR / 2),
        ("2026-11-26T13:30:30", HOUR / 2 + 30),
        ("2026-11-26T13:30Z", 1.5 * HOUR),
        ("2026-11-26T13:30+01:00", HOUR / 2),
        ("2026-11-27T00:00-05:00", 17 * HOUR),
    ],
)
def test_a_deadline_is_so_far_away(text, seconds):
    check(text)
    assert until(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "soon",
            "90",
            "-5m",
            "0s",
            "0d0h",
            "1.5h",
            "5m3h",
            "m",
            "24:00",
            "12:60",
            "6",
            "06.00",
        ),
        *("2026-02-30T06:00", "2026-13-01T06:00", "2026-12-01", "2026-12-01T06:00+99:00"),
        *("99999999s", "²:00", "9" * 5000 + "s"),
    ],
)
def test_what_is_no_deadline_is_refused_and_says_how_to_write_one(text):
    with pytest.raises(ValueError, match="write a time of day") as refused:
        check(text)
    assert str(refused.value) == HOW


@pytest.mark.parametrize("text", ["2026-11-26T12:59", "2026-11-26T12:00Z", "1999-01-01T00:00"])
def test_a_moment_that_has_passed_is_refused(text):
    check(text)
    with pytest.raises(PastError, match="has passed: name a later moment"):
        until(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00", "9999-12-31T23:59"])
def test_the_ends_of_time_do_no_harm(text):
    check(text)
    try:
        assert seconds_until(text, NOON) > HOUR
    except ValueError as error:
        assert str(error)  # noqa: PT017 - it depends on the zone


@pytest.mark.parametrize(
    ("now", "text", "hours"),
    [
        (datetime(2026, 3, 28, 22, tzinfo=UTC), "06:00", 6),  # an hour is left out in that night
        (datetime(2026, 10, 24, 22, tzinfo=UTC), "06:00", 7),  # and one comes twice
    ],
)
def test_the_nights_in_which_clocks_change_are_as_long_as_they_are(now, text, hours):
    assert until(text, now) == hours * HOUR


@given(st.times(), st.datetimes(YEAR_2000, YEAR_2100))
def test_a_time_of_day_is_always_within_the_next_day_or_so(clock, now):
    seconds = until(f"{clock:%H:%M}", now.replace(tzinfo=UTC))

    assert 0 < seconds <= 25 * HOUR


def test_settings_refuse_nonsense_by_the_name_of_the_variable():
    with pytest.raises(ConfigError, match=r"^BATCHRUNNER_DEADLINE: write a time of day such as"):
        read_settings({}, {"BATCHRUNNER_DEADLINE": "tomorrow"}, {})
    with pytest.raises(ConfigError, match=r"^--deadline: write a time of day such as"):
        read_settings({"deadline": "25:00"}, {}, {})
