"""Intervals of means over documents of which some share a prompt, and of weighted sums of them.

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


@dataclass(frozen=True)
class Stratum:
    """Values whose mean has a weight in the sum.

    Attributes:
        weight: The weight.
        values: The values, at least one.
        clusters: The cluster of each; values of one cluster may depend on each other, those of
            several strata as well.
        bounds: The least and the greatest value there can be; None if there is no limit.
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

    Of clusters of one value each it is `mean_interval`. Else the cluster-robust one: the variance
    of the mean is that of `clustered_standard_error`, with Student's t at C - 1 degrees of freedom
    for C clusters.

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
    sums = _sums(numbers - mean, members)
    if _are_zero(sums, numbers):
        # All clusters have one mean: that says of others no more than equal values do.
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

    Of one stratum with the weight 1 it is `clustered_interval`. Else every value has the residual
    `weight / n * sqrt(C / (C - 1)) * (value - mean)`, with the n values and C clusters of its
    stratum, and the variance is the sum over all clusters of their squared sums of residuals. Where
    no cluster is in two strata, that is the sum of the strata's squared weights times their
    cluster-robust variances. The quantile is Student's, at the degrees of freedom of Welch and
    Satterthwaite, at most the number of clusters less 1.

    A stratum whose clusters have one mean has no variance, which does not say that others would not
    differ: half of its own interval (`constant_interval`) is added in quadrature, as in Zou and
    Donner 2008 (doi:10.1002/sim.3095).

    Args:
        strata: The strata, at least one.
        level: How often the interval covers the truth.
        bounds: The least and the greatest value that the sum can have.

    Returns:
        The interval; None where a stratum is one cluster of several values: nothing says how much
        another would differ.
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
    """What each value adds to the deviation of the sum; None where the clusters have one mean."""
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
    """Whether sums of deviations of values are 0, but for rounding."""
    slack = ROUNDING * max(1.0, float(np.ptp(values)))
    return bool(np.allclose(sums, 0.0, rtol=0.0, atol=slack))
