"""What the doctor found: a table on a terminal, blocks of lines elsewhere; then what to do."""

import re
import sys
from collections.abc import Iterator
from textwrap import wrap
from typing import Literal, TextIO

from ..doctor.caution import Caution
from ..doctor.examination import Examination, Mark
from ..doctor.findings import Findings
from ..doctor.limits import ABSENT, USABLE, Limits
from ..terminal import printable
from . import words

WIDTH = 80
COLUMNS = ("region", "", "time", "model", "schema", "rpm", "tpm")
_MARKED = re.compile(rf"(?:\S[^:]*: ({'|'.join(Mark)})\b|(warning): )")
_STYLES = {Mark.OK: "green", Mark.WARNING: "yellow", Mark.FAILED: "bold red"}


def show(findings: Findings, stream: TextIO | None = None) -> None:
    """Print everything on standard output, as wide as the terminal, else 80 columns wide."""
    out = stream or sys.stdout
    if out.isatty():
        _show_table(findings, out)
    else:
        out.write("\n".join(plain(findings)) + "\n")
        out.flush()


def _show_table(findings: Findings, out: TextIO) -> None:
    from rich.text import Text  # heavy, and only for a terminal

    from .screen import Screen

    console = Screen(file=out, highlight=False)
    console.print(_table(findings))
    for line in [*details(findings, console.width), *ending(findings, console.width)]:
        console.print(Text(line, style=_style(line)), soft_wrap=True)


def _style(line: str) -> str:
    """The colour of what a line says first."""
    found = _MARKED.match(line)
    return _STYLES[Mark(found[1] or found[2])] if found else ""


def _table(findings: Findings) -> object:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in COLUMNS:
        right = name in {"time", "rpm", "tpm"}
        justify: Literal["left", "right"] = "right" if right else "left"
        table.add_column(name, justify=justify, no_wrap=right, overflow="fold")
    for found in findings.regions:
        cells = [Text(printable(cell)) for cell in _cells(found)]
        cells[1].stylize(_STYLES[found.mark])
        table.add_row(*cells)
    return table


def _cells(found: Examination) -> tuple[str, ...]:
    return (
        found.name,
        found.mark,
        _time(found.seconds),
        found.model or "-",
        found.schema.support if found.model else "-",
        _amount(found.limits.rpm),
        _amount(found.limits.tpm),
    )


def plain(findings: Findings, width: int = WIDTH) -> list[str]:
    """The same as lines."""
    lines: list[str] = []
    for found in findings.regions:
        lines += [*_block(found, width), ""]
    return lines + list(ending(findings, width))


def details(findings: Findings, width: int = WIDTH) -> Iterator[str]:
    """What a table has no room for: why, and what to do."""
    for found in findings.regions:
        unusable = [use for use in found.limits.headers.values() if use not in {USABLE, ABSENT}]
        if found.remedy or found.signs or unusable or found.schema.support == "no":
            yield from _head(found, width)
            yield from _folded(_asked_line(found), width)
            yield from _folded(_schema_line(found), width)
            yield from _folded(limits_line(found.limits) if unusable else "", width)
            for sign in found.signs:
                yield from _folded(sign, width)
            yield ""


def ending(findings: Findings, width: int = WIDTH) -> Iterator[str]:
    """Warnings, and the last line: the verdict."""
    for caution in findings.cautions:
        yield from _caution(caution, width)
    yield from [""] * bool(findings.cautions)
    yield from _fold(printable(verdict(findings)), width, "")


def verdict(findings: Findings) -> str:
    """What it all comes to, and what it cost."""
    count, working = len(findings.regions), findings.working
    regions = "region" if count == 1 else "regions"
    if working == count:
        said = f"every region works ({count})" if count > 1 else "the region works"
    elif working:
        said = f"{count - working} of {count} {regions} FAILED"
    else:
        said = f"no region works ({count} {regions})"
    cost = findings.cost_usd
    price = "" if not cost else f", {cost:.6f} USD"
    calls = "call" if findings.calls == 1 else "calls"
    return f"{said}; {findings.calls} {calls}, {findings.tokens:,} tokens{price}"


def _block(found: Examination, width: int) -> Iterator[str]:
    """One region."""
    yield from _head(found, width)
    version = (
        found.api_version if found.api_version == "v1" else f"api-version {found.api_version}"
    )
    asked = f"{found.deployment} at {found.host}" if found.deployment else found.host
    yield from _folded(f"{asked}, {version}, by {_AUTH[found.auth]}", width)
    if found.model:
        yield from _folded(f"{found.model} answered in {_time(found.seconds)}", width)
    yield from _folded(_schema_line(found), width)
    yield from _folded(limits_line(found.limits), width)
    if found.region:
        yield from _folded(f"it is in {found.region}", width)
    for sign in found.signs:
        yield from _folded(sign, width)


_AUTH = {"key": "key", "entra": "Entra ID"}


def _head(found: Examination, width: int) -> Iterator[str]:
    """Its name, its mark and, where there is something to say, why, and the remedy."""
    why = f": {found.reason}" if found.reason else ""
    yield from _fold(printable(f"{found.name}: {found.mark}{why}"), width, "  ")
    if found.remedy:
        yield from _folded(f"-> {found.remedy}", width)


def _asked_line(found: Examination) -> str:
    version = (
        found.api_version if found.api_version == "v1" else f"api-version {found.api_version}"
    )
    asked = f"{found.deployment} at {found.host}" if found.deployment else found.host
    return f"{asked}, {version}, by {_AUTH[found.auth]}"


def _schema_line(found: Examination) -> str:
    if found.status is None or (not found.model and not found.schema.why):
        return ""
    why = f" ({found.schema.why})" if found.schema.why else ""
    return f"JSON schema: {found.schema.support}{why}"


def limits_line(limits: Limits) -> str:
    """What is advertised, and which headers are of no use."""
    if not limits.headers or all(use == ABSENT for use in limits.headers.values()):
        return ""
    parts = [f"{_amount(limits.rpm)} requests, {_amount(limits.tpm)} tokens a minute"]
    if limits.requests_left is not None or limits.tokens_left is not None:
        left = f"{_amount(limits.requests_left)} and {_amount(limits.tokens_left)} left"
        parts.append(f"{left} in this window")
    parts += [
        f"{name.removeprefix('x-ratelimit-')} {use}"
        for name, use in limits.headers.items()
        if use != USABLE and not (use == ABSENT and "renewalperiod" in name)
    ]
    return "limits: " + "; ".join(parts)


def _time(seconds: float | None) -> str:
    """``85ms``, ``1.4s``; a dash where nothing was sent."""
    if seconds is not None and seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    return words.duration(seconds)


def _amount(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _caution(caution: Caution, width: int) -> Iterator[str]:
    yield from _fold(printable(f"warning: {caution.message}"), width, "  ")
    yield from _folded(f"-> {caution.remedy}", width)


def _folded(text: str, width: int) -> Iterator[str]:
    """A line of a block, where there is one."""
    if text:
        yield from _fold("  " + printable(text), width, "     " if text[:2] == "->" else "    ")


def _fold(text: str, width: int, indent: str) -> list[str]:
    return wrap(text, max(width, 20), subsequent_indent=indent, break_on_hyphens=False)
