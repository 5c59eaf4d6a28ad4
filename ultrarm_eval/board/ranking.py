"""Intervals of figures, and the ranks that they leave open."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """A 95 % interval.

    Attributes:
        low: Its lower end.
        high: Its upper end.
    """

    low: float
    high: float


def rank_ranges(spreads: Sequence[Spread], *, higher_is_better: bool) -> list[tuple[int, int]]:
    """The first and the last rank that each of several figures may have.

    A figure is surely better than another if its interval lies entirely on the better side.

    Returns:
        For each, one more than how many are surely better, and the number of all less how many are
        surely worse.
    """
    lows = sorted(spread.low for spread in spreads)
    highs = sorted(spread.high for spread in spreads)
    number = len(spreads)
    ranges = []
    for spread in spreads:
        above = number - bisect.bisect_right(lows, spread.high)
        below = bisect.bisect_left(highs, spread.low)
        better, worse = (above, below) if higher_is_better else (below, above)
        ranges.append((1 + better, number - worse))
    return ranges
