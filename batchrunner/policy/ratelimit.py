"""What the services say of their limits in headers and texts.

Azure counts seconds (``x-ratelimit-reset-tokens: 30``), OpenAI writes Go durations (``6m0s``,
``12ms``); waits come as ``retry-after-ms``, as ``retry-after`` in seconds or as an HTTP date, or
only in the words of the error. Values that cannot be true (``-1``, ``0``, ``nan``) say nothing.

Sources: Microsoft Learn, "Azure OpenAI quotas and limits"; OpenAI, "Rate limits"; RFC 9110.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import NamedTuple

MINUTE = 60.0
SLICE = 10.0  #: Azure judges a minute's requests in slices of one or ten seconds
LARGEST_LIMIT = 1e12  #: no quota is larger; what says so is no limit

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "": 1.0}
_DURATION = re.compile(r"\d+(?:\.\d+)?|(?:\d+(?:\.\d+)?(?:h|ms|us|µs|m|s))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|µs|m|s)?")
_WAIT_TEXT = re.compile(
    r"(?:retry after|try again in)\s+"
    r"(\d[\d.]*)\s*(milliseconds?|ms|seconds?|minutes?|[smh])?((?:[\d.]+(?:ms|s|m))*)",
    re.IGNORECASE,
)
_WORDS = {"milli": "ms", "secon": "s", "minut": "m"}


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``amount`` units in any ``span`` seconds."""

    amount: float
    span: float

    @property
    def pace(self) -> float:
        """Units a second, to within rounding."""
        return round(self.amount / self.span, 6)


class Advertised(NamedTuple):
    """The limits that a reply mentions; None where it says nothing that can be true."""

    requests: Limit | None = None
    tokens: Limit | None = None
    tokens_left: float | None = None  #: of the token limit, after the request that was answered
    minute: Limit | None = None  #: the request limit unsliced, where it is taken to be sliced
    requests_left: float | None = None


NOTHING = Advertised()


def advertised(headers: Mapping[str, str]) -> Advertised:
    """Read the limits from a reply's headers.

    A request limit holds for its renewal period where that is given; else it is a minute's.
    """
    requests = headers.get("x-ratelimit-limit-requests")
    tokens = headers.get("x-ratelimit-limit-tokens")
    if requests is None and tokens is None:
        return NOTHING
    limits = _limits(
        requests,
        tokens,
        headers.get("x-ratelimit-renewalperiod-requests"),
        headers.get("x-ratelimit-renewalperiod-tokens"),
    )
    if limits is NOTHING:
        return NOTHING
    return Advertised(
        limits.requests,
        limits.tokens,
        amount(headers.get("x-ratelimit-remaining-tokens")),
        limits.minute,
        amount(headers.get("x-ratelimit-remaining-requests")),
    )


@lru_cache(maxsize=64)
def _limits(
    requests: str | None,
    tokens: str | None,
    requests_period: str | None,
    tokens_period: str | None,
) -> Advertised:
    """What the texts of limits and renewal periods say; they are the same in most replies."""
    count, most = amount(requests), amount(tokens)
    if count is None and most is None:
        return NOTHING
    limit = minute = None
    if count is not None:
        period = duration(requests_period)
        limit = Limit(count, period) if period else requests_per_minute(count)
        minute = None if limit.amount == count else Limit(count, MINUTE)
    token_limit = None if most is None else Limit(most, duration(tokens_period) or MINUTE)
    return Advertised(limit, token_limit, minute=minute)


def requests_per_minute(rpm: float) -> Limit:
    """A minute's requests as the service judges them: evenly, in slices of ten seconds.

    A limit too small to be cut into slices stays whole.
    """
    return Limit(rpm * SLICE / MINUTE, SLICE) if rpm >= MINUTE else Limit(rpm, MINUTE)


def amount(text: str | None) -> float | None:
    """A limit as a number; None where it is absent or absurd."""
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < LARGEST_LIMIT else None


def duration(text: str | None) -> float | None:
    """Seconds from bare seconds or a Go duration; None where absent, malformed or not positive."""
    if not text or not _DURATION.fullmatch(text := text.strip()):
        return None
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return seconds if 0 < seconds < math.inf else None


def retry_after(headers: Mapping[str, str], message: str) -> Iterable[float]:
    """Every wait in seconds that a reply asks for, in headers and in words."""
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        if (milliseconds := amount(headers.get(name))) is not None:
            yield milliseconds / 1000
    if (text := headers.get("retry-after")) is not None:
        seconds = amount(text) or _until(text, headers.get("date"))
        if seconds is not None:
            yield seconds
    if (found := _WAIT_TEXT.search(message)) is not None:
        seconds = _in_words(*found.groups(default=""))
        if seconds is not None:
            yield seconds


def _in_words(number: str, unit: str, rest: str) -> float | None:
    unit = unit.lower()
    return duration(number.rstrip(".") + _WORDS.get(unit[:5], unit) + rest)


def _until(date: str, now: str | None) -> float | None:
    """Seconds from the reply's own ``Date`` to an HTTP date: no clock of ours takes part."""
    try:
        ahead = parsedate_to_datetime(date) - parsedate_to_datetime(now or "")
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, ahead.total_seconds()) or None
