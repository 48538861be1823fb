"""What the charts draw, as plain JSON for the script of the page. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..histogram import Histogram
from ..targets import OPENAI
from ..timeline import Slice
from . import wording
from .material import Material
from .spans import closed, length, padded, total

SHOWN = 7  #: regions that have a colour of their own; people tell few more apart
BANDS = 12  #: regions whose closings are drawn, the worst first
BINS = 3  #: bins of a histogram that make one step: five percent each are too fine to see
MARKS = 20  #: changes by hand that are marked; more would hide what is drawn
ROWS = 16  #: of the tables that say the same in numbers


@dataclass(frozen=True, slots=True)
class Strand:
    """A region of the charts, or all those that are too small for one."""

    label: str
    slices: Sequence[Slice]
    latency: Histogram
    limited: Sequence[Slice]  #: the same, of those whose limits are known
    regions: int = 1


def strands(material: Material) -> list[Strand]:
    """The largest regions, plain OpenAI among them, and the others as one."""
    busy = [name for name in material.regions if material.usage(name).calls]
    azure = [name for name in busy if name != OPENAI]
    own = azure if len(busy) <= SHOWN else azure[: SHOWN - 1]
    found = [_strand(material, name) for name in own]
    if rest := azure[len(own) :]:
        found.append(_together(material, rest))
    return found + [_strand(material, name) for name in busy if name == OPENAI]


def _strand(material: Material, name: str) -> Strand:
    latency = material.usage(name).latency
    return Strand(wording.name(name), material.slices(name), latency, material.limited(name))


def _together(material: Material, names: Sequence[str]) -> Strand:
    latency = Histogram()
    for name in names:
        latency.bins.update(material.usage(name).latency.bins)
    slices = _sum([material.slices(name) for name in names])
    limited = _sum([material.limited(name) for name in names])
    return Strand(f"{len(names):,} smaller regions", slices, latency, limited, len(names))


def _sum(every: Sequence[Sequence[Slice]]) -> list[Slice]:
    count = length(every)
    return [total(row) for row in zip(*(padded(each, count) for each in every), strict=True)]


def charts(material: Material) -> dict[str, Any]:
    """Everything that is drawn; each part is empty where nothing is known."""
    shown, width = strands(material), material.timeline.width
    count = length([strand.slices for strand in shown])
    seconds = [_watched(shown, index, width) for index in range(count)]
    return {
        "width": width,
        "slices": count,
        "end": round(max(material.wall_s, 0.0), 1),
        "starts": [
            {"at": round(at, 1), "label": f"run {number}"}
            for number, (at, _) in enumerate(material.timeline.starts, 1)
            if number > 1
        ],
        "regions": [
            {
                "name": strand.label,
                "rest": strand.regions > 1,
                "rate": _rates(strand, seconds),
                "use": [_use(one) for one in padded(strand.limited, count)],
                "latency": _shares(strand.latency),
            }
            for strand in shown
        ],
        "steered": [
            {"at": round(at, 1), "label": str(number)}
            for number, (at, _) in enumerate(material.steering[:MARKS], 1)
        ],
        "bands": _bands(material),
        "tokens": _tokens(material),
    }


def _watched(shown: Sequence[Strand], index: int, width: float) -> float:
    """Seconds of a slice that a run took; the last one has only begun."""
    looked = max(s.slices[index].watched / s.regions for s in shown if index < len(s.slices))
    return max(looked, width / 2) if looked else width


def _rates(strand: Strand, seconds: Sequence[float]) -> list[float]:
    """Answers a second, slice by slice."""
    slices = padded(strand.slices, len(seconds))
    return [round(one.ok / passed, 3) for one, passed in zip(slices, seconds, strict=True)]


def _use(one: Slice) -> float | None:
    """Percent of the most used limit."""
    return min(100.0, round(100 * one.used / one.watched, 1)) if one.watched else None


def _shares(latency: Histogram) -> list[tuple[float, float, float]]:
    """From where to where, in seconds, and which percent of the answers took so long."""
    every = latency.count
    return [
        (round(low, 4), round(high, 4), round(100 * count / every, 2))
        for low, high, count in steps(latency)
    ]


def steps(latency: Histogram) -> list[tuple[float, float, int]]:
    """The bins of a histogram, a few to one."""
    wide = Histogram()
    for bin_, count in latency.bins.items():
        wide.bins[bin_ // BINS * BINS] += count
    return [(low, low * (high / low) ** BINS, count) for low, high, count in wide.steps()]


def _bands(material: Material) -> list[dict[str, Any]]:
    """The regions that were closed, the worst first, and when."""
    width = material.timeline.width
    found = [(name, closed(slices, width)) for name, slices in material.timeline.regions.items()]
    found = [(name, spans) for name, spans in found if spans]
    found.sort(key=lambda one: -sum((s.end - s.begin) * s.level for s in one[1]))
    return [
        {
            "name": wording.name(name),
            "spans": [(span.begin, span.end, span.state, span.level) for span in spans],
        }
        for name, spans in found[:BANDS]
    ]


def _tokens(material: Material) -> list[dict[str, Any]]:
    """Tokens of each region, those that had none left out."""
    rows = [(wording.name(name), material.usage(name).tokens) for name in material.regions]
    rows = [(name, tokens) for name, tokens in rows if tokens.answers]
    rows.sort(key=lambda row: -(row[1].prompt + row[1].completion))
    parts: list[dict[str, Any]] = [
        {
            "name": name,
            "fresh": tokens.prompt - tokens.cached,
            "cached": tokens.cached,
            "completion": tokens.completion,
        }
        for name, tokens in rows
    ]
    if len(parts) <= BANDS:
        return parts
    rest: dict[str, Any] = {
        "name": f"{len(parts) - BANDS + 1:,} smaller regions",
        **{k: sum(p[k] for p in parts[BANDS - 1 :]) for k in ("fresh", "cached", "completion")},
    }
    return [*parts[: BANDS - 1], rest]


def over_time(material: Material) -> dict[str, Any] | None:
    """Throughput and use of quotas as a table of few rows; None where nothing is known."""
    shown, width = strands(material), material.timeline.width
    count = length([strand.slices for strand in shown])
    if not count:
        return None
    many = -(-count // ROWS)
    columns = [_coarse(strand, count, many) for strand in shown]
    return {
        "columns": [strand.label for strand in shown],
        "rows": [
            {
                "from": wording.duration(row * many * width) if row else "0 s",
                "cells": [_cell(column[row]) for column in columns],
            }
            for row in range(len(columns[0]))
        ],
    }


def _coarse(strand: Strand, count: int, many: int) -> list[Slice]:
    slices = list(padded(strand.slices, count))
    return [total(slices[at : at + many]) for at in range(0, count, many)]


def _cell(one: Slice) -> dict[str, Any]:
    state = max(("out", "resting", "throttled"), key=lambda name: getattr(one, f"{name}_s"))
    part = getattr(one, f"{state}_s") / one.watched if one.watched else 0.0
    return {
        "ok": one.ok,
        "closed": f"{state} {part * 100:.0f} %" if part >= 0.05 else "",
    }
