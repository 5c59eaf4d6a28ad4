"""Numbers in third-party values."""

from __future__ import annotations

import math
from typing import Any


def finite(value: Any, *, spelled: bool = True) -> float | None:
    """A finite number; None for anything else, as for what is beyond a float.

    Args:
        value: The value.
        spelled: Whether a number written as text is accepted.
    """
    kinds = (int, float, str) if spelled else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
