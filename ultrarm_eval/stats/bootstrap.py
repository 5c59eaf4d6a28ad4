"""Intervals by drawing the prompts again: for figures that are pooled over a prompt's pairs.

The prompts are drawn with replacement, each with all its pairs, and the interval goes from one
quantile of the figure over the replicates to another (the percentile interval; Efron and
Tibshirani 1993, chapter 13; of clusters: Davison and Hinkley 1997, section 3.8). Where it does not
hold the figure itself, it is widened to it. The same `n`, `replicates` and `seed` draw the same
prompts in every call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

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
from ultrarm_eval.stats.intervals import Interval, constant_interval

_CHUNK_BYTES = 64 * 2**20
# A prompt in a replicate is drawn (8 bytes), counted (8) and turned into a weight (8), while the
# weights of the chunk before are still there (8).
_BYTES_OF_A_DRAW = 32


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
    those that drew none of its prompts. Besides the figures of the replicates, memory is bounded by
    64 MiB or one replicate.

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
    if (below < 0).any():
        raise ScoringError("A denominator is negative; it is what a prompt counts, at least 0.")
    sums = [
        (weights @ above, weights @ below)
        for weights in _resamples(len(above), replicates=replicates, seed=seed)
    ]
    drawn_above = np.concatenate([of_chunk for of_chunk, _ in sums])
    drawn_below = np.concatenate([of_chunk for _, of_chunk in sums])
    prompts = np.count_nonzero(below, axis=0)
    intervals: list[Interval | None] = []
    for figure in range(above.shape[1]):
        if prompts[figure] < 2:
            intervals.append(None)
            continue
        value = float(above[:, figure].sum() / below[:, figure].sum())
        if bounds is not None:
            value = float(numbers_within([value], "figure", *bounds)[0])
        off = np.abs(above[:, figure] - value * below[:, figure]).max()
        if bounds is not None and off <= ROUNDING * np.abs(above[:, figure]).max():
            n = int(prompts[figure])
            intervals.append(constant_interval(value, n, level=level, bounds=bounds))
            continue
        took_part = drawn_below[:, figure] > 0
        drawn = drawn_above[took_part, figure] / drawn_below[took_part, figure]
        intervals.append(_percentile_interval(value, drawn, level))
    return intervals


def bootstrap_statistic(
    statistic: Callable[[FloatArray], float | None],
    n: int,
    *,
    replicates: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """The percentile interval of any figure over prompts.

    Args:
        statistic: Gives the figure when each prompt counts as often as the weights say (n numbers,
            whole, at least 0, n in sum); None where the figure is not defined.
        n: The number of prompts.
        replicates: How often all prompts are drawn.
        level: The confidence level.
        seed: Of the random numbers.

    Returns:
        None where there are fewer than two prompts, or the figure is not defined for them or for
        any replicate.

    Raises:
        ScoringError: There are no prompts, or a figure is no finite number.
        ConfigurationError: An option is impossible.
    """
    check_level(level)
    if n < 1:
        raise ScoringError("There is no prompt: nothing can be said about no data.")
    value = statistic(np.ones(n))
    if n < 2 or value is None:
        return None
    found = (
        statistic(weights)
        for chunk in _resamples(n, replicates=replicates, seed=seed)
        for weights in chunk
    )
    defined = [figure for figure in found if figure is not None]
    if not defined:
        return None
    drawn = finite_numbers([value, *defined], "figure")[1:]
    return _percentile_interval(float(value), drawn, level)


def _resamples(n: int, *, replicates: int, seed: int) -> Iterator[FloatArray]:
    """How often each of n prompts is drawn: chunks of (replicates, n)."""
    check_count(replicates, "replicates")
    random = generator(seed)
    at_once = max(1, _CHUNK_BYTES // (_BYTES_OF_A_DRAW * n))
    for start in range(0, replicates, at_once):
        rows = min(at_once, replicates - start)
        drawn = random.integers(n, size=(rows, n))
        # Each row counts in cells of its own.
        drawn += np.arange(rows)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def _percentile_interval(value: float, drawn: FloatArray, level: float) -> Interval | None:
    if not len(drawn):
        return None
    tail = (1 - level) / 2
    low, high = (float(end) for end in np.quantile(drawn, [tail, 1 - tail]))
    return Interval(min(low, value), max(high, value), level, "bootstrap")
