"""Bootstrap intervals over prompts, for statistics that are pooled over pairs.

Prompts are drawn with replacement, each with all its pairs, and the interval is bounded by two
quantiles of the statistic over the replicates (the percentile interval; Efron and Tibshirani 1993,
chapter 13; for clusters: Davison and Hinkley 1997, section 3.8). It is widened where it does not
contain the statistic itself. The same number of prompts, `replicates` and `seed` draw the same
prompts in every call. Drawing dominates the cost, so statistics of the same prompts share one
`PromptSums`; scipy's `bootstrap` cannot share sums.
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

# A larger chunk is not faster, and needs memory.
_CHUNK_BYTES = 16 * 2**20
# A prompt in a replicate is drawn (8 bytes), counted (8) and turned into a weight (8), while the
# weights of the chunk before are still there (8).
_BYTES_OF_A_DRAW = 32


@dataclass(frozen=True)
class PromptSums:
    """Numbers of prompts, and their sums over resampled prompts.

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
            seed: Seed of the random numbers.

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

        Replicates that drew no prompt that contributes to the statistic are excluded.

        Args:
            numerator: The column of the numerators.
            denominator: The column of the denominators, none negative; 0 for no contribution.
            level: The confidence level.
            bounds: As in `bootstrap_ratios`.

        Returns:
            None where fewer than two prompts contribute to it.

        Raises:
            ScoringError: A denominator is negative, or the ratio is out of bounds.
            ConfigurationError: The level is impossible.
        """
        check_level(level)
        above, below = self.rows[:, numerator], self.rows[:, denominator]
        if (below < 0).any():
            raise ScoringError("A denominator is negative; it is a prompt's count, at least 0.")
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
        """The percentile interval of a function of some columns' sums.

        Args:
            statistic: Computes the statistic from the sums (numbers); None where undefined.
            columns: The columns whose sums it takes.
            level: The confidence level.

        Returns:
            None where there are fewer than two prompts, or the statistic is undefined for them or
            for any replicate.

        Raises:
            ScoringError: A value is not finite.
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

    A ratio is the sum of its numerators over the sum of its denominators, such as the credits of
    all pairs over their number. All ratios share the same replicates, except for those replicates
    that drew none of a ratio's prompts.

    Args:
        numerators: (prompts, ratios).
        denominators: (prompts, ratios), none negative; 0 where a prompt contributes nothing.
        replicates: How often all prompts are drawn.
        level: The confidence level.
        seed: Seed of the random numbers.
        bounds: The least and the greatest possible ratio. With bounds, a ratio that is the same for
            every prompt gets the interval of `constant_interval` over its prompts, because all
            replicates would be equal and the interval would have no width.

    Returns:
        One interval for each ratio; None where fewer than two prompts contribute to it.

    Raises:
        ScoringError: There are no prompts, the shapes differ, a number is not finite, a
            denominator is negative, or a ratio is out of bounds.
        ConfigurationError: An option is impossible.
    """
    check_level(level)
    above = finite_numbers(numerators, "numerator", dimensions=2)
    below = finite_numbers(denominators, "denominator", dimensions=2)
    if above.shape != below.shape:
        raise ScoringError(
            f"The numerators have the shape {above.shape} and the denominators {below.shape}; "
            "both must be (prompts, ratios)."
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
    """The percentile interval of a function of sums over prompts.

    Args:
        statistic: Computes the statistic from the sums (numbers); None where undefined.
        rows: (prompts, numbers): what is summed.
        replicates: How often all prompts are drawn.
        level: The confidence level.
        seed: Seed of the random numbers.

    Returns:
        None where there are fewer than two prompts, or the statistic is undefined for them or for
        any replicate.

    Raises:
        ScoringError: There are no prompts, or a number or a value is not finite.
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
