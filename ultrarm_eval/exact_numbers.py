"""Numbers as data write them: in JSON, in a table, or as text."""

from __future__ import annotations

import functools
import math
import re
from decimal import Decimal
from fractions import Fraction

# No exponent and no fraction: "1e999999999" would take all memory, and "4/5" means four of five.
_DECIMAL = re.compile(r"[+-]?\d{1,15}(\.\d{0,30})?")


def exact_number(given: object) -> Fraction | None:
    """A number exactly as it is written, so that 4.3 is 43/10.

    Args:
        given: A number, or its decimal spelling.

    Returns:
        The number; None if it is none, not finite, or a truth value.
    """
    if isinstance(given, bool) or not isinstance(given, int | float | str | Decimal):
        return None
    return _parse(given)


@functools.lru_cache(maxsize=4096)
def _parse(given: int | float | str | Decimal) -> Fraction | None:
    if isinstance(given, str):
        text = given.strip()
        return Fraction(text) if _DECIMAL.fullmatch(text) else None
    if not math.isfinite(given):
        return None
    if isinstance(given, float):
        return Fraction(float.__repr__(given))
    return Fraction(given)
