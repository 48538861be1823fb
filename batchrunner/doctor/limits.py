"""What a reply says of limits, and which of its headers can be used. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Self

from ..policy.ratelimit import MINUTE, Limit, advertised, amount, duration
from ..terminal import printable

LONGEST_VALUE = 24
USABLE, ABSENT = "usable", "absent"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a region advertises; None where it says nothing that can be true."""

    rpm: float | None = None
    tpm: float | None = None
    requests_left: float | None = None
    tokens_left: float | None = None
    #: each header that services speak of limits with: ``usable``, ``absent``, ``unusable (-1)``
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self:
        """What the headers of a reply say."""
        said = advertised(headers)
        return cls(
            rpm=_a_minute(said.minute or said.requests),
            tpm=_a_minute(said.tokens),
            requests_left=_left(headers, "requests"),
            tokens_left=_left(headers, "tokens"),
            headers={name: _use(headers.get(name), read) for name, read in _READ.items()},
        )

    @property
    def is_silent(self) -> bool:
        """Whether no limit is named."""
        return self.rpm is None and self.tpm is None


def _a_minute(limit: Limit | None) -> float | None:
    return None if limit is None else round(limit.amount * MINUTE / limit.span, 3)


def _left(headers: Mapping[str, str], axis: str) -> float | None:
    return _count(headers.get(f"x-ratelimit-remaining-{axis}"))


def _count(text: str | None) -> float | None:
    """An amount that may well be zero."""
    return 0.0 if text == "0" else amount(text)


def _pause(text: str | None) -> float | None:
    """A wait that may well be zero."""
    return 0.0 if text in {"0", "0s", "0ms"} else duration(text)


def _use(text: str | None, read: Callable[[str | None], float | None]) -> str:
    if text is None:
        return ABSENT
    if read(text) is not None:
        return USABLE
    return f"unusable ({printable(text)[:LONGEST_VALUE]})"


_KINDS: dict[str, Callable[[str | None], float | None]] = {
    "limit": amount,
    "remaining": _count,
    "reset": _pause,
    "renewalperiod": duration,
}
_READ = {
    f"x-ratelimit-{kind}-{axis}": _KINDS[kind]
    for axis, kind in product(("requests", "tokens"), _KINDS)
}
