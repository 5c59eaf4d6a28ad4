"""How the margins of a judge are spread, and whether they mean what they say."""

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
# Beyond this many times the middle half's spread a margin would leave the rest in one bar.
_WIDEST = 6.0


@dataclass(frozen=True)
class MarginReport:
    """The margins: reward of the better answer less that of the other one.

    Attributes:
        edges: The ends of the bars, ascending; margins beyond them are in the first or last bar.
        counts: Pairs in each bar, without ties.
        right: Pairs with a margin above 0.
        wrong: Pairs with a margin below 0.
        ties: Pairs with equal rewards.
        mean: The mean margin.
        median: The median margin.
        median_right: The median margin of the right pairs; None where there is none.
        median_wrong: The same of the wrong ones.
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
    """Whether sigmoid(margin) is the frequency with which the favourite is the better answer.

    Attributes:
        bins: By confidence in the favourite.
        error: Expected calibration error.
        error_by_chance: What it would be on average for these margins if they meant just what they
            say: finitely many pairs never come out even.
        temperature: What margins have to be divided by to be most likely; None where no finite
            positive number is best.
        nll: Mean negative log-likelihood of the margins as they are, in nats.
        nll_at_temperature: The same of the divided ones.
    """

    bins: tuple[ReliabilityBin, ...]
    error: float
    error_by_chance: float
    temperature: float | None
    nll: float
    nll_at_temperature: float | None


def margin_report(samples: Samples) -> MarginReport | None:
    """How the margins are spread; None for a task without pairs."""
    margins = samples.pairs.margin.to_numpy()
    if not len(margins):
        return None
    low, high = np.quantile(margins, [0.25, 0.75])
    # Where most margins are one number, their spread says nothing of the others.
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
    """How calibrated the margins are; None for a task without pairs."""
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
    """Bars of equal width of which one ends at 0, so that none mixes right and wrong pairs.

    There is one on each side that has pairs, also where all of them are beyond the ends.
    """
    width = (stop - start) / _BINS or 1.0
    below = max(int(np.ceil(-start / width)), int(has_wrong))
    above = max(int(np.ceil(stop / width)), int(has_right))
    numbers = np.arange(-below, max(above, 1 - below) + 1, dtype=np.float64)
    return numbers * width
