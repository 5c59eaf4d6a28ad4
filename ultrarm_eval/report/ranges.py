"""Ranges of a measured quantity, few enough for a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ultrarm_eval.runs.samples import Numbers

Mask = NDArray[np.bool_]

_RANGES = 5


def ranges(values: Numbers, unit: str) -> list[tuple[str, Mask]]:
    """Ranges of about equally many values, or each value where there are few.

    Args:
        values: The values, without NaN.
        unit: Their unit.

    Returns:
        The name of each range and which values are in it; every value is in one.
    """
    distinct = np.unique(values)
    suffix = f" {unit}" if unit else ""
    if len(distinct) <= _RANGES:
        return [(f"{_spelled(value)}{suffix}", values == value) for value in distinct]
    inner = np.quantile(values, np.arange(1, _RANGES) / _RANGES, method="inverted_cdf")
    # A value that ends several ranges, or is the greatest, does not make a further range.
    ends = [end for end in np.unique(inner) if end < distinct[-1]]
    found = []
    above = -np.inf
    for end in [*ends, distinct[-1]]:
        mask = (values > above) & (values <= end)
        low, high = values[mask].min(), end
        name = _spelled(low) if low == high else f"{_spelled(low)} to {_spelled(high)}"
        found.append((f"{name}{suffix}", mask))
        above = end
    return found


def _spelled(value: float) -> str:
    return f"{value:.0f}" if value == round(value) else f"{value:.3g}"
