"""How far two judges agree, beyond chance and in order."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ultrarm_eval.errors import ScoringError
from ultrarm_eval.stats.checks import FloatArray, finite_numbers


def cohens_kappa(a: Sequence[Hashable], b: Sequence[Hashable]) -> float | None:
    """Cohen's kappa: agreement above what the two would reach by chance, over the most above it.

    1 is full agreement, 0 that of chance, below 0 less than that (Cohen 1960, Educational and
    Psychological Measurement 20). Categories are equal where Python says so: 1 is True.

    Args:
        a: The category that one judge puts each thing into.
        b: The other judge's.

    Returns:
        None where both put everything into the same one category: chance alone agrees fully.

    Raises:
        ScoringError: There is nothing, the lengths differ, or a category is NaN.
    """
    n = _same_length(len(a), len(b))
    for categories in (a, b):
        for index, category in enumerate(categories):
            # NaN is no category: it differs from itself.
            if category != category:
                raise ScoringError(f"Category {index} is NaN; leave out what was not judged.")
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
        b: The other's, of the same things.

    Returns:
        None where one side has no order: all its numbers are equal, or there is only one.

    Raises:
        ScoringError: There is nothing, the lengths differ, or a number is not finite.
    """
    numbers_a, numbers_b = finite_numbers(a, "number"), finite_numbers(b, "number")
    n = _same_length(len(numbers_a), len(numbers_b))
    # Twice the rank less its mean is a whole number: the sums are exact up to 200,000 numbers.
    ranks_a, ranks_b = (_twice_ranks(numbers) - (n + 1) for numbers in (numbers_a, numbers_b))
    if not ranks_a.any() or not ranks_b.any():
        return None
    spread = math.sqrt(float(ranks_a @ ranks_a)) * math.sqrt(float(ranks_b @ ranks_b))
    return float(np.clip(float(ranks_a @ ranks_b) / spread, -1, 1))


def _twice_ranks(numbers: FloatArray) -> FloatArray:
    """Twice the ranks from 1 on; equal numbers share the mean of theirs."""
    _, places, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    doubled: FloatArray = (2 * last - counts + 1).astype(np.float64)[places]
    return doubled


def _same_length(count_a: int, count_b: int) -> int:
    if count_a != count_b:
        raise ScoringError(
            f"There are {count_a} of one judge and {count_b} of the other; give one of each for "
            "the same things in the same order."
        )
    if not count_a:
        raise ScoringError("There is nothing that both judged, so no agreement.")
    return count_a
