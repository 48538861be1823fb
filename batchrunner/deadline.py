"""When a run has to end: a time of day, a moment, or after so long. Pure: it is told ``now``."""

import re
from datetime import date, datetime, time, tzinfo

from .errors import ConfigError

HOW = (
    "write a time of day such as 06:00, a moment such as 2026-12-01T06:00 or "
    "2026-12-01T06:00+01:00, or how long from now, such as 90m or 2h30m"
)
_SPAN = re.compile(r"(?=\d)(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,7})s)?")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*")
_UNITS = (86_400, 3600, 60, 1)


class PastError(ConfigError):
    """The moment has passed."""


def check(text: str) -> None:
    """ValueError, which says how to write it, where ``text`` is no deadline."""
    if not (_clock(text) or _moment(text) or _span(text)):
        raise ValueError(HOW)


def seconds_until(text: str, now: datetime, zone: tzinfo | None = None) -> float:
    """Seconds from ``now``, which knows its zone, to the deadline.

    Times without an offset are those of ``zone``, by default that of this machine; a time of day
    is the next one. Raises PastError, and ValueError where ``text`` is no deadline.
    """
    if (span := _span(text)) is not None:
        return span
    if (clock := _clock(text)) is not None:
        return _next(clock, now, zone).timestamp() - now.timestamp()
    if (moment := _moment(text)) is None:
        raise ValueError(HOW)
    try:
        seconds = _aware(moment, zone).timestamp() - now.timestamp()
    except (OverflowError, OSError, ValueError):  # a year that no zone knows
        raise ValueError(HOW) from None
    if seconds <= 0:
        raise PastError(f"--deadline: {text} has passed: name a later moment")
    return seconds


def _span(text: str) -> float | None:
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        return None
    seconds = sum(int(n or 0) * unit for n, unit in zip(found.groups(), _UNITS, strict=True))
    return float(seconds) or None


def _clock(text: str) -> time | None:
    found = _CLOCK.fullmatch(text.strip())
    return (
        time.fromisoformat(":".join(f"{int(n or 0):02}" for n in found.groups()))
        if found
        else None
    )


def _moment(text: str) -> datetime | None:
    if not _MOMENT.fullmatch(text.strip()):
        return None
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None


def _next(clock: time, now: datetime, zone: tzinfo | None) -> datetime:
    """The next moment at which clocks of the zone show ``clock``."""
    today = now.astimezone(zone).date()
    tomorrow = date.fromordinal(today.toordinal() + 1)
    first, second = (_aware(datetime.combine(day, clock), zone) for day in (today, tomorrow))
    return first if first > now else second


def _aware(moment: datetime, zone: tzinfo | None) -> datetime:
    if moment.tzinfo is not None:
        return moment
    return moment.astimezone() if zone is None else moment.replace(tzinfo=zone)
