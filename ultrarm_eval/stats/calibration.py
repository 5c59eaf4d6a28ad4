"""Calibration of a judge.

Under the Bradley-Terry model a margin m (reward of chosen minus rejected) predicts the preference
with probability sigmoid(m). Which answer is "chosen" is the label, so each pair is seen from the
judge's preferred answer: the confidence is sigmoid(|m|), from 0.5 to 1, and the outcome is 1 where
the preferred answer is the chosen one (m > 0), 0 where it is the rejected one, and 0.5 for a tie.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.stats.checks import (
    ROUNDING,
    FloatArray,
    check_count,
    check_level,
    finite_numbers,
    generator,
)
from ultrarm_eval.stats.interval import Interval
from ultrarm_eval.stats.interval_estimators import wilson_interval

# A root far below 1 is found by bisection, one bit per step.
_MOST_STEPS = 2000


@dataclass(frozen=True)
class ReliabilityBin:
    """Pairs of similar confidence.

    Attributes:
        low: The lower edge of the bin.
        high: The upper edge, exclusive; the last bin includes 1.
        count: The number of pairs in it.
        mean_confidence: Their mean predicted probability; None without pairs.
        observed_frequency: How often the preferred answer was the chosen one; None without pairs.
        interval: Interval of the observed frequency that treats pairs as independent: it is too
            narrow where many pairs of a prompt fall into one bin. None without pairs.
    """

    low: float
    high: float
    count: int
    mean_confidence: float | None
    observed_frequency: float | None
    interval: Interval | None


def reliability(margins: ArrayLike, *, bins: int = 10, level: float = 0.95) -> list[ReliabilityBin]:
    """Observed against predicted frequency, in bins of equal width from 0.5 to 1.

    Args:
        margins: Reward of chosen minus rejected of each pair.
        bins: The number of bins.
        level: The confidence level of the intervals.

    Raises:
        ScoringError: There is no pair, or a margin is not finite.
        ConfigurationError: An option is impossible.
    """
    check_level(level)
    confidences, outcomes, places = _binned(margins, bins)
    counts = np.bincount(places, minlength=bins).tolist()
    confident, right = (np.bincount(places, of, bins).tolist() for of in (confidences, outcomes))
    found = []
    for place, (low, high) in enumerate(itertools.pairwise(_edges(bins).tolist())):
        count = counts[place]
        said: tuple[float | None, float | None, Interval | None] = (None, None, None)
        if count:
            interval = wilson_interval(right[place], count, level)
            said = confident[place] / count, right[place] / count, interval
        found.append(ReliabilityBin(low, high, count, *said))
    return found


def expected_calibration_error(margins: ArrayLike, *, bins: int = 10) -> float:
    """The mean absolute difference of observed and predicted frequency, bins weighted by pairs.

    After Naeini, Cooper and Hauskrecht 2015 (AAAI) and Guo et al. 2017 (arXiv 1706.04599), for two
    classes, so that the bins start at 0.5. It is biased upwards: with n pairs a calibrated judge
    has about 0.8 sqrt(bins p (1 - p) / n). Its bootstrap intervals are therefore too high for few
    pairs.

    Args:
        margins: Reward of chosen minus rejected of each pair.
        bins: The number of bins.

    Raises:
        ScoringError: There is no pair, or a margin is not finite.
        ConfigurationError: The number of bins is impossible.
    """
    confidences, outcomes, places = _binned(margins, bins)
    return _gap(confidences - outcomes, places, bins)


def calibration_error_by_chance(
    margins: ArrayLike, *, bins: int = 10, draws: int = 100, seed: int = 0
) -> float:
    """The expected value of `expected_calibration_error` for a calibrated judge with these margins.

    In each draw a pair's preferred answer is the chosen one with probability sigmoid(|margin|).

    Args:
        margins: Reward of chosen minus rejected of each pair.
        bins: The number of bins.
        draws: The number of simulated data sets.
        seed: Of the random numbers.

    Raises:
        ScoringError: There is no pair, or a margin is not finite.
        ConfigurationError: An option is impossible.
    """
    check_count(draws, "draws")
    random = generator(seed)
    # A draw changes the outcomes, but neither the confidences nor their bins.
    sizes = np.abs(finite_numbers(margins, "margin"))
    confidences, _, places = _binned(sizes, bins)
    chances = 1 / (1 + np.exp(-sizes))
    is_right, is_wrong = (
        confidences - np.heaviside(sizes, 0.5),
        confidences - np.heaviside(-sizes, 0.5),
    )
    errors = [
        _gap(np.where(random.random(len(sizes)) < chances, is_right, is_wrong), places, bins)
        for _ in range(draws)
    ]
    return float(np.mean(errors))


def negative_log_likelihood(margins: ArrayLike, temperature: float = 1.0) -> float:
    """The mean of -log sigmoid(margin / temperature), in nats; log 2 is chance.

    Raises:
        ScoringError: There is no pair, or a margin is not finite.
        ConfigurationError: The temperature is not above 0, or not finite.
    """
    if not 0 < temperature < math.inf:
        raise ConfigurationError(
            f"The temperature is {temperature}; a finite number above 0 is needed."
        )
    numbers = finite_numbers(margins, "margin")
    with np.errstate(over="ignore"):
        losses = np.logaddexp(0, -numbers / temperature)
    # Each over their number first: the sum of large losses may overflow.
    return float((losses / len(losses)).sum())


def fit_temperature(margins: ArrayLike) -> float | None:
    """The temperature T > 0 that minimizes the mean of -log sigmoid(margin / T).

    Above 1 the judge is overconfident, below 1 underconfident (temperature scaling, Guo et al.
    2017, arXiv 1706.04599). The loss is convex in 1/T, so there is at most one minimum. Ties cost
    log 2 at any temperature and do not affect it.

    Args:
        margins: Reward of chosen minus rejected of each pair.

    Returns:
        None where no temperature is best:

        - No margin is below 0: the loss falls as T goes to 0, or all margins are 0.
        - The mean margin is not above 0: the loss falls as T goes to infinity. The size of the
          margins does not predict the preference, or predicts the opposite, whatever the accuracy.

    Raises:
        ScoringError: There is no pair, or a margin is not finite.
    """
    from scipy.optimize import brentq

    numbers = finite_numbers(margins, "margin")
    if not (numbers < 0).any():
        return None
    unit = float(np.abs(numbers).max())
    scaled = numbers / unit
    if math.fsum(scaled) <= ROUNDING * math.fsum(np.abs(scaled)):
        return None

    def slope(beta: float) -> float:
        """Of the loss in beta = unit / T; below 0 at 0, for the mean margin is above it."""
        return -float(scaled @ expit(-beta * scaled))

    high = 1.0
    while slope(high) < 0:
        high *= 2
        if math.isinf(high):
            return None
    precise = {"xtol": np.finfo(np.float64).tiny, "rtol": 4 * np.finfo(np.float64).eps}
    return unit / float(brentq(slope, 0.0, high, maxiter=_MOST_STEPS, **precise))


def _gap(differences: FloatArray, places: NDArray[np.intp], bins: int) -> float:
    """The mean absolute difference of confidence and outcome over the bins, weighted by pairs."""
    return float(np.abs(np.bincount(places, differences, bins)).sum() / len(places))


def _binned(margins: ArrayLike, bins: int) -> tuple[FloatArray, FloatArray, NDArray[np.intp]]:
    """The confidence, outcome and bin of each pair."""
    check_count(bins, "bins")
    numbers = finite_numbers(margins, "margin")
    confidences = expit(np.abs(numbers))
    outcomes = np.heaviside(numbers, 0.5)
    places = np.searchsorted(_edges(bins), confidences, side="right") - 1
    return confidences, outcomes, np.minimum(places, bins - 1)


def _edges(bins: int) -> FloatArray:
    return np.linspace(0.5, 1, bins + 1)
