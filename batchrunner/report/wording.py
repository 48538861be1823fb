"""Numbers, and texts of others, as a report shows them. Pure."""

from collections.abc import Sequence

from ..terminal import printable
from .remedies import THROTTLES

LONGEST_NAME = 60  #: characters of a region, a model, an id or a code
LONGEST_TEXT = 300  #: of a message
LONGEST_REASON = 2000  #: why a run stopped: what to do about it comes last
UNKNOWN = "\u2013"  #: a dash, for a number that nobody knows


def name(text: str | None) -> str:
    """A name out of a file or of a service: one line, cut, with nothing that turns text around."""
    return cut("" if text is None else str(text), LONGEST_NAME)


def cause(name_: str) -> str:
    """Why a call brought nothing: which limit, or which error."""
    return THROTTLES.get(name_) or name(name_)


def text(message: str | None) -> str:
    """A message out of a file or of a service, likewise."""
    return cut("" if message is None else str(message), LONGEST_TEXT)


def reason(why: str) -> str:
    """Why a run stopped, likewise."""
    return cut(why, LONGEST_REASON)


def cut(text: str, longest: int) -> str:
    """At most so many printable characters."""
    shown = " ".join(printable(text[: 4 * longest]).split())
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def duration(seconds: float) -> str:
    """``0.42 s``, ``4.2 s``, ``3 min 5 s``, ``2 h 10 min``, ``3 d 4 h``."""
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 0.995 else f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, part, size, of_part in (("d", "h", 86400, 3600), ("h", "min", 3600, 60)):
        if whole >= size:
            count, rest = divmod(round(whole / of_part), size // of_part)
            return f"{count} {unit}" + (f" {rest} {part}" if rest else "")
    count, rest = divmod(whole, 60)
    return f"{count} min" + (f" {rest} s" if rest else "")


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 job``, ``4,200 jobs``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def share(part: float) -> str:
    """``41 %``, ``0.4 %``, ``< 0.1 %``; all and nothing are said only where it is so."""
    percent = 100 * part
    if 0 < percent < 0.1:
        return "< 0.1 %"
    if 99.5 <= percent < 100:
        return f"{min(percent, 99.9):.1f} %"
    return f"{percent:.1f} %" if 0 < percent < 9.95 else f"{percent:.0f} %"


def dollars(cost: float | None) -> str:
    """``$1,234``, ``$12.34``, ``$0.0042``; a dash where no price is known."""
    if cost is None:
        return UNKNOWN
    if 0 < cost < 0.0001:
        return "< $0.0001"
    for least, digits in ((1000, 0), (1, 2), (0.1, 3), (0.0001, 4)):
        if cost >= least:
            return f"${cost:,.{digits}f}"
    return "$0.00"


def part(share_: float | None) -> str:
    """A share that may be unknown."""
    return UNKNOWN if share_ is None else share(share_)


def limit(per_minute: float | None) -> str:
    """A limit that may be unknown."""
    return UNKNOWN if per_minute is None else f"{per_minute:,.0f}"


def answer_time(seconds: float | None) -> str:
    """How long an answer took, to three digits."""
    if seconds is None:
        return UNKNOWN
    return f"{seconds:.3g} s" if seconds < 100 else duration(seconds)


def closed_time(seconds: float) -> str:
    """How long a region was closed."""
    return duration(seconds) if seconds >= 0.05 else UNKNOWN


def compact(number: float) -> str:
    """``950``, ``12.3 k``, ``4.56 M``, ``7.8 G``."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= size:
            return f"{number / (1e3 if unit == 'k' else size):.3g} {unit}"
    return f"{number:,.0f}"


def rate(per_second: float) -> str:
    """``28 a second``, ``4.2 a minute``, ``12 an hour``: whichever is easier to imagine."""
    for seconds, span in ((1, "a second"), (60, "a minute")):
        if per_second * seconds >= 1:
            return f"{per_second * seconds:.3g} {span}"
    return f"{per_second * 3600:.3g} an hour"


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
