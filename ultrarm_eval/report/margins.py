"""The distribution of a judge's margins, and their calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ultrarm_eval.runs.samples import Numbers, Samples
from ultrarm_eval.stats.calibration import (
    ReliabilityBin,
    calibration_error_by_chance,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability,
)

_BINS = 40
# Margins further out than this many interquartile ranges share the outermost bar.
_WIDEST = 6.0


@dataclass(frozen=True)
class MarginReport:
    """The margins: reward of chosen minus reward of rejected.

    Attributes:
        edges: The edges of the bars, ascending; margins beyond them are in the first or last bar.
        counts: Pairs in each bar, without ties.
        right: Pairs with a margin above 0.
        wrong: Pairs with a margin below 0.
        ties: Pairs with equal rewards.
        mean: The mean margin.
        median: The median margin.
        median_right: The median margin of correctly ranked pairs; None where there are none.
        median_wrong: The median margin of incorrectly ranked pairs; None where there are none.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    right: int
    wrong: int
    ties: int
    mean: float
    median: float
    median_right: float | None
    median_wrong: float | None


@dataclass(frozen=True)
class CalibrationReport:
    """Whether sigmoid(|margin|) is the frequency with which a judge's preferred answer is correct.

    Attributes:
        bins: By confidence in the preferred answer.
        error: Expected calibration error.
        error_by_chance: Its expected value for these margins if the judge were calibrated; it is
            above 0 because the number of pairs is finite.
        temperature: Best-fit temperature: the divisor of the margins with the smallest loss; None
            where no finite positive number is best.
        nll: Bradley-Terry loss (mean negative log-likelihood) of the margins, in nats.
        nll_at_temperature: The loss of the margins divided by the temperature.
    """

    bins: tuple[ReliabilityBin, ...]
    error: float
    error_by_chance: float
    temperature: float | None
    nll: float
    nll_at_temperature: float | None


def margin_report(samples: Samples) -> MarginReport | None:
    """The distribution of the margins; None for a task without pairs."""
    margins = samples.pairs.margin.to_numpy()
    if not len(margins):
        return None
    low, high = np.quantile(margins, [0.25, 0.75])
    # Where most margins are equal, the interquartile range is 0.
    reach = _WIDEST * (high - low) if high > low else np.inf
    start = min(0.0, max(float(margins.min()), low - reach))
    stop = max(0.0, min(float(margins.max()), high + reach))
    right, wrong = margins[margins > 0], margins[margins < 0]
    edges = _edges(start, stop, has_wrong=bool(len(wrong)), has_right=bool(len(right)))
    decided = margins[margins != 0]
    counts, _ = np.histogram(np.clip(decided, edges[0], edges[-1]), edges)
    return MarginReport(
        tuple(float(edge) for edge in edges),
        tuple(int(count) for count in counts),
        len(right),
        len(wrong),
        len(margins) - len(right) - len(wrong),
        float(margins.mean()),
        float(np.median(margins)),
        float(np.median(right)) if len(right) else None,
        float(np.median(wrong)) if len(wrong) else None,
    )


def calibration_report(samples: Samples) -> CalibrationReport | None:
    """The calibration of the margins; None for a task without pairs."""
    margins = samples.pairs.margin.to_numpy()
    if not len(margins):
        return None
    temperature = fit_temperature(margins)
    return CalibrationReport(
        tuple(reliability(margins)),
        expected_calibration_error(margins),
        calibration_error_by_chance(margins),
        temperature,
        negative_log_likelihood(margins),
        None if temperature is None else negative_log_likelihood(margins, temperature),
    )


def _edges(start: float, stop: float, *, has_wrong: bool, has_right: bool) -> Numbers:
    """Bars of equal width with an edge at 0, so that none mixes correct and incorrect pairs.

    Each side that has pairs has a bar, even where all of them are beyond the ends.
    """
    width = (stop - start) / _BINS or 1.0
    below = max(int(np.ceil(-start / width)), int(has_wrong))
    above = max(int(np.ceil(stop / width)), int(has_right))
    numbers = np.arange(-below, max(above, 1 - below) + 1, dtype=np.float64)
    return numbers * width
