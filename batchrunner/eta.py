"""How long a run will go on, and how sure that is. Pure.

Theory of operation. Answers are counted in blocks of time, and two blocks make one of the level
above: blocks of 15/16 s, 1.9 s, … 30 s, 60 s, 120 s and so on, of each of which the last eight are
kept. A forecast looks back about as far as it looks ahead, but never less than four minutes where
there are as many, since quotas open by the minute and a minute without an answer is a part of the
rhythm. How much the blocks of that level differ tells how wrong their mean may be, and how much
the blocks below differ, how wrong it may be about where in the rhythm the run ends. What is to
come may be unlike what was seen, and the more so the less was seen. Where the pace changes, the
range is widened towards what the same change would lead to.

Jobs that were reused or that earlier runs did cost no time and are no pace.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from statistics import fmean, stdev

BLOCK = 60 / 64  #: seconds of the shortest block; six doublings are a minute
KEPT = 8  #: blocks of each level
FEW = 4  #: blocks, without which nothing can be said
RHYTHM = 240.0  #: seconds to look back at least
SURELY = {4: 1.64, 5: 1.53, 6: 1.48, 7: 1.44, 8: 1.41}  #: Student's t for eight of ten, by blocks
AHEAD = 0.1  #: doubt of the logarithm of the seconds, looking as far ahead as was seen
MOST_DOUBT = 2.0
NOW = 8.0  #: seconds that count as now


@dataclass(frozen=True, slots=True)
class Remaining:
    """Seconds to go; the truth is between ``low`` and ``high`` in about eight of ten cases."""

    low: float
    likely: float
    high: float


@dataclass(slots=True)
class _Level:
    """Blocks of one length."""

    width: float
    blocks: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    closed: int = 0
    counted: float = 0.0  #: in all blocks that are closed

    def close(self, count: float) -> None:
        self.blocks.append(count)
        self.closed += 1
        self.counted += count


@dataclass(slots=True)
class Arrivals:
    """How many answers came when, as far as it says when the others will."""

    _levels: list[_Level] = field(init=False, default_factory=lambda: [_Level(BLOCK)])
    _at: float = field(init=False, default=0.0)
    _count: float = field(init=False, default=0.0)

    def look(self, at: float, count: int) -> None:
        """At ``at`` seconds of this run regions had the last word on ``count`` jobs."""
        base = self._levels[0]
        while (edge := (base.closed + 1) * BLOCK) <= at:  # since the last look it went evenly
            share = (edge - self._at) / (at - self._at)
            self._count += max(0.0, count - self._count) * share
            self._at = edge
            self._close(self._count - base.counted)
        self._at, self._count = at, max(self._count, float(count))

    def _close(self, count: float) -> None:
        for depth, level in enumerate(self._levels):
            level.close(count)
            if level.closed % 2:
                return
            count = level.blocks[-1] + level.blocks[-2]
            if depth + 1 == len(self._levels):
                self._levels.append(_Level(2 * level.width))
                # the loop goes on with the level that was just made

    @property
    def average(self) -> float:
        """Answers a second, since the start."""
        return self._count / self._at if self._at else 0.0

    @property
    def now(self) -> float:
        """Answers a second, in the last few of them."""
        base = self._levels[0]
        blocks = list(islice(reversed(base.blocks), round(NOW / BLOCK) - 1))
        seconds = self._at - (base.closed - len(blocks)) * BLOCK
        count = self._count - base.counted + sum(blocks)
        return count / seconds if seconds > 0 else 0.0

    def remaining(self, left: int, slow: float = 0.0, pause: float = 0.0) -> Remaining | None:
        """How long ``left`` more answers will take; None while too little is known.

        ``slow`` is how many seconds a slow answer takes: the last ones are waited for, and the
        slowest of many may take longer yet. ``pause`` is how long nothing can be sent from now.
        """
        if left <= 0:
            return Remaining(0.0, 0.0, 0.0)
        depth = self._depth(left)
        if depth is None:
            return None
        level = self._levels[depth]
        seconds = self._at - (level.closed - len(level.blocks)) * level.width
        rate = (self._count - level.counted + sum(level.blocks)) / seconds
        if rate <= 0:
            return None
        likely = left / rate
        unseen = AHEAD * math.sqrt(likely / self._at)
        doubt = math.exp(min(MOST_DOUBT, math.hypot(unseen, self._doubt(depth, left, likely))))
        drifted, margin = left / _drifted(level, rate, likely), math.exp(unseen)
        return Remaining(
            max(pause, min(likely / doubt, drifted / margin)),
            max(pause, likely) + slow / 2,
            max(pause, likely * doubt, drifted * margin) + 1.5 * slow,
        )

    def _depth(self, left: int) -> int | None:
        """The level whose blocks suit the time ahead."""
        ripe = [depth for depth, level in enumerate(self._levels) if level.closed >= FEW]
        if not ripe or self._count < FEW:
            return None
        back = max(RHYTHM, left / self.average)
        return next((d for d in ripe if FEW * self._levels[d].width >= back), ripe[-1])

    def _doubt(self, depth: int, left: int, likely: float) -> float:
        """How far the logarithm of the seconds may be off."""
        level = self._levels[depth]
        blocks, mean = len(level.blocks), fmean(level.blocks)
        if not mean:
            return MOST_DOUBT
        varies = stdev(level.blocks) / mean
        swing = max((stdev(lower.blocks) for lower in self._levels[:depth]), default=0.0) / left
        off = math.sqrt(varies**2 * (1 / blocks + level.width / likely) + swing**2)
        return SURELY[blocks] * off


def _drifted(level: _Level, rate: float, likely: float) -> float:
    """The mean rate to come, if it goes on changing for as long as it was seen to change."""
    half = len(level.blocks) // 2
    early, late = islice(level.blocks, half), islice(reversed(level.blocks), half)
    change = (fmean(late) - fmean(early)) / level.width
    seen = len(level.blocks) * level.width
    ahead = (seen + min(seen, likely)) / 2
    return min(4 * rate, max(rate / 4, rate + change * ahead / (seen - half * level.width)))
