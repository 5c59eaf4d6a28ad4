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
    weights_of,
)
from ultrarm_eval.stats.intervals import Interval, wilson_interval

_MOST_STEPS = 200
_LONGEST_LAST_STEP = 1e-12


@dataclass(frozen=True)
class ReliabilityBin:
    """Pairs of about the same confidence.

    Attributes:
        low: The confidence it begins with.
        high: The confidence it ends before; the last bin holds 1 as well.
        count: The number of pairs in it, without those of weight 0.
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


def reliability(
    margins: ArrayLike,
    *,
    bins: int = 10,
    weights: ArrayLike | None = None,
    level: float = 0.95,
) -> list[ReliabilityBin]:
    """The observed frequency beside the predicted one, in bins of equal width from 0.5 to 1.

    Args:
        margins: Chosen less rejected reward of each pair.
        bins: The number of bins.
        weights: How much each pair counts, such as one over the pairs of its prompt. The intervals
            then take (sum w)^2 / (sum w^2) for the number of pairs (Kish 1965).
        level: Of the intervals.

    Raises:
        ScoringError: There is no pair, a margin is not finite, or the weights are none.
        ConfigurationError: An option is impossible.
    """
    check_level(level)
    confidences, outcomes, places = _binned(margins, bins)
    given = weights_of(weights, len(confidences), "margin")
    # In units of the largest, so that no square underflows.
    each = given / given.max()
    total, squares, confidence, frequency = (
        np.bincount(places, values, bins)
        for values in (each, each**2, each * confidences, each * outcomes)
    )
    counts = np.bincount(places[each > 0], minlength=bins)
    edges = _edges(bins)
    found = []
    for place, (low, high) in enumerate(itertools.pairwise(edges)):
        if not counts[place]:
            found.append(ReliabilityBin(float(low), float(high), 0, None, None, None))
            continue
        observed = min(float(frequency[place] / total[place]), 1.0)
        effective = float(total[place] ** 2 / squares[place])
        found.append(
            ReliabilityBin(
                float(low),
                float(high),
                int(counts[place]),
                float(confidence[place] / total[place]),
                observed,
                wilson_interval(observed * effective, effective, level),
            )
        )
    return found


def expected_calibration_error(
    margins: ArrayLike, *, bins: int = 10, weights: ArrayLike | None = None
) -> float:
    """The mean distance of observed and predicted frequency over the bins, by their weight.

    After Naeini, Cooper and Hauskrecht 2015 (AAAI) and Guo et al. 2017 (arXiv 1706.04599), of two
    classes: the bins go from 0.5. Chance alone keeps it above 0: a calibrated judge has about
    0.8 sqrt(bins p (1 - p) / n) with n pairs. So its bootstrap intervals lie too high for few
    pairs.

    Args:
        margins: Chosen less rejected reward of each pair.
        bins: The number of bins.
        weights: How much each pair counts.

    Raises:
        ScoringError: There is no pair, a margin is not finite, or the weights are none.
        ConfigurationError: The number of bins is impossible.
    """
    confidences, outcomes, places = _binned(margins, bins)
    each = weights_of(weights, len(confidences), "margin")
    each = each / each.sum()
    return float(np.abs(np.bincount(places, each * (confidences - outcomes), bins)).sum())


def negative_log_likelihood(
    margins: ArrayLike, temperature: float = 1.0, *, weights: ArrayLike | None = None
) -> float:
    """The mean of -log sigmoid(margin / temperature), in nats; log 2 is chance.

    Raises:
        ScoringError: There is no pair, a margin is not finite, or the weights are none.
        ConfigurationError: The temperature is not above 0, or not finite.
    """
    if not 0 < temperature < math.inf:
        raise ConfigurationError(
            f"The temperature is {temperature}; a finite number above 0 is needed."
        )
    numbers = finite_numbers(margins, "margin")
    each = weights_of(weights, len(numbers), "margin")
    with np.errstate(over="ignore"):
        losses = np.logaddexp(0, -numbers / temperature)
    counts = each > 0
    return float(losses[counts] @ (each[counts] / each.sum()))


def fit_temperature(margins: ArrayLike, *, weights: ArrayLike | None = None) -> float | None:
    """The temperature T > 0 that minimises the mean of -log sigmoid(margin / T).

    Above 1 the judge is too sure, below 1 not sure enough (temperature scaling, Guo et al. 2017,
    arXiv 1706.04599). The loss is convex in 1/T, so there is one minimum at most. Ties cost log 2
    at any temperature and change nothing.

    Args:
        margins: Chosen less rejected reward of each pair.
        weights: How much each pair counts.

    Returns:
        None where no temperature is best:

        - No margin is below 0: the colder the better (T to 0), or all margins are 0.
        - The mean margin is not above 0: the hotter the better (T to infinity). The size of the
          margins says nothing, or the opposite, about the preference, whatever the accuracy.

    Raises:
        ScoringError: There is no pair, a margin is not finite, or the weights are none.
    """
    numbers = finite_numbers(margins, "margin")
    each = weights_of(weights, len(numbers), "margin")
    matters = (numbers != 0) & (each > 0)
    numbers, each = numbers[matters], each[matters]
    if not (numbers < 0).any():
        return None
    unit = float(np.abs(numbers).max())
    scaled, shares = numbers / unit, each / each.sum()
    moments = scaled * shares
    if math.fsum(moments) <= ROUNDING * math.fsum(np.abs(moments)):
        return None
    beta = _root(scaled, moments)
    return None if beta is None else unit / beta


def _root(scaled: FloatArray, moments: FloatArray) -> float | None:
    """Where the slope of the loss in beta = unit / T is 0, by Newton's method inside a bracket."""

    def slope(beta: float) -> tuple[float, float]:
        wrong = expit(-beta * scaled)
        return -float(moments @ wrong), float((moments * scaled) @ (wrong * (1 - wrong)))

    low, high = 0.0, 1.0
    while slope(high)[0] < 0:
        low, high = high, 2 * high
        if math.isinf(high):
            return None
    beta = (low + high) / 2
    for _ in range(_MOST_STEPS):
        first, second = slope(beta)
        low, high = (beta, high) if first < 0 else (low, beta)
        step = first / second if second else math.inf
        # Newton's step may leave the bracket, where the loss is flat: then halve it.
        better = beta - step if low < beta - step < high else (low + high) / 2
        if abs(better - beta) <= _LONGEST_LAST_STEP * beta:
            return better
        beta = better
    return beta


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
