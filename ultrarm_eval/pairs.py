"""Which completions of a prompt are compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations


@dataclass(frozen=True)
class PreferencePair:
    """Two completions of one prompt, by their index.

    Attributes:
        chosen: The completion with the higher rating.
        rejected: The other one.
    """

    chosen: int
    rejected: int


def preference_pairs(
    ratings: Sequence[Fraction | None], min_gap: Fraction = Fraction(0)
) -> tuple[PreferencePair, ...]:
    """All pairs of completions with different ratings.

    Ratings are exact fractions: means over different numbers of aspects, such as 4 and 13/3,
    must not become equal or different by rounding.

    Args:
        ratings: The rating of each completion; None where there is none.
        min_gap: The least difference in rating of a pair; equal ratings never make one.

    Returns:
        The pairs, in the order of their lower and then their higher index.
    """
    pairs = []
    for (i, first), (j, second) in combinations(enumerate(ratings), 2):
        if first is None or second is None or first == second:
            continue
        if min_gap and abs(first - second) < min_gap:
            continue
        pairs.append(PreferencePair(i, j) if first > second else PreferencePair(j, i))
    return tuple(pairs)


def compared_completions(pairs: Iterable[PreferencePair]) -> tuple[int, ...]:
    """The completions that occur in a pair, ascending."""
    return tuple(sorted({index for pair in pairs for index in (pair.chosen, pair.rejected)}))
