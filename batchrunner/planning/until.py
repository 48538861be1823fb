"""How far away a deadline is."""

from datetime import datetime, timedelta

from ..errors import UsageError
from ..policy.ratelimit import duration


def seconds_until(deadline: str, now: datetime) -> float:
    """Seconds from ``now`` to ``06:00`` (the next one), ``2026-12-01T06:00`` or ``90m``.

    Raises UsageError for anything else.
    """
    if (seconds := duration(deadline)) is not None:
        return seconds
    try:
        return (_moment(deadline, now) - now).total_seconds()
    except ValueError:
        raise UsageError(
            f"--deadline {deadline!r}: write 06:00, 2026-12-01T06:00, or a duration such as 90m"
        ) from None


def _moment(deadline: str, now: datetime) -> datetime:
    if len(deadline) > len("06:00:00"):
        found = datetime.fromisoformat(deadline)
        return found if found.tzinfo else found.replace(tzinfo=now.tzinfo)
    at = datetime.strptime(deadline, "%H:%M")  # noqa: DTZ007 - it takes the zone of now
    today = now.replace(hour=at.hour, minute=at.minute, second=0, microsecond=0)
    return today if today > now else today + timedelta(days=1)
