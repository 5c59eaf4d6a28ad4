"""Makes the sums over a document's metrics equal in all Python versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def uncompensated(values: Mapping[str, Any]) -> dict[str, Any]:
    """A document's metrics, with floats converted to numpy's."""
    return {name: uncompensated_value(value) for name, value in values.items()}


def uncompensated_value(value: Any) -> Any:
    """A float as numpy's float64, which is also a float; anything else unchanged.

    The harness's mean and standard error use the built-in `sum`. Since Python 3.12 it compensates
    rounding errors, but only for objects whose type is exactly `float`. Others are added one by one
    as before, so a result has the same last digit in every Python version.
    """
    return np.float64(value) if type(value) is float else value
