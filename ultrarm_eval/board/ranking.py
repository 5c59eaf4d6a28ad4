"""Intervals of figures, and the ranks that they leave open."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ultrarm_eval.runs.shares import is_share
from ultrarm_eval.stats.intervals import wilson_interval

#: Half the width of a 95 % interval in standard errors, of the normal distribution.
TWO_SIDED_95 = 1.96


@dataclass(frozen=True)
class Spread:
    """A 95 % interval.

    Attributes:
        low: Its lower end.
        high: Its upper end.
    """

    low: float
    high: float


def spread_of(
    value: float, stderr: float | None, documents: int | None, metric: str
) -> Spread | None:
    """The 95 % interval of a figure from its standard error.

    A standard error of 0 says that all documents came out alike, and not that others would, too:
    then a share has Wilson's interval, and other figures have none. Shares end at 0 and 1.

    Args:
        value: The figure.
        stderr: Its standard error.
        documents: How many documents it is over.
        metric: Its metric, without the filter.
    """
    if stderr is None or not math.isfinite(stderr) or stderr < 0:
        return None
    # Not all tasks of others keep to what the metric's name says.
    is_a_share = is_share(metric) and 0 <= value <= 1
    if stderr > 0:
        half = TWO_SIDED_95 * stderr
        low, high = value - half, value + half
        return Spread(max(0.0, low), min(1.0, high)) if is_a_share else Spread(low, high)
    if not is_a_share or not documents or documents < 0:
        return None
    interval = wilson_interval(value * documents, documents)
    return Spread(min(interval.low, value), max(interval.high, value))


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
