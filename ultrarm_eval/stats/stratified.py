"""The interval of a weighted sum of means, as a group's figure over its tasks is one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ultrarm_eval.stats.clustered import clustered_interval
from ultrarm_eval.stats.intervals import Interval, constant_interval

_ROUNDING = 1e-12


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
    from scipy import stats

    if len(strata) == 1 and strata[0].weight == 1:
        (only,) = strata
        return clustered_interval(only.values, only.clusters, level=level, bounds=only.bounds)
    total = sum(one.weight * one.mean for one in strata)
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
        sums = np.bincount(np.unique(one.clusters, return_inverse=True)[1], found)
        parts.append((float(sums @ sums), count - 1))
    reach = 0.0
    if residuals:
        _, members = np.unique(np.concatenate(clusters), return_inverse=True)
        sums = np.bincount(members, np.concatenate(residuals))
        freedom = sum(v for v, _ in parts) ** 2 / sum(v * v / f for v, f in parts)
        freedom = min(freedom, len(sums) - 1)
        reach = float(stats.t.ppf((1 + level) / 2, freedom)) ** 2 * float(sums @ sums)
    low, high = total - math.sqrt(reach + below), total + math.sqrt(reach + above)
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return Interval(low, high, level, "t, clustered and weighted")


def _residuals(one: Stratum, count: int) -> NDArray[np.float64] | None:
    """What each value adds to the deviation of the sum; None where the clusters have one mean."""
    if count < 2:
        return None
    deviations = one.values - one.mean
    sums = np.bincount(np.unique(one.clusters, return_inverse=True)[1], deviations)
    scale = max(1.0, float(np.ptp(one.values)))
    if np.allclose(sums, 0.0, rtol=0.0, atol=_ROUNDING * scale):
        return None
    factor = one.weight / len(one.values) * math.sqrt(count / (count - 1))
    return np.asarray(factor * deviations, np.float64)
