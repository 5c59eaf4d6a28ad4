"""The difference of two runs on a task or a subset of it, and its significance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from ultrarm_eval.runs.figure import TWO_SIDED_95, Figure
from ultrarm_eval.runs.samples import Indices, Numbers
from ultrarm_eval.stats.checks import ROUNDING
from ultrarm_eval.stats.clustered import UNBOUNDED, clustered_interval
from ultrarm_eval.stats.interval import Interval
from ultrarm_eval.stats.significance import FEWEST_PROMPTS, mcnemar_exact, sign_flip_test

MCNEMAR, SIGN_FLIP, UNPAIRED = "mcnemar", "sign-flip", "unpaired z"


@dataclass(frozen=True)
class Values:
    """The values of two runs for the same documents.

    Attributes:
        a: The first run's value of each.
        b: The second run's.
        prompts: Equal for documents with the same prompt.
        are_single: Whether each document is one pair, or correct or incorrect as a whole.
        are_shares: Whether values range from 0 to 1.
    """

    a: Numbers
    b: Numbers
    prompts: Indices
    are_single: bool
    are_shares: bool


@dataclass(frozen=True)
class Difference:
    """A difference between two runs, the second minus the first.

    Attributes:
        figure_a: The first run's value.
        figure_b: The second run's value.
        value: The second minus the first.
        interval: Its 95 % interval; None where the data are too few, or all differ alike.
        test: "mcnemar", "sign-flip" or "unpaired z"; None where no test is possible.
        p_value: The test's two-sided p-value of no difference.
        documents: How many documents it is over; None where the runs do not agree.
        prompts: How many prompts these have; None for an unpaired difference.
        a_higher: On how many prompts the first run is higher.
        b_higher: On how many the second is.
        is_constant: Whether it has no interval because all prompts differ alike in a metric without
            bounds: how much other prompts may differ is unknown.
    """

    figure_a: float
    figure_b: float
    value: float
    interval: Interval | None
    test: str | None
    p_value: float | None
    documents: int | None
    prompts: int | None = None
    a_higher: int | None = None
    b_higher: int | None = None
    is_constant: bool = False

    @property
    def is_paired(self) -> bool:
        """Whether it is over the same documents."""
        return self.prompts is not None


def paired_difference(values: Values) -> Difference:
    """The mean difference over documents, with an interval and a test over prompts.

    The test is McNemar's exact test where every document is one pair with its own prompt and no
    half credit. Otherwise it is the sign-flip test on the differences summed by prompt: their total
    is 0 exactly where the mean difference is.

    Args:
        values: Of at least one document, none NaN.
    """
    unit = _unit(values.a, values.b)
    differences = without_rounding(values.a, values.b)
    sums = np.bincount(values.prompts, differences)
    sums[np.abs(sums) <= ROUNDING * unit * len(differences)] = 0
    a_higher, b_higher = int((sums < 0).sum()), int((sums > 0).sum())
    has_halves = not np.isin([values.a, values.b], (0, 1)).all()
    if values.are_single and len(sums) == len(differences) and not has_halves:
        test, p_value = MCNEMAR, mcnemar_exact(a_higher, b_higher)
    else:
        test, p_value = SIGN_FLIP, sign_flip_test(sums)
    bounds = (-1.0, 1.0) if values.are_shares else UNBOUNDED
    interval = clustered_interval(differences, values.prompts, bounds=bounds)
    return Difference(
        float(values.a.mean()),
        float(values.b.mean()),
        float(differences.mean()),
        interval,
        test,
        p_value,
        len(differences),
        len(sums),
        a_higher,
        b_higher,
        is_constant=interval is None and len(sums) > 1,
    )


def without_rounding(a: Numbers, b: Numbers) -> Numbers:
    """The second values minus the first, 0 where they differ only by rounding.

    Otherwise a test could be decided by values that differ only by rounding.
    """
    differences: Numbers = b - a
    differences[np.abs(differences) <= ROUNDING * _unit(a, b)] = 0
    return differences


def _unit(a: Numbers, b: Numbers) -> float:
    return max(float(np.abs(a).max()), float(np.abs(b).max()), 1.0)


def unpaired_difference(
    a: Figure, b: Figure, documents: int | None, *, are_shares: bool
) -> Difference:
    """The difference of two values of which only the standard errors are known.

    The runs are treated as independent. On the same documents they are positively correlated: the
    interval is then too wide, and the test conservative.

    A share whose standard error is 0 has Wilson's interval, and half its width to either side
    stands for 1.96 standard errors (Zou and Donner 2008, doi:10.1002/sim.3095).

    Args:
        a: The first run's value.
        b: The second run's.
        documents: How many documents both are over.
        are_shares: Whether the values are shares.
    """
    difference = b.value - a.value
    of_a, of_b = _reach(a), _reach(b)
    if of_a is None or of_b is None:
        return Difference(a.value, b.value, difference, None, None, None, documents)
    below, above = float(np.hypot(of_b[0], of_a[1])), float(np.hypot(of_b[1], of_a[0]))
    low, high = difference - below, difference + above
    if are_shares:
        low, high = max(low, -1.0), min(high, 1.0)
    interval = Interval(low, high, 0.95, "normal, unpaired")
    error = (below if difference > 0 else above) / TWO_SIDED_95
    p_value = min(1.0, 2 * float(ndtr(-abs(difference) / error))) if difference else 1.0
    return Difference(a.value, b.value, difference, interval, UNPAIRED, p_value, documents)


def _reach(one: Figure) -> tuple[float, float] | None:
    """How far the interval of a value reaches below and above it, if nothing bounds it.

    Returns:
        None where it is unknown: equal values of few documents show nothing.
    """
    if one.stderr is None:
        return None
    if one.stderr > 0:
        return TWO_SIDED_95 * one.stderr, TWO_SIDED_95 * one.stderr
    if one.interval is None or (one.documents or 0) < FEWEST_PROMPTS:
        return None
    return one.value - one.interval.low, one.interval.high - one.value
