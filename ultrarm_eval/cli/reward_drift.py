"""How far two lists of rewards of the same texts differ."""

from __future__ import annotations

import math
from collections.abc import Sequence


def largest_difference(first: Sequence[float], second: Sequence[float]) -> float:
    """The largest difference between rewards; infinite if one of them is not a number."""
    differences = [abs(a - b) for a, b in zip(first, second, strict=True)]
    # What is no number is no agreement, wherever it stands.
    return max(difference if math.isfinite(difference) else math.inf for difference in differences)


def said_of_drift(
    first: Sequence[float], second: Sequence[float], pairs: Sequence[tuple[int, int]]
) -> str:
    """The largest difference, and how many pairs are ranked differently, in one line.

    Args:
        first: Rewards.
        second: Other rewards of the same texts.
        pairs: Numbers of the chosen and the rejected text of each pair.
    """
    flipped = sum(
        _sign(first[chosen] - first[rejected]) != _sign(second[chosen] - second[rejected])
        for chosen, rejected in pairs
    )
    drift = largest_difference(first, second)
    return f"largest difference {drift:.3g}, {flipped:,} pairs ranked differently"


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
