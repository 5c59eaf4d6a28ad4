"""Whether judges differ on the same prompts: paired tests, and the correction for many tests.

Each prompt counts once: pairs of one prompt share completions, and a test that treats them as
independent finds differences where there are none. scipy's `permutation_test` draws or enumerates;
the sign-flip test here is exact for any number of credits.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc

from ultrarm_eval.errors import ScoringError
from ultrarm_eval.stats.checks import (
    FloatArray,
    check_count,
    finite_numbers,
    generator,
    is_whole,
    numbers_within,
)

#: Subsets with fewer prompts are not shown: for five equal differences a sign-flip test gives
#: p = 0.0625, and the interval of a share covers half of the range.
FEWEST_PROMPTS = 6
_MOST_ENUMERATED = 16
# Credits are multiples of one over twice the number of pairs; finer units are not searched for.
_FINEST_LATTICE = 1000
_MOST_LATTICE_WORK = 50_000_000
_LATTICE_SLACK = 1e-9
# The discrete Fourier transform is exact to about this; smaller probabilities are not resolved.
_SMALLEST_LATTICE_CHANCE = 1e-12
_TIE_SLACK = 1e-12
_REPLICATES_AT_ONCE = 2**20


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """The two-sided p-value of McNemar's exact test: 2 P(X <= min) of a fair coin, at most 1.

    Pairs that both judges rank correctly, or both incorrectly, carry no information about a
    difference (McNemar 1947, Psychometrika 12). The p-value is 1 where both counts are 0.

    Args:
        only_a: How many pairs only the first judge ranks correctly.
        only_b: How many pairs only the second judge ranks correctly.

    Raises:
        ScoringError: A count is negative or not a whole number.
    """
    for count in (only_a, only_b):
        if not is_whole(count) or count < 0:
            raise ScoringError(
                f"The number of pairs is {count}; a whole number of at least 0 is needed."
            )
    fewer, more = sorted((int(only_a), int(only_b)))
    # From an even split on, the two tails overlap.
    if more - fewer <= 1:
        return 1.0
    # P(X <= k) of n tosses is the regularized incomplete beta function of (n - k, k + 1).
    return min(1.0, 2 * float(betainc(more, fewer + 1, 0.5)))


def sign_flip_test(differences: ArrayLike, *, replicates: int = 100_000, seed: int = 0) -> float:
    """The two-sided p-value of mean difference 0, over independent prompts.

    Under the null hypothesis each prompt's difference is as likely as its negative. The p-value is
    the share of all sign assignments whose sum is at least as far from 0 as the observed one; sums
    that differ only by rounding count as equal, and differences of 0 have no effect. It is

    - exact by enumeration, up to 16 nonzero differences;
    - exact (to 1e-10, and not below 1e-12) for more, where they are multiples of a common unit, as
      differences of credits are;
    - otherwise (hits + 1) / (replicates + 1) over random assignments, with a standard error of
      sqrt(p (1 - p) / replicates).

    This is Fisher's randomization test for pairs (The Design of Experiments, 1935). Neither the
    order of the prompts nor a common factor changes it. It is conservative where many assignments
    reach exactly the observed sum.

    Args:
        differences: One for each prompt, such as one judge's credit minus the other's.
        replicates: The number of random assignments.
        seed: Seed of the random assignments.

    Raises:
        ScoringError: There is no difference, or one is not finite.
        ConfigurationError: An option is impossible.
    """
    check_count(replicates, "replicates")
    generator(seed)
    given = finite_numbers(differences, "difference")
    # In units of the largest, so that no sum overflows.
    unit = float(np.abs(given).max())
    if not unit:
        return 1.0
    magnitudes = np.abs(given / unit)
    observed = abs(math.fsum(given / unit))
    return _chance_as_far(magnitudes[magnitudes > 0], observed, replicates=replicates, seed=seed)


def holm(p_values: ArrayLike) -> list[float]:
    """Holm's adjusted p-values, in the order given.

    Rejecting where one is at most 5 % keeps the probability of any false rejection at 5 %, however
    the tests depend on each other (Holm 1979, Scandinavian Journal of Statistics 6): the i-th
    smallest of m is multiplied by m - i + 1, made no smaller than the previous one, and capped at
    1.

    Args:
        p_values: One for each test; an empty sequence gives an empty list.

    Raises:
        ScoringError: One is not from 0 to 1.
    """
    if not np.size(p_values):
        return []
    given = numbers_within(p_values, "p-value", 0, 1)
    order = np.argsort(given, kind="stable")
    factors = np.arange(len(given), 0, -1)
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(np.maximum.accumulate(given[order] * factors), 1)
    return [float(value) for value in adjusted]


def _chance_as_far(magnitudes: FloatArray, observed: float, *, replicates: int, seed: int) -> float:
    """The probability that the sum of the magnitudes with random signs is at least as far from 0.

    Args:
        magnitudes: Of the differences, all above 0, at least one.
        observed: The absolute value of the observed sum.
        replicates: Of the random signs, where there are too many for an exact answer.
        seed: Of the random signs.
    """
    # Sorted and scaled by the largest, so that neither order nor unit has an effect.
    ordered = np.sort(magnitudes)[::-1]
    scaled, seen = ordered / ordered[0], observed / float(ordered[0])
    least = seen - _TIE_SLACK * float(scaled.sum())
    if len(scaled) <= _MOST_ENUMERATED:
        # The other half of the signs is this half turned over.
        sums = scaled[0] + _all_sums(scaled[1:])
        return float(np.mean(np.abs(sums) >= least))
    steps = _on_lattice(scaled)
    if steps is not None:
        unit = float(steps[0])
        return _lattice_chance(steps, round(seen * unit))
    return _monte_carlo_chance(scaled, least, replicates=replicates, seed=seed)


def _all_sums(magnitudes: FloatArray) -> FloatArray:
    """The sums with all 2^n assignments of signs."""
    sums = np.zeros(1)
    for magnitude in magnitudes:
        sums = np.concatenate([sums + magnitude, sums - magnitude])
    return sums


def _on_lattice(scaled: FloatArray) -> NDArray[np.int64] | None:
    """The magnitudes as whole multiples of the coarsest common unit; None where there is none."""
    distinct = np.unique(np.round(scaled, 12))
    if len(distinct) > _FINEST_LATTICE:
        return None
    for parts in range(1, _FINEST_LATTICE + 1):
        if np.abs(distinct * parts - np.rint(distinct * parts)).max() <= _LATTICE_SLACK:
            steps = np.rint(scaled * parts).astype(np.int64)
            work = int(steps.sum()) * len(distinct)
            return steps if work <= _MOST_LATTICE_WORK else None
    return None


def _lattice_chance(steps: NDArray[np.int64], seen: int) -> float:
    """The exact probability, by inverting the characteristic function of the sum.

    Let R be the sum of the steps that get a minus: the sum is `total - 2 R`, and R is symmetric
    around `total / 2`. Its characteristic function is a product over the distinct steps v, c times
    each: ((1 + e^{ivt}) / 2)^c = e^{icvt/2} cos(vt/2)^c.
    """
    if seen <= 0:
        return 1.0
    total = int(steps.sum())
    # Any number above the total keeps the sums apart; of a power of two the transform is fast.
    points = 1 << total.bit_length()
    frequencies = np.arange(points // 2 + 1)
    # The angles are whole multiples of pi / points, reduced before they are rounded.
    turns = 2 * points
    spectrum = np.exp(-1j * np.pi / points * (frequencies * total % turns))
    for step, count in zip(*np.unique(steps, return_counts=True), strict=True):
        spectrum *= np.cos(np.pi / points * (frequencies * step % turns)) ** count
    chances = np.fft.irfft(spectrum, points)
    tail = 2 * float(chances[: (total - seen) // 2 + 1].sum())
    # All signs equal and their reverse always reach as far.
    return min(max(tail, _SMALLEST_LATTICE_CHANCE, 2.0 ** (1 - len(steps))), 1.0)


def _monte_carlo_chance(scaled: FloatArray, least: float, *, replicates: int, seed: int) -> float:
    """(hits + 1) / (replicates + 1): the observed signs are one of the choices.

    With it the test keeps its level (Phipson and Smyth 2010, SAGMB 9). A random byte holds the
    signs of eight magnitudes, whose 256 sums stand in a table: one look-up for eight flips.
    """
    random = generator(seed)
    padded = np.append(scaled, np.zeros(-len(scaled) % 8))
    hits = 0
    for start in range(0, replicates, _REPLICATES_AT_ONCE):
        sums = np.zeros(min(_REPLICATES_AT_ONCE, replicates - start))
        for eight in padded.reshape(-1, 8):
            signs = np.frombuffer(random.bytes(len(sums)), np.uint8)
            sums += _all_sums(eight)[signs]
        hits += int(np.count_nonzero(np.abs(sums) >= least))
    return (hits + 1) / (replicates + 1)
