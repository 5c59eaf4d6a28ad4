"""Confidence intervals of a share and of a mean."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtrit

from ultrarm_eval.errors import ConfigurationError, ScoringError
from ultrarm_eval.stats.checks import (
    ROUNDING,
    check_level,
    finite_numbers,
    numbers_within,
)
from ultrarm_eval.stats.interval import Interval

_UNIT = (0.0, 1.0)


def wilson_interval(successes: float, n: float, level: float = 0.95) -> Interval:
    """Wilson's score interval of a share.

    It has good coverage for few observations and never has width 0 (Wilson 1927, JASA 22;
    recommended by Brown, Cai and DasGupta 2001, Statistical Science 16).

    Args:
        successes: The number of successes; with half credits not a whole number.
        n: The number of observations, or an effective one.
        level: The confidence level.

    Raises:
        ScoringError: There are no observations, or more or fewer successes than possible.
        ConfigurationError: The level is impossible.
    """
    check_level(level)
    if not (n > 0 and math.isfinite(n)):
        raise ScoringError(f"The share of {n} observations has no interval; at least 1 is needed.")
    if not 0 <= successes <= n:
        raise ScoringError(f"There are {successes} successes in {n}; give a number from 0 to {n}.")
    spread = float(ndtri((1 - level) / 2)) ** 2 / n
    share, rest = float(successes) / n, float(n - successes) / n
    low = min(_wilson_low(share, rest, spread), share)
    return Interval(low, max(1 - _wilson_low(rest, share, spread), share), level, "wilson")


def mean_interval(
    values: ArrayLike,
    *,
    level: float = 0.95,
    bounds: tuple[float, float] | None = _UNIT,
) -> Interval | None:
    """The interval of a mean of independent values, such as one credit for each prompt.

    - Values that are all 0 or 1, bounds (0, 1): Wilson's interval.
    - Other values: mean and t quantile times standard error, clipped to the bounds.
    - Equal values: `constant_interval`, because a standard error of 0 would claim certainty.

    Args:
        values: The values.
        level: The confidence level.
        bounds: The least and the greatest possible value; None if there is no limit.

    Returns:
        The interval; None where all values are equal and have no bounds.

    Raises:
        ScoringError: There is no value, or one is not finite or out of bounds.
        ConfigurationError: The level or the bounds are impossible.
    """
    check_level(level)
    _check_bounds(bounds)
    if bounds is None:
        numbers = finite_numbers(values, "value")
    else:
        numbers = numbers_within(values, "value", *bounds)
    n = len(numbers)
    if bounds == _UNIT and bool(np.all(np.abs(numbers - np.rint(numbers)) <= ROUNDING)):
        return wilson_interval(float(numbers.sum()), n, level)
    # In units of the largest, so that no square overflows.
    unit = float(np.abs(numbers).max()) or 1.0
    scaled = numbers / unit
    mean = float(scaled.mean())
    if np.ptp(scaled) <= ROUNDING:
        return constant_interval(float(numbers[0]), n, level=level, bounds=bounds)
    error = float(scaled.std(ddof=1)) / math.sqrt(n)
    reach = t_quantile(level, n - 1) * error
    low, high = bounds if bounds is not None else (-math.inf, math.inf)
    return Interval(max((mean - reach) * unit, low), min((mean + reach) * unit, high), level, "t")


def constant_interval(
    value: float, n: float, *, level: float = 0.95, bounds: tuple[float, float] | None = _UNIT
) -> Interval | None:
    """The interval of the mean where all `n` independent values are the same.

    Bounds (0, 1): Wilson's interval of `n * value` successes, as if each value were a share of
    correct answers. Other bounds: by Wilson's upper limit for 0 of n, at most a share of
    z^2 / (n + z^2) of all values may differ, and all of these may lie at either bound. No bounds:
    unseen values are unlimited, and their variance is unknown.

    Args:
        value: The value of all.
        n: The number of values.
        level: The confidence level.
        bounds: The least and the greatest possible value; None if there is no limit.

    Returns:
        The interval; None without bounds.

    Raises:
        ScoringError: There is no value, or it is out of bounds.
        ConfigurationError: The level or the bounds are impossible.
    """
    check_level(level)
    _check_bounds(bounds)
    if bounds is None:
        return None
    low, high = bounds
    value = float(numbers_within([value], "value", low, high)[0])
    if bounds == _UNIT:
        return wilson_interval(min(value * n, n), n, level)
    unseen = wilson_interval(0, n, level).high
    return Interval(
        value - unseen * (value - low), value + unseen * (high - value), level, "wilson"
    )


def t_quantile(level: float, freedom: float) -> float:
    """Half the width of an interval by Student's t, in standard errors.

    Args:
        level: The confidence level.
        freedom: The degrees of freedom, not necessarily a whole number.
    """
    return -float(stdtrit(freedom, (1 - level) / 2))


def _wilson_low(share: float, rest: float, spread: float) -> float:
    if not share:
        return 0.0
    # The limits are the roots of a quadratic whose product is share^2 / (1 + spread): dividing by
    # the larger one cancels no digits, where center - half width would.
    root = math.sqrt(spread * (share * rest + spread / 4))
    return share * share / (share + spread / 2 + root)


def _check_bounds(bounds: tuple[float, float] | None) -> None:
    if bounds is not None and not -math.inf < bounds[0] < bounds[1] < math.inf:
        raise ConfigurationError(
            f"The bounds are {bounds}; give the least and the greatest value, both finite, or None."
        )
