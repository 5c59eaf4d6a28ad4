"""Whether two judges differ on the same prompts.

Each prompt counts once, with the mean credit over its pairs: pairs of one prompt share completions,
and a test that takes them for independent finds differences where there are none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc

from ultrarm_eval.errors import ScoringError
from ultrarm_eval.stats.checks import (
    ROUNDING,
    check_count,
    finite_numbers,
    generator,
    is_whole,
    numbers_within,
)
from ultrarm_eval.stats.intervals import Interval, mean_interval
from ultrarm_eval.stats.sign_flips import chance_as_far


@dataclass(frozen=True)
class PairedTest:
    """What a test says about two judges.

    Attributes:
        test: "mcnemar" for McNemar's exact test, or "sign-flip".
        p_value: The two-sided p-value of no difference.
        prompts: How many prompts there are.
        a_higher: On how many of them the first judge has more credit.
        b_higher: On how many of them the second has.
    """

    test: Literal["mcnemar", "sign-flip"]
    p_value: float
    prompts: int
    a_higher: int
    b_higher: int


def paired_test(
    a: ArrayLike,
    b: ArrayLike,
    *,
    single_pairs: bool,
    replicates: int = 100_000,
    seed: int = 0,
) -> PairedTest:
    """Tests whether two judges have the same accuracy.

    Args:
        a: The first judge's credit on each prompt, from 0 to 1: the mean over its pairs.
        b: The second judge's, on the same prompts in the same order.
        single_pairs: Whether every prompt is one pair. Then, and where no credit is a half,
            McNemar's exact test is made, else the sign-flip test.
        replicates: Of the sign-flip test, where it has to draw.
        seed: Of the sign-flip test, where it has to draw.

    Raises:
        ScoringError: There is no prompt, the numbers of credits differ, or one is not from 0 to 1.
        ConfigurationError: An option is impossible.
    """
    credits_a, credits_b = (numbers_within(given, "credit", 0, 1) for given in (a, b))
    if len(credits_a) != len(credits_b):
        raise ScoringError(
            f"There are {len(credits_a)} credits of one judge and {len(credits_b)} of the other; "
            "give one of each for the same prompts in the same order."
        )
    differences = credits_a - credits_b
    # Else credits that only rounding tells apart would be all the test looks at.
    differences[np.abs(differences) <= ROUNDING] = 0
    only_a, only_b = int((differences > 0).sum()), int((differences < 0).sum())
    both = np.concatenate([credits_a, credits_b])
    if single_pairs and bool(np.all((both == 0) | (both == 1))):
        return PairedTest(
            "mcnemar", mcnemar_exact(only_a, only_b), len(differences), only_a, only_b
        )
    p_value = sign_flip_test(differences, replicates=replicates, seed=seed)
    return PairedTest("sign-flip", p_value, len(differences), only_a, only_b)


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """The two-sided p-value of McNemar's exact test: 2 P(X <= min) of a fair coin, at most 1.

    Pairs that both judges order rightly, or both wrongly, say nothing about a difference (McNemar
    1947, Psychometrika 12).

    Args:
        only_a: How many pairs the first judge alone orders rightly.
        only_b: How many pairs the second alone does. 1.0 where there are neither.

    Raises:
        ScoringError: A count is negative or no whole number.
    """
    for count in (only_a, only_b):
        if not is_whole(count) or count < 0:
            raise ScoringError(
                f"{count} pairs are no count; a whole number of at least 0 is needed."
            )
    fewer, more = sorted((int(only_a), int(only_b)))
    # From an even split on, the two tails overlap.
    if more - fewer <= 1:
        return 1.0
    # P(X <= k) of n tosses is the regularised incomplete beta function of (n - k, k + 1).
    return min(1.0, 2 * float(betainc(more, fewer + 1, 0.5)))


def sign_flip_test(differences: ArrayLike, *, replicates: int = 100_000, seed: int = 0) -> float:
    """The two-sided p-value of mean difference 0, over independent prompts.

    Under no difference each prompt's difference is as likely as its negative. The p-value is the
    share of all choices of signs whose sum is at least as far from 0 as the one seen; sums that
    only rounding tells apart count as equal, and differences of 0 change nothing. It is

    - exact by going through all choices, up to 16 differences that are not 0;
    - exact (to 1e-10, and not below 1e-12) for more, where they are multiples of a common unit, as
      differences of credits are: see `sign_flips`;
    - else (hits + 1) / (replicates + 1) of random choices, with a standard error of
      sqrt(p (1 - p) / replicates).

    Neither the order of the prompts nor a common factor changes it. Where many choices reach
    exactly the sum seen, it errs on the side of no difference.

    Args:
        differences: One for each prompt, such as one judge's credit less the other's.
        replicates: How many random choices there are.
        seed: Of the random choices.

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
    return chance_as_far(magnitudes[magnitudes > 0], observed, replicates=replicates, seed=seed)


def paired_interval(differences: ArrayLike, *, level: float = 0.95) -> Interval:
    """The interval of the mean difference of credits over prompts, by Student's t.

    Where all prompts differ equally, as where two judges agree everywhere, see
    `intervals.constant_interval`.

    Args:
        differences: One for each prompt, from -1 to 1.
        level: The confidence level.

    Raises:
        ScoringError: There is no difference, or one is not from -1 to 1.
        ConfigurationError: The level is none.
    """
    return mean_interval(differences, level=level, bounds=(-1.0, 1.0))
