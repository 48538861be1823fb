"""Limits, durations and waits as the services write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.policy.ratelimit import (
    NOTHING,
    Advertised,
    Limit,
    advertised,
    amount,
    duration,
    requests_per_minute,
    retry_after,
)

DATE = "Mon, 02 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        # Azure: bare seconds
        ("30", 30),
        ("0.5", 0.5),
        (" 12 ", 12),
        # OpenAI: Go durations
        ("1s", 1),
        ("12ms", 0.012),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("6m0s", 360),
        ("1h2m3.5s", 3723.5),
        ("1m30s500ms", 90.5),
        ("1.5h", 5400),
        ("0s1ms", 0.001),
        # nothing
        (None, None),
        ("", None),
        (" ", None),
        ("0", None),
        ("0s", None),
        ("-1", None),
        ("-5s", None),
        ("nan", None),
        ("inf", None),
        ("1e3", None),
        ("soon", None),
        ("5 s", None),
        ("1m30", None),
        ("1.2.3s", None),
        (".5", None),
        ("5d", None),
        ("9" * 400, None),
        (DATE, None),
    ],
)
def test_a_duration_is_bare_seconds_or_gos(text, seconds):
    assert duration(text) == (None if seconds is None else pytest.approx(seconds))


def test_a_long_text_that_is_almost_a_duration_is_read_quickly():
    """Exponential backtracking would make this a test without an end."""
    assert duration("1" * 10_000 + "x") is None
    assert duration("1m" * 10_000 + "x") is None
    assert list(retry_after({}, "retry after " + "1" * 10_000 + "x")) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("100", 100),
        ("0.5", 0.5),
        (" 7 ", 7),
        ("1e6", 1e6),
        ("999999999999", 999_999_999_999),
        ("1000000000000", None),
        ("9223372036854775807", None),
        ("9" * 5000, None),
        ("0", None),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("-inf", None),
        ("many", None),
        ("", None),
        (None, None),
    ],
)
def test_a_limit_is_positive_and_not_absurd(text, value):
    assert amount(text) == value


@pytest.mark.parametrize(
    ("headers", "limits"),
    [
        ({}, NOTHING),
        ({"limit-requests": "-1", "limit-tokens": "0"}, NOTHING),
        ({"renewalperiod-requests": "10", "renewalperiod-tokens": "60"}, NOTHING),
        # Azure: so many in a renewal period
        (
            {
                "limit-requests": "9000",
                "limit-tokens": "1500000",
                "renewalperiod-requests": "10",
                "renewalperiod-tokens": "60",
            },
            Advertised(Limit(9000, 10), Limit(1_500_000, 60)),
        ),
        (
            {"limit-requests": "5", "renewalperiod-requests": "60"},
            Advertised(Limit(5, 60), None),
        ),
        (
            {"limit-tokens": "50", "renewalperiod-tokens": "1"},
            Advertised(None, Limit(50, 1)),
        ),
        # OpenAI: so many a minute, which is judged in slices
        (
            {"limit-requests": "600", "limit-tokens": "1000"},
            Advertised(Limit(100, 10), Limit(1000, 60), minute=Limit(600, 60)),
        ),
        ({"limit-requests": "59"}, Advertised(Limit(59, 60), None)),
        # what is left of the tokens; of a limit that is not named it says nothing
        (
            {"limit-tokens": "1000", "remaining-tokens": "250"},
            Advertised(None, Limit(1000, 60), 250),
        ),
        (
            {"limit-tokens": "1000", "remaining-tokens": "-1"},
            Advertised(None, Limit(1000, 60)),
        ),
        ({"remaining-tokens": "250"}, NOTHING),
        # what is left of the requests; zero is no number that can be told from a silly one
        (
            {"limit-requests": "600", "remaining-requests": "450"},
            Advertised(Limit(100, 10), minute=Limit(600, 60), requests_left=450),
        ),
        (
            {"limit-requests": "600", "remaining-requests": "0"},
            Advertised(Limit(100, 10), minute=Limit(600, 60)),
        ),
        # where the period is named, or the limit is too small for slices, nothing is sliced
        (
            {
                "limit-requests": "600",
                "renewalperiod-requests": "60",
                "remaining-requests": "450",
            },
            Advertised(Limit(600, 60), requests_left=450),
        ),
        # a period that cannot be true is none
        (
            {"limit-requests": "600", "renewalperiod-requests": "-1"},
            Advertised(Limit(100, 10), None, minute=Limit(600, 60)),
        ),
        (
            {"limit-tokens": "1000", "renewalperiod-tokens": "nan"},
            Advertised(None, Limit(1000, 60)),
        ),
    ],
)
def test_a_reply_advertises_limits_by_axis_and_period(headers, limits):
    assert advertised({f"x-ratelimit-{name}": text for name, text in headers.items()}) == limits


def test_what_is_advertised_as_nothing_is_recognised_without_comparing():
    assert advertised({"x-ratelimit-limit-tokens": "-1"}) is NOTHING


@pytest.mark.parametrize(
    ("rpm", "limit"),
    [
        (6, Limit(6, 60)),
        (59.9, Limit(59.9, 60)),
        (60, Limit(10, 10)),
        (600, Limit(100, 10)),
        (65, Limit(65 / 6, 10)),
    ],
)
def test_requests_are_judged_in_slices_of_ten_seconds_where_there_are_enough(rpm, limit):
    assert requests_per_minute(rpm) == limit


@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        ({}, []),
        ({"retry-after-ms": "1500"}, [1.5]),
        ({"x-ms-retry-after-ms": "20"}, [0.02]),
        ({"retry-after": "7"}, [7]),
        ({"retry-after": "1", "retry-after-ms": "0"}, [1]),
        ({"retry-after": "2", "retry-after-ms": "1700"}, [1.7, 2]),
        ({"retry-after": "-1"}, []),
        ({"retry-after": "nan", "retry-after-ms": "nan"}, []),
        ({"retry-after": ""}, []),
        ({"retry-after": "86400"}, [86400]),
        # a date is measured from the reply's own
        ({"retry-after": "Mon, 02 Nov 2026 12:01:30 GMT", "date": DATE}, [90]),
        ({"retry-after": "Tue, 03 Nov 2026 12:00:00 GMT", "date": DATE}, [86400]),
        ({"retry-after": "Mon, 02 Nov 2026 13:00:30 +0100", "date": DATE}, [30]),
        ({"retry-after": DATE, "date": DATE}, []),
        ({"retry-after": "Mon, 02 Nov 2026 11:59:00 GMT", "date": DATE}, []),
        ({"retry-after": DATE}, []),
        ({"retry-after": DATE, "date": "yesterday"}, []),
        ({"retry-after": "Mon, 02 Nov 2026 12:01:30", "date": DATE}, []),
        ({"retry-after": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "date": DATE}, []),
        ({"retry-after": "Mon, 02 Nov 2026 12:01:30 +99999999999999999999", "date": DATE}, []),
        ({"retry-after": "Mon, 02 Nov 2026 12:01:30 +9999", "date": DATE}, []),
    ],
)
def test_a_wait_comes_in_headers(headers, waits):
    assert list(retry_after(headers, "")) == pytest.approx(waits)


@pytest.mark.parametrize(
    ("message", "waits"),
    [
        ("", []),
        ("Please retry after 22 seconds. Please go here", [22]),
        ("Please retry after 1 second.", [1]),
        ("retry after 86400 seconds", [86400]),
        ("Rate limit is exceeded. Try again in 2 seconds.", [2]),
        ("TRY AGAIN IN 2 SECONDS", [2]),
        ("Please try again in 9.525s. Visit", [9.525]),
        ("Please try again in 20s.", [20]),
        ("Please try again in 120ms.", [0.12]),
        ("Please try again in 300 milliseconds", [0.3]),
        ("Please try again in 6m0s.", [360]),
        ("Please try again in 1m2.5s.", [62.5]),
        ("Please try again in 114h2m3.5s.", [410_523.5]),
        ("Please try again in 7m12.3s", [432.3]),
        ("try again in 5 minutes", [300]),
        ("try again in 2 hours", [7200]),
        ("retry after 5", [5]),
        ("Please retry after 5. Thank you.", [5]),
        ("retry  after 5", []),
        ("retry after 0 seconds", []),
        ("retry after -1 seconds", []),
        ("retry after a while", []),
        ("try again in 1.2.3 s", []),
        ("Please try again later.", []),
    ],
)
def test_a_wait_comes_in_words(message, waits):
    assert list(retry_after({}, message)) == pytest.approx(waits)


def test_every_wait_is_told():
    headers = {"retry-after-ms": "1000", "x-ms-retry-after-ms": "2000", "retry-after": "3"}

    assert list(retry_after(headers, "retry after 4 seconds")) == [1, 2, 3, 4]


DATES = st.from_regex(
    r"[A-Z][a-z]{2}, \d{1,2} [JFMAN][a-z]{2} -?\d{1,22} \d\d:\d\d:\d\d [-+G]\w{0,24}",
    fullmatch=True,
)


@given(text=st.text(max_size=30) | DATES, date=st.just(DATE) | DATES | st.text(max_size=10))
def test_whatever_a_header_says_a_wait_is_positive_and_finite(text, date):
    headers = dict.fromkeys(("retry-after-ms", "retry-after"), text) | {"date": date}

    for wait in [*retry_after(headers, text), duration(text), amount(text)]:
        assert wait is None or 0 < wait < math.inf


def test_limits_are_read_once_and_what_is_left_of_them_every_time():
    said = {"x-ratelimit-limit-tokens": "6000", "x-ratelimit-limit-requests": "120"}
    first, second = (
        advertised({**said, "x-ratelimit-remaining-tokens": left}) for left in ("5000", "4000")
    )

    assert (first.tokens_left, second.tokens_left) == (5000, 4000)
    assert first.tokens is second.tokens
    assert first.requests is second.requests
