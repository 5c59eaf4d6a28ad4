"""Intervals by drawing the prompts again: for figures that are pooled over a prompt's pairs.

The prompts are drawn with replacement, each with all its pairs, and the interval goes from one
quantile of the figure over the replicates to another (the percentile interval; Efron and
Tibshirani 1993, chapter 13; of clusters: Davison and Hinkley 1997, section 3.8). Where it does not
hold the figure itself, it is widened to it. The same number of prompts, `replicates` and `seed`
draw the same prompts in every call. Drawing is what costs time, so figures of the same prompts are
made of one `PromptSums`; scipy's `bootstrap` takes no sums that are shared by figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ultrarm_eval.errors import ScoringError
from ultrarm_eval.stats.checks import (
    ROUNDING,
    FloatArray,
    check_count,
    check_level,
    finite_numbers,
    generator,
    numbers_within,
)
from ultrarm_eval.stats.interval import Interval
from ultrarm_eval.stats.interval_estimators import constant_interval

# More is not faster, and is memory beside the data.
_CHUNK_BYTES = 16 * 2**20
# A prompt in a replicate is drawn (8 bytes), counted (8) and turned into a weight (8), while the
# weights of the chunk before are still there (8).
_BYTES_OF_A_DRAW = 32


@dataclass(frozen=True)
class PromptSums:
    """Numbers of prompts, and their sums over prompts that were drawn again.

    Attributes:
        rows: (prompts, numbers).
        drawn: (replicates, numbers): the sums over the prompts of each replicate.
    """

    rows: FloatArray
    drawn: FloatArray

    @classmethod
    def of(cls, rows: ArrayLike, *, replicates: int = 2000, seed: int = 0) -> PromptSums:
        """Draws the prompts. Besides the sums, memory is bounded by 16 MiB or one replicate.

        Args:
            rows: (prompts, numbers): what is summed.
            replicates: How often all prompts are drawn.
            seed: Of the random numbers.

        Raises:
            ScoringError: There are no prompts, or a number is not finite.
            ConfigurationError: An option is impossible.
        """
        numbers = finite_numbers(rows, "prompt", dimensions=2)
        return cls(numbers, _replicates(numbers, replicates=replicates, seed=seed))

    def ratio(
        self,
        numerator: int,
        denominator: int,
        *,
        level: float = 0.95,
        bounds: tuple[float, float] | None = None,
    ) -> Interval | None:
        """The percentile interval of the sum of one column over that of another.

        Replicates that drew no prompt with a part in the figure are left out.

        Args:
            numerator: The column of the numerators.
            denominator: That of the denominators, none negative; 0 where a prompt has no part.
            level: The confidence level.
            bounds: As in `bootstrap_ratios`.

        Returns:
            None where fewer than two prompts have a part in it.

        Raises:
            ScoringError: A denominator is negative, or the figure is out of bounds.
            ConfigurationError: The level is impossible.
        """
        check_level(level)
        above, below = self.rows[:, numerator], self.rows[:, denominator]
        if (below < 0).any():
            raise ScoringError("A denominator is negative; it is what a prompt counts, at least 0.")
        prompts = np.count_nonzero(below)
        if prompts < 2:
            return None
        value = float(above.sum() / below.sum())
        if bounds is not None:
            value = float(numbers_within([value], "figure", *bounds)[0])
        off = np.abs(above - value * below).max()
        if bounds is not None and off <= ROUNDING * np.abs(above).max():
            return constant_interval(value, int(prompts), level=level, bounds=bounds)
        drawn_below = self.drawn[:, denominator]
        took_part = drawn_below > 0
        drawn = self.drawn[took_part, numerator] / drawn_below[took_part]
        return _percentile_interval(value, drawn, level)

    def statistic(
        self,
        statistic: Callable[[FloatArray], float | None],
        columns: Sequence[int] | slice = slice(None),
        *,
        level: float = 0.95,
    ) -> Interval | None:
        """The percentile interval of a figure that is made of some columns' sums.

        Args:
            statistic: Gives the figure of the sums (numbers); None where it is not defined.
            columns: The columns whose sums it takes.
            level: The confidence level.

        Returns:
            None where there are fewer than two prompts, or the figure is not defined for them or
            for any replicate.

        Raises:
            ScoringError: A figure is not finite.
            ConfigurationError: The level is impossible.
        """
        check_level(level)
        value = statistic(self.rows[:, columns].sum(axis=0))
        if len(self.rows) < 2 or value is None:
            return None
        found = map(statistic, self.drawn[:, columns])
        defined = [figure for figure in found if figure is not None]
        if not defined:
            return None
        drawn = finite_numbers([value, *defined], "figure")[1:]
        return _percentile_interval(float(value), drawn, level)


def bootstrap_ratios(
    numerators: ArrayLike,
    denominators: ArrayLike,
    *,
    replicates: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    bounds: tuple[float, float] | None = None,
) -> list[Interval | None]:
    """Percentile intervals of many ratios of sums over the same prompts.

    A figure is the sum of its numerators over the sum of its denominators, such as the credits of
    all pairs over their number. All figures see the same replicates, which leaves out for a figure
    those that drew none of its prompts.

    Args:
        numerators: (prompts, figures).
        denominators: (prompts, figures), none negative; 0 where a prompt has no part in a figure.
        replicates: How often all prompts are drawn.
        level: The confidence level.
        seed: Of the random numbers.
        bounds: What a figure can be at least and at most. With them, a figure that is the same for
            every prompt gets the interval of `constant_interval` over its prompts, since all
            replicates would be equal and the interval without width.

    Returns:
        One interval for each figure; None where fewer than two prompts have a part in it.

    Raises:
        ScoringError: There are no prompts, the shapes differ, a number is not finite, a
            denominator is negative, or a figure is out of bounds.
        ConfigurationError: An option is impossible.
    """
    check_level(level)
    above = finite_numbers(numerators, "numerator", dimensions=2)
    below = finite_numbers(denominators, "denominator", dimensions=2)
    if above.shape != below.shape:
        raise ScoringError(
            f"The numerators have the shape {above.shape} and the denominators {below.shape}; "
            "both are (prompts, figures)."
        )
    sums = PromptSums.of(np.hstack([above, below]), replicates=replicates, seed=seed)
    figures = above.shape[1]
    return [sums.ratio(i, figures + i, level=level, bounds=bounds) for i in range(figures)]


def bootstrap_statistic(
    statistic: Callable[[FloatArray], float | None],
    rows: ArrayLike,
    *,
    replicates: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """The percentile interval of a figure that is made of sums over prompts.

    Args:
        statistic: Gives the figure of the sums (numbers); None where it is not defined.
        rows: (prompts, numbers): what is summed.
        replicates: How often all prompts are drawn.
        level: The confidence level.
        seed: Of the random numbers.

    Returns:
        None where there are fewer than two prompts, or the figure is not defined for them or for
        any replicate.

    Raises:
        ScoringError: There are no prompts, or a number or a figure is not finite.
        ConfigurationError: An option is impossible.
    """
    check_level(level)
    return PromptSums.of(rows, replicates=replicates, seed=seed).statistic(statistic, level=level)


def _replicates(rows: FloatArray, *, replicates: int, seed: int) -> FloatArray:
    """The sums over the prompts drawn: (replicates, numbers)."""
    check_count(replicates, "replicates")
    random = generator(seed)
    n, numbers = rows.shape
    at_once = max(1, _CHUNK_BYTES // (_BYTES_OF_A_DRAW * n))
    sums = np.empty((replicates, numbers))
    for start in range(0, replicates, at_once):
        count = min(at_once, replicates - start)
        drawn = random.integers(n, size=(count, n))
        # Each replicate counts in cells of its own.
        drawn += np.arange(count)[:, None] * n
        weights = np.bincount(drawn.ravel(), minlength=count * n).reshape(count, n)
        sums[start : start + count] = weights.astype(np.float64) @ rows
    return sums


def _percentile_interval(value: float, drawn: FloatArray, level: float) -> Interval | None:
    if not len(drawn):
        return None
    tail = (1 - level) / 2
    low, high = (float(end) for end in np.quantile(drawn, [tail, 1 - tail]))
    return Interval(min(low, value), max(high, value), level, "bootstrap")
