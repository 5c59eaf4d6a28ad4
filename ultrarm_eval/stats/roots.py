"""The root of a function between two places, by Brent's method."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

from ultrarm_eval.errors import ScoringError

# A root far below 1 is found by bisection, one bit per step.
_MOST_STEPS = 2000
# As precise as a double is.
_ABSOLUTE, _RELATIVE = sys.float_info.min, 4 * sys.float_info.epsilon


def root_between(function: Callable[[float], float], low: float, high: float) -> float:
    """The root of a function whose values at two places have different signs.

    Brent's method (Brent 1973, chapter 4) step by step as scipy's `brentq`, with the same digits:
    `scipy.optimize` takes as long to import as a small report takes to compute.

    Args:
        function: The function.
        low: One place.
        high: The other.

    Raises:
        ScoringError: The values have the same sign.
    """
    before, at = low, high
    value_before, value = function(before), function(at)
    if value_before == 0:
        return before
    if value == 0:
        return at
    if _same_sign(value_before, value):
        raise ScoringError(
            f"The function has the same sign at {low} and {high}; give places on both sides of its "
            "root."
        )
    # The root is always between `at`, the best place so far, and `across`.
    across, value_across = before, value_before
    step_before = step = at - before
    for _ in range(_MOST_STEPS):
        if value_before != 0 and value != 0 and not _same_sign(value_before, value):
            across, value_across = before, value_before
            step_before = step = at - before
        if abs(value_across) < abs(value):
            before, at, across = at, across, at
            value_before, value, value_across = value, value_across, value
        least = (_ABSOLUTE + _RELATIVE * abs(at)) / 2
        half = (across - at) / 2
        if value == 0 or abs(half) < least:
            return at
        tried = math.inf
        if abs(step_before) > least and abs(value) < abs(value_before):
            tried = _interpolated((before, at, across), (value_before, value, value_across))
        if 2 * abs(tried) < min(abs(step_before), 3 * abs(half) - least):
            step_before, step = step, tried
        else:
            step_before = step = half
        before, value_before = at, value
        at += step if abs(step) > least else math.copysign(least, half)
        value = function(at)
    return at


def _interpolated(places: tuple[float, float, float], values: tuple[float, float, float]) -> float:
    """The step to the root of the line or the parabola through the values; infinite for none."""
    before, at, across = places
    value_before, value, value_across = values
    if before == across:
        return -value * (at - before) / (value - value_before)
    slope_before = (value_before - value) / (before - at)
    slope_across = (value_across - value) / (across - at)
    divisor = slope_across * slope_before * (value_across - value_before)
    if divisor == 0:
        return math.inf
    return -value * (value_across * slope_across - value_before * slope_before) / divisor


def _same_sign(one: float, other: float) -> bool:
    return math.copysign(1.0, one) == math.copysign(1.0, other)
