"""The interval of a mean over documents of which some share a prompt."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ultrarm_eval.stats.intervals import Interval, mean_interval

_ROUNDING = 1e-12


def clustered_interval(
    values: Sequence[float] | NDArray[np.float64],
    clusters: Sequence[int] | NDArray[np.int64],
    *,
    level: float = 0.95,
    bounds: tuple[float, float] | None = None,
) -> Interval | None:
    """The interval of the mean of values that are independent between clusters only.

    Of clusters of one value each it is `mean_interval`. Else the cluster-robust one: the variance
    of the mean is C / (C - 1) times the sum over the C clusters of the squared sum of their
    deviations from it, over the squared number of values (Liang and Zeger 1986,
    doi:10.1093/biomet/73.1.13, for a mean alone), with Student's t at C - 1 degrees of freedom.

    Args:
        values: The values, at least one.
        clusters: The cluster of each.
        level: How often the interval covers the truth.
        bounds: The least and the greatest value there can be; 0 and 1 if None and all values lie
            between them.

    Returns:
        The interval; None where there is one cluster of several values: nothing says how much
        another would differ.

    Raises:
        ScoringError: There is no value, or one is NaN.
    """
    from scipy import stats

    numbers = np.asarray(values, np.float64)
    if bounds is None and len(numbers) and numbers.min() >= 0 and numbers.max() <= 1:
        bounds = (0.0, 1.0)
    _, members = np.unique(np.asarray(clusters), return_inverse=True)
    total = int(members.max()) + 1 if len(members) else 0
    if total == len(numbers):
        return mean_interval(numbers, level=level, bounds=bounds)
    if not np.ptp(numbers):
        return mean_interval(numbers[:total], level=level, bounds=bounds)
    if total < 2:
        return None
    mean = float(numbers.mean())
    sums = np.bincount(members, numbers - mean)
    if np.allclose(sums, 0.0, rtol=0.0, atol=_ROUNDING * max(1.0, float(np.ptp(numbers)))):
        # All clusters have one mean: that says of others no more than equal values do.
        return mean_interval(np.full(total, mean), level=level, bounds=bounds)
    error = math.sqrt(total / (total - 1) * float(sums @ sums)) / len(numbers)
    half = float(stats.t.ppf((1 + level) / 2, total - 1)) * error
    low, high = mean - half, mean + half
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return Interval(low, high, level, "t, clustered")
