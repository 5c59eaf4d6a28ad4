"""Whether a judge is as sure as it is right.

By the Bradley-Terry model a margin m (chosen less rejected reward) predicts the preference with
probability sigmoid(m). Which answer is "chosen" is the label, so a pair is turned to the judge's
favourite: its confidence is sigmoid(|m|), from 0.5 to 1, and the outcome 1 where the favourite is
the chosen answer (m > 0), 0 where it is the rejected one, and 0.5 for a tie.
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

# A root far below 1 is found by halving, a bit a step.
_MOST_STEPS = 2000


@dataclass(frozen=True)
class ReliabilityBin:
    """Pairs of about the same confidence.

    Attributes:
        low: The confidence it begins with.
        high: The confidence it ends before; the last bin holds 1 as well.
        count: The number of pairs in it.
        mean_confidence: Their mean predicted probability; None without pairs.
        observed_frequency: How often the favourite was the chosen answer; None without pairs.
        interval: Of the observed frequency, as if the pairs were independent: where many of a
            prompt fall into one bin it is too narrow. None without pairs.
    """

    low: float
    high: float
    count: int
    mean_confidence: float | None
    observed_frequency: float | None
    interval: Interval | None


def reliability(margins: ArrayLike, *, bins: int = 10, level: float = 0.95) -> list[ReliabilityBin]:
    """The observed frequency beside the predicted one, in bins of equal width from 0.5 to 1.

    Args:
        margins: Chosen less rejected reward of each pair.
        bins: The number of bins.
        level: Of the intervals.

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
    """The mean distance of observed and predicted frequency over the bins, by their pairs.

    After Naeini, Cooper and Hauskrecht 2015 (AAAI) and Guo et al. 2017 (arXiv 1706.04599), of two
    classes: the bins go from 0.5. Chance alone keeps it above 0: a calibrated judge has about
    0.8 sqrt(bins p (1 - p) / n) with n pairs. So its bootstrap intervals lie too high for few
    pairs.

    Args:
        margins: Chosen less rejected reward of each pair.
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
    """What `expected_calibration_error` would be on average if margins meant just what they say.

    Each draw lets a pair's favourite be the better answer with the probability sigmoid(|margin|).

    Args:
        margins: Chosen less rejected reward of each pair.
        bins: The number of bins.
        draws: How often all outcomes are drawn.
        seed: Of the random numbers.

    Raises:
        ScoringError: There is no pair, or a margin is not finite.
        ConfigurationError: An option is impossible.
    """
    check_count(draws, "draws")
    random = generator(seed)
    # A draw changes who is right, and neither the confidences nor their bins.
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
    """The temperature T > 0 that minimises the mean of -log sigmoid(margin / T).

    Above 1 the judge is too sure, below 1 not sure enough (temperature scaling, Guo et al. 2017,
    arXiv 1706.04599). The loss is convex in 1/T, so there is one minimum at most. Ties cost log 2
    at any temperature and change nothing.

    Args:
        margins: Chosen less rejected reward of each pair.

    Returns:
        None where no temperature is best:

        - No margin is below 0: the colder the better (T to 0), or all margins are 0.
        - The mean margin is not above 0: the hotter the better (T to infinity). The size of the
          margins says nothing, or the opposite, about the preference, whatever the accuracy.

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
    """The mean distance of confidence and outcome over the bins, by their pairs."""
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
