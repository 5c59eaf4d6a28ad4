"""How often random signs bring a sum as far from 0 as it was seen.

The null distribution of the sign-flip test: under no difference, each prompt's difference is as
likely as its negative (Fisher's randomisation test for pairs, The Design of Experiments, 1935).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ultrarm_eval.stats.checks import FloatArray, generator

_MOST_ENUMERATED = 16
# Credits are multiples of one over twice the number of pairs; nothing finer is looked for.
_FINEST_LATTICE = 1000
_MOST_LATTICE_WORK = 50_000_000
_LATTICE_SLACK = 1e-9
# The discrete Fourier transform is exact to about this; no smaller chance comes out of it.
SMALLEST_LATTICE_CHANCE = 1e-12
_TIE_SLACK = 1e-12
_REPLICATES_AT_ONCE = 2**20


def chance_as_far(magnitudes: FloatArray, observed: float, *, replicates: int, seed: int) -> float:
    """The chance that the sum of the magnitudes with random signs is at least as far from 0.

    Args:
        magnitudes: Of the differences, all above 0, at least one.
        observed: The sum that was seen, without its sign.
        replicates: Of the random signs, where there are too many for an exact answer.
        seed: Of the random signs.
    """
    # Largest first and in units of it: the order of the prompts and the unit change nothing.
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
    """The sums with all 2^n choices of signs."""
    sums = np.zeros(1)
    for magnitude in magnitudes:
        sums = np.concatenate([sums + magnitude, sums - magnitude])
    return sums


def _on_lattice(scaled: FloatArray) -> NDArray[np.int64] | None:
    """The magnitudes as whole multiples of the coarsest unit there is; None where there is none."""
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
    """The exact chance, by inverting the characteristic function of the sum.

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
    return min(max(tail, SMALLEST_LATTICE_CHANCE, 2.0 ** (1 - len(steps))), 1.0)


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
