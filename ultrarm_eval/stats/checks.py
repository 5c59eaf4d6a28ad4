"""Checks of all statistics: no numbers, invalid numbers, and impossible options."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ultrarm_eval.errors import ConfigurationError, ScoringError

FloatArray = NDArray[np.float64]
# Equal quantities computed in different ways differ by less than this: six sixths add up to
# 0.9999999999999999.
ROUNDING = 1e-12


def finite_numbers(values: ArrayLike, what: str, *, dimensions: int = 1) -> FloatArray:
    """The values as an array of floats, at least one along the first dimension.

    Args:
        values: Anything numpy can read as numbers.
        what: What one of them is, for the message ("margin").
        dimensions: The required number of dimensions.

    Raises:
        ScoringError: There are none, they have another shape, or one is not a finite number.
    """
    try:
        numbers = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise ScoringError(f"The {what}s cannot be read as numbers ({error}).") from error
    if numbers.ndim != dimensions:
        raise ScoringError(
            f"The {what}s have {numbers.ndim} dimensions; {dimensions} needed, the first of them "
            "over prompts or pairs."
        )
    if not len(numbers):
        raise ScoringError(f"There is no {what}; at least one is needed.")
    finite = np.isfinite(numbers)
    if not finite.all():
        place = _first(~finite)
        raise ScoringError(
            f"{what.capitalize()} {_shown(place)} is {numbers[place]}; a finite number is needed."
        )
    return numbers


def numbers_within(values: ArrayLike, what: str, low: float, high: float) -> FloatArray:
    """The values as an array, all of them from `low` to `high`; rounding beyond an end is cut off.

    Raises:
        ScoringError: As for `finite_numbers`, or one is out of the range.
    """
    numbers = finite_numbers(values, what)
    slack = [ROUNDING * max(1.0, abs(end)) for end in (low, high)]
    outside = (numbers < low - slack[0]) | (numbers > high + slack[1])
    if outside.any():
        place = _first(outside)
        raise ScoringError(
            f"{what.capitalize()} {_shown(place)} is {numbers[place]}; it must be from {low:g} to "
            f"{high:g}."
        )
    return np.clip(numbers, low, high)


def check_level(level: float) -> None:
    """Refuses an impossible confidence level.

    Raises:
        ConfigurationError: It does not lie between 0 and 1.
    """
    if not 0 < level < 1:
        raise ConfigurationError(
            f"The confidence level is {level}; it must be between 0 and 1, as in 0.95."
        )


def check_count(value: int, what: str, *, least: int = 1) -> None:
    """Refuses a count that is too small or not a whole number.

    Raises:
        ConfigurationError: It is.
    """
    if not is_whole(value) or value < least:
        raise ConfigurationError(
            f"The number of {what} is {value}; a whole number of at least {least} is needed."
        )


def generator(seed: int) -> np.random.Generator:
    """The random numbers of a seed.

    Raises:
        ConfigurationError: The seed is negative, or not a whole number.
    """
    if not is_whole(seed) or seed < 0:
        raise ConfigurationError(f"The seed is {seed}; a whole number of at least 0 is needed.")
    return np.random.default_rng(int(seed))


def is_whole(value: Any) -> bool:
    """Whether a number has no fraction; NaN and infinities are not whole."""
    try:
        return float(value).is_integer()
    except (TypeError, ValueError):
        return False


def _first(where: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(index) for index in np.unravel_index(where.argmax(), where.shape))


def _shown(place: tuple[int, ...]) -> str:
    return ", ".join(map(str, place))
