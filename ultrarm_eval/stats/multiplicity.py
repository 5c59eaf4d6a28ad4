"""Many tests at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ultrarm_eval.stats.checks import numbers_within


def holm(p_values: ArrayLike) -> list[float]:
    """Holm's adjusted p-values, in the order given.

    Rejecting where one is at most 5 % keeps the chance of any false rejection at 5 %, however the
    tests depend on each other (Holm 1979, Scandinavian Journal of Statistics 6): the i-th smallest
    of m is multiplied by m - i + 1, made no smaller than the one before it, and at most 1.

    Args:
        p_values: One for each test; none gives none.

    Raises:
        ScoringError: One is not from 0 to 1.
    """
    if not np.size(p_values):
        return []
    given = numbers_within(p_values, "p-value", 0, 1)
    order = np.argsort(given, kind="stable")
    factors = np.arange(len(given), 0, -1)
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(np.maximum.accumulate(given[order] * factors), 1)
    return [float(value) for value in adjusted]
