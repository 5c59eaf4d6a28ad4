"""Which completions of a prompt are compared."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

#: Why two completions do not form a pair.
WITHOUT_RATING, EQUAL_RATINGS, BELOW_MIN_GAP = "without_rating", "equal_ratings", "below_min_gap"


@dataclass(frozen=True)
class PreferencePair:
    """Two completions of one prompt, by their index.

    Attributes:
        chosen: The completion with the higher rating.
        rejected: The completion with the lower rating.
    """

    chosen: int
    rejected: int


def why_no_pair(
    first: Fraction | None, second: Fraction | None, min_gap: Fraction = Fraction(0)
) -> str | None:
    """Why two completions with these ratings do not form a pair; None where they do.

    Args:
        first: The rating of one; None where there is none.
        second: The rating of the other.
        min_gap: The least difference in rating of a pair; equal ratings never form one.
    """
    if first is None or second is None:
        return WITHOUT_RATING
    if first == second:
        return EQUAL_RATINGS
    return BELOW_MIN_GAP if min_gap and abs(first - second) < min_gap else None


def preference_pairs(
    ratings: Sequence[Fraction | None], min_gap: Fraction = Fraction(0)
) -> tuple[PreferencePair, ...]:
    """All pairs of completions with different ratings.

    Ratings are exact fractions: means over different numbers of aspects, such as 4 and 13/3,
    must not become equal or different by rounding.

    Args:
        ratings: The rating of each completion; None where there is none.
        min_gap: The least difference in rating of a pair; equal ratings never form one.

    Returns:
        The pairs, in the order of their lower and then their higher index.
    """
    # In whole numbers: comparing two fractions takes as long as all else here.
    rated = [
        (i, one.numerator, one.denominator) for i, one in enumerate(ratings) if one is not None
    ]
    pairs = []
    for (i, above, below), (j, other_above, other_below) in combinations(rated, 2):
        difference = above * other_below - other_above * below
        if not difference or (min_gap and why_no_pair(ratings[i], ratings[j], min_gap)):
            continue
        pairs.append(_pair(i, j) if difference > 0 else _pair(j, i))
    return tuple(pairs)


# Few places occur in many prompts.
_pair = functools.lru_cache(maxsize=4096)(PreferencePair)


def compared_completions(pairs: Iterable[PreferencePair]) -> tuple[int, ...]:
    """The completions that occur in a pair, ascending."""
    return tuple(sorted({index for pair in pairs for index in (pair.chosen, pair.rejected)}))
