"""Agreement of two judges: beyond chance, and in rank."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ultrarm_eval.errors import ScoringError
from ultrarm_eval.stats.checks import FloatArray, finite_numbers


def cohens_kappa(a: Sequence[Hashable], b: Sequence[Hashable]) -> float | None:
    """Cohen's kappa: agreement beyond chance, relative to the greatest possible.

    1 is perfect agreement, 0 agreement by chance, below 0 less than that (Cohen 1960, Educational
    and Psychological Measurement 20). Categories are compared with Python's ==: 1 equals True.

    Args:
        a: One judge's category of each item.
        b: The other judge's.

    Returns:
        None where both put everything into the same one category: chance agreement is perfect.

    Raises:
        ScoringError: There are no items, the lengths differ, or a category is NaN.
    """
    n = _same_length(len(a), len(b))
    for categories in (a, b):
        for index, category in enumerate(categories):
            # NaN is not a category: it differs from itself.
            if category != category:
                raise ScoringError(f"Category {index} is NaN; exclude items that were not judged.")
    agreed = sum(one == other for one, other in zip(a, b, strict=True))
    counts_a, counts_b = Counter(a), Counter(b)
    # In whole numbers, times n and n^2, so that nothing is rounded before the division.
    by_chance = sum(count * counts_b[category] for category, count in counts_a.items())
    if by_chance == n * n:
        return None
    return (n * agreed - by_chance) / (n * n - by_chance)


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float | None:
    """Spearman's rank correlation; equal numbers share the mean of their ranks.

    Args:
        a: One judge's numbers, such as its rewards or margins.
        b: The other's, of the same items.

    Returns:
        None where one side has no ranking: all its numbers are equal, or there is only one.

    Raises:
        ScoringError: There are no numbers, the lengths differ, or a number is not finite.
    """
    numbers_a, numbers_b = finite_numbers(a, "number"), finite_numbers(b, "number")
    _same_length(len(numbers_a), len(numbers_b))
    ranks_a, ranks_b = map(_centred_ranks, (numbers_a, numbers_b))
    if not ranks_a.any() or not ranks_b.any():
        return None
    spread = math.sqrt(float(ranks_a @ ranks_a)) * math.sqrt(float(ranks_b @ ranks_b))
    return float(np.clip(float(ranks_a @ ranks_b) / spread, -1, 1))


def _centred_ranks(numbers: FloatArray) -> FloatArray:
    """Twice the rank minus its mean: whole numbers, whose sums are exact up to 200,000 of them."""
    _, places, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    # Equal numbers share the mean of the ranks from the one after all lesser numbers on.
    twice = 2 * np.cumsum(counts) - counts - len(numbers)
    return np.asarray(twice[places], np.float64)


def _same_length(count_a: int, count_b: int) -> int:
    if count_a != count_b:
        raise ScoringError(
            f"There are {count_a} values of one judge and {count_b} of the other; give one of each "
            "for the same items in the same order."
        )
    if not count_a:
        raise ScoringError("There are no items that both judged, so there is no agreement.")
    return count_a
