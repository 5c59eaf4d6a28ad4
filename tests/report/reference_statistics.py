"""What the figures of the reference are made of: means, ranks and ranges, exact where it goes."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any


def mean(values: Iterable[Any]) -> float | None:
    """The mean; None of nothing."""
    exact = [Fraction(value) for value in values]
    return float(sum(exact) / len(exact)) if exact else None


def median(values: Iterable[float]) -> float | None:
    """The median; None of nothing."""
    found = list(values)
    return statistics.median(found) if found else None


def ranges(values: Sequence[Any], most: int = 5) -> list[tuple[Any, Any]]:
    """At most so many ranges with about as many values in each: (lowest, highest) that occur.

    The upper end of the k-th is the smallest value that k of `most` parts of the values do not
    exceed (the inverted empirical distribution); each value is its own range where there are no
    more than `most`.
    """
    ordered = sorted(values)
    if len(set(ordered)) <= most:
        return [(value, value) for value in sorted(set(ordered))]
    ends = []
    for k in range(1, most + 1):
        position = -(-k * len(ordered) // most)
        ends.append(ordered[position - 1])
    found, below = [], None
    for end in sorted(set(ends)):
        inside = [v for v in ordered if v <= end and (below is None or v > below)]
        found.append((inside[0], inside[-1]))
        below = end
    return found


def spearman(points: Sequence[tuple[float, float]]) -> float | None:
    """Spearman's correlation: Pearson's of mid-ranks; None where one side does not vary."""
    if not points:
        return None
    first, second = _mid_ranks([a for a, _ in points]), _mid_ranks([b for _, b in points])
    n = len(points)
    mean_rank = Fraction(n + 1, 2)
    product = sum((a - mean_rank) * (b - mean_rank) for a, b in zip(first, second, strict=True))
    squares = [sum((a - mean_rank) ** 2 for a in side) for side in (first, second)]
    if not squares[0] or not squares[1]:
        return None
    return float(product) / math.sqrt(float(squares[0] * squares[1]))


def _mid_ranks(values: Sequence[float]) -> list[Fraction]:
    counted = Counter(values)
    rank, below = {}, 0
    for value in sorted(counted):
        rank[value] = below + Fraction(counted[value] + 1, 2)
        below += counted[value]
    return [rank[value] for value in values]


def shared_ranks(values: Sequence[Any]) -> list[list[Fraction]]:
    """Of each value the share of each rank it takes, the best rank first."""
    found = []
    for value in values:
        above = sum(other > value for other in values)
        equal = sum(other == value for other in values)
        found.append(
            [
                Fraction(1, equal) if above <= rank < above + equal else Fraction(0)
                for rank in range(len(values))
            ]
        )
    return found
