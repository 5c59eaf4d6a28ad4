"""Intervals of means clustered by prompt, and of weighted sums of such means.

statsmodels has the cluster-robust error of a mean (`OLS.fit(cov_type="cluster")`), not the
intervals of shares, of equal values and of several strata; it is what the tests compare with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ultrarm_eval.stats.checks import ROUNDING, finite_numbers
from ultrarm_eval.stats.interval import Interval
from ultrarm_eval.stats.interval_estimators import constant_interval, mean_interval, t_quantile

#: The bounds of values without a limit, which also holds where all of them lie between 0 and 1.
UNBOUNDED = (-math.inf, math.inf)


@dataclass(frozen=True)
class Stratum:
    """Values whose mean has a weight in the sum.

    Attributes:
        weight: The weight.
        values: The values, at least one.
        clusters: The cluster of each; values of one cluster may depend on each other, also across
            strata.
        bounds: The least and the greatest possible value; None if there is no limit.
    """

    weight: float
    values: NDArray[np.float64]
    clusters: NDArray[np.int64]
    bounds: tuple[float, float] | None = None

    @property
    def mean(self) -> float:
        """The mean of its values."""
        return float(self.values.mean())


def clustered_standard_error(
    values: Sequence[float] | NDArray[np.float64],
    clusters: Sequence[Any] | NDArray[np.int64],
) -> float | None:
    """The standard error of the mean of values that are independent between clusters only.

    Its square is C / (C - 1) times the sum over the C clusters of the squared sum of their
    deviations from the mean, over the squared number of values (Liang and Zeger 1986,
    doi:10.1093/biomet/73.1.13, for a mean alone). With one value in each cluster it is the sample's
    standard deviation over the root of their number.

    Args:
        values: The values, at least one.
        clusters: The cluster of each.

    Returns:
        None where there is one cluster: nothing says how much another would differ.

    Raises:
        ScoringError: There is no value, or one is not finite.
    """
    numbers = finite_numbers(values, "value")
    sums = _sums(numbers - numbers.mean(), np.asarray(clusters))
    return _error(sums, len(numbers)) if len(sums) > 1 else None


def clustered_interval(
    values: Sequence[float] | NDArray[np.float64],
    clusters: Sequence[Any] | NDArray[np.int64],
    *,
    level: float = 0.95,
    bounds: tuple[float, float] | None = None,
) -> Interval | None:
    """The interval of the mean of values that are independent between clusters only.

    With one value per cluster it is `mean_interval`, otherwise cluster-robust: the variance of the
    mean is that of `clustered_standard_error`, with Student's t at C - 1 degrees of freedom for C
    clusters.

    Args:
        values: The values, at least one.
        clusters: The cluster of each.
        level: The confidence level.
        bounds: The least and the greatest possible value; 0 and 1 if None and all values lie
            between them.

    Returns:
        The interval; None where the variance between clusters is unknown: there is one cluster of
        several values, or all clusters of values without a limit have the same mean.

    Raises:
        ScoringError: There is no value, or one is NaN.
    """
    numbers = np.asarray(values, np.float64)
    if bounds is None and len(numbers) and numbers.min() >= 0 and numbers.max() <= 1:
        bounds = (0.0, 1.0)
    elif bounds == UNBOUNDED:
        bounds = None
    _, members = np.unique(np.asarray(clusters), return_inverse=True)
    total = int(members.max()) + 1 if len(members) else 0
    if total == len(numbers):
        return mean_interval(numbers, level=level, bounds=bounds)
    if not np.ptp(numbers):
        return mean_interval(numbers[:total], level=level, bounds=bounds)
    if total < 2:
        return None
    mean = float(numbers.mean())
    sums = _sums(numbers - mean, members)
    if _are_zero(sums, numbers):
        # All clusters have the same mean: this is like a sample of equal values.
        return mean_interval(np.full(total, mean), level=level, bounds=bounds)
    half = t_quantile(level, total - 1) * _error(sums, len(numbers))
    low, high = mean - half, mean + half
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return Interval(low, high, level, "t, clustered")


def stratified_interval(
    strata: Sequence[Stratum],
    *,
    level: float = 0.95,
    bounds: tuple[float, float] | None = None,
) -> Interval | None:
    """The interval of the sum of the strata's means, each times its weight.

    For one stratum with weight 1 it is `clustered_interval`. Otherwise every value has the residual
    `weight / n * sqrt(C / (C - 1)) * (value - mean)`, with the n values and C clusters of its
    stratum, and the variance is the sum over all clusters of their squared sums of residuals. Where
    no cluster is in two strata, that is the sum of the strata's squared weights times their
    cluster-robust variances. The quantile is Student's, at the degrees of freedom of Welch and
    Satterthwaite, at most the number of clusters minus 1.

    A stratum whose clusters all have the same mean has variance 0, although other clusters might
    differ: half the width of its own interval (`constant_interval`) is added in quadrature, as in
    Zou and Donner 2008 (doi:10.1002/sim.3095).

    Args:
        strata: The strata, at least one.
        level: The confidence level.
        bounds: The least and the greatest possible value of the sum.

    Returns:
        The interval; None where a stratum's variance between clusters is unknown, see
        `clustered_interval`.
    """
    if len(strata) == 1 and strata[0].weight == 1:
        (only,) = strata
        return clustered_interval(only.values, only.clusters, level=level, bounds=only.bounds)
    total = math.fsum(one.weight * one.mean for one in strata)
    residuals: list[NDArray[np.float64]] = []
    clusters: list[NDArray[np.int64]] = []
    parts: list[tuple[float, int]] = []
    below = above = 0.0
    for one in strata:
        count = len(np.unique(one.clusters))
        found = _residuals(one, count)
        if found is None:
            if count == 1 and len(one.values) > 1 and np.ptp(one.values):
                return None
            own = constant_interval(one.mean, count, level=level, bounds=one.bounds)
            if own is None:
                return None
            ends = [one.weight * (end - one.mean) for end in (own.low, own.high)]
            below, above = below + min(ends) ** 2, above + max(ends) ** 2
            continue
        residuals.append(found)
        clusters.append(one.clusters)
        sums = _sums(found, one.clusters)
        parts.append((float(sums @ sums), count - 1))
    reach = 0.0
    if residuals:
        sums = _sums(np.concatenate(residuals), np.concatenate(clusters))
        freedom = math.fsum(v for v, _ in parts) ** 2 / math.fsum(v * v / f for v, f in parts)
        freedom = min(freedom, len(sums) - 1)
        reach = float(t_quantile(level, freedom)) ** 2 * float(sums @ sums)
    low, high = total - math.sqrt(reach + below), total + math.sqrt(reach + above)
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return Interval(low, high, level, "t, clustered and weighted")


def _residuals(one: Stratum, count: int) -> NDArray[np.float64] | None:
    """The residual of each value; None where all clusters have the same mean."""
    if count < 2:
        return None
    deviations = one.values - one.mean
    if _are_zero(_sums(deviations, one.clusters), one.values):
        return None
    factor = one.weight / len(one.values) * math.sqrt(count / (count - 1))
    return np.asarray(factor * deviations, np.float64)


def _error(sums: NDArray[np.float64], count: int) -> float:
    """The standard error of a mean of `count` values, of the clusters' sums of deviations."""
    clusters = len(sums)
    return math.sqrt(clusters / (clusters - 1) * float(sums @ sums)) / count


def _sums(values: NDArray[np.float64], clusters: NDArray[Any]) -> NDArray[np.float64]:
    """The sum over each cluster."""
    sums = np.bincount(np.unique(clusters, return_inverse=True)[1], values)
    return np.asarray(sums, np.float64)


def _are_zero(sums: NDArray[np.float64], values: NDArray[np.float64]) -> bool:
    """Whether sums of deviations of values are 0 up to rounding."""
    slack = ROUNDING * max(1.0, float(np.ptp(values)))
    return bool(np.allclose(sums, 0.0, rtol=0.0, atol=slack))
