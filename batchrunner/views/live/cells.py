"""Texts that fit into so many cells of a terminal. Pure."""

import math
from collections.abc import Sequence
from typing import Literal

from rich.cells import cell_len, set_cell_size

from ...terminal import printable

BARS = "▁▂▃▄▅▆▇█"
THICK, THIN = "━", "─"
Side = Literal["left", "right"]


def fit(text: str, width: int, side: Side = "left") -> str:
    """``text`` in exactly ``width`` cells: filled up with spaces, or cut with an ellipsis."""
    text = printable(text)
    size = cell_len(text)
    if size > width:
        return set_cell_size(set_cell_size(text, max(0, width - 1)) + "…", width)
    return text + " " * (width - size) if side == "left" else " " * (width - size) + text


def cut(text: str, width: int) -> str:
    """``text`` in at most ``width`` cells."""
    return fit(text, width).rstrip()


def short(number: float) -> str:
    """``812``, ``12.3k``, ``4.56M``: three digits."""
    for unit in ("", "k", "M", "G", "T"):
        if number < 999.5:
            digits = 0 if not unit else max(0, 3 - len(f"{number:.0f}"))
            return f"{number:.{digits}f}{unit}"
        number /= 1000
    return f"{number:.0f}P"


def gauge(share: float, width: int) -> str:
    """A line that is thick for a share of it, from 0 to 1; more than nothing is seen."""
    full = min(width, math.ceil(max(0.0, share) * width - 0.5)) if share < 1 else width
    full = max(full, 1) if share > 0 else 0
    return THICK * full + THIN * (width - full)


def spark(values: Sequence[float]) -> str:
    """A bar for each value, as high as it is among them; nothing at all is a dot."""
    most = max(values, default=0.0)
    return "".join(BARS[min(7, int(value / most * 8))] if value > 0 else "·" for value in values)
