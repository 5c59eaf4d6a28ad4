"""Exact numbers from JSON, tables or text."""

from __future__ import annotations

import functools
import math
import re
from decimal import Decimal
from fractions import Fraction

# No exponent and no fraction: "1e999999999" would take all memory, and "4/5" means four of five.
_DECIMAL = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{0,30})?")
# Ratings have a few digits. Beyond these powers of ten, sums and differences are no floats any
# more, and an exact fraction of a decimal with a large exponent takes all memory.
_LARGEST_POWER = 100
_LARGEST = 10**_LARGEST_POWER


def exact_number(given: object) -> Fraction | None:
    """A number exactly as it is written, so that 4.3 is 43/10.

    Args:
        given: A number, or its decimal spelling.

    Returns:
        The number; None if it is not a number, not finite, a boolean, or not below 10**100 in size.
    """
    if isinstance(given, bool):
        return None
    if isinstance(given, str):
        return _of_text(given) if len(given) <= _LARGEST_POWER else None
    if isinstance(given, int):
        return Fraction(given) if abs(given) < _LARGEST else None
    if isinstance(given, Decimal):
        return _of_decimal(given)
    return _of_float(given) if isinstance(given, float) else None


def exact_fraction(spelled: str) -> Fraction | None:
    """Parses a fraction as written by `str`, "13/3" or "4".

    Returns:
        The fraction; None for any other text, or if it is not below 10**100 in size.
    """
    parts = spelled.split("/") if len(spelled) <= 4 * _LARGEST_POWER else []
    if len(parts) not in (1, 2) or not all(re.fullmatch("-?[0-9]+", part) for part in parts):
        return None
    numerator, denominator = int(parts[0]), int(parts[-1]) if len(parts) == 2 else 1
    if denominator <= 0 or abs(numerator) >= _LARGEST * denominator:
        return None
    return Fraction(numerator, denominator)


@functools.lru_cache(maxsize=4096)
def _of_text(given: str) -> Fraction | None:
    text = given.strip()
    return Fraction(text) if _DECIMAL.fullmatch(text) else None


def _of_decimal(given: Decimal) -> Fraction | None:
    if not given.is_finite() or (given and abs(given.adjusted()) >= _LARGEST_POWER):
        return None
    return Fraction(given)


@functools.lru_cache(maxsize=4096)
def _of_float(given: float) -> Fraction | None:
    if not math.isfinite(given) or abs(given) >= _LARGEST:
        return None
    return Fraction(float.__repr__(given))
