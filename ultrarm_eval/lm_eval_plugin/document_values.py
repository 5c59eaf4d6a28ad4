"""What a document's metrics are handed to the harness as, so that every Python adds them alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def uncompensated(values: Mapping[str, Any]) -> dict[str, Any]:
    """A document's metrics with their floats as numpy's, and the others as they are."""
    return {name: uncompensated_value(value) for name, value in values.items()}


def uncompensated_value(value: Any) -> Any:
    """A float as numpy's float64, which is one too; anything else as it is.

    The harness's mean and its standard error add by the built-in `sum`. From Python 3.12 on that
    compensates what is lost in rounding, but for objects whose type is `float` itself alone. Others
    are added one by one as before, so a figure has the same last digit in every Python.
    """
    return np.float64(value) if type(value) is float else value
