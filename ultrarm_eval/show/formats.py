"""Formats of values, counts and times: the same on a page, in Markdown and on a terminal."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ultrarm_eval.runs.figure import Figure
    from ultrarm_eval.stats.interval import Interval

#: Stands for a missing value.
NONE = "\N{EN DASH}"
_DIGIT_SPACE = "\N{FIGURE SPACE}"
# One of a million documents, in percent.
_MOST_DIGITS = 4
_MINUS = "\N{MINUS SIGN}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share in percent; only all reads 100.0 and only none 0.0."""
    return NONE if value is None or math.isnan(value) else f"{_percents(value, digits)} %"


def _percents(share: float, digits: int = 1) -> str:
    scaled = 100 * share
    # A share that differs from all or none by rounding errors alone keeps its digits.
    while round(scaled, digits) in (0, 100) and round(scaled, _MOST_DIGITS) not in (0, 100):
        digits += 1
    return f"{round(scaled, digits) + 0.0:.{digits}f}"


def number(value: float | None, digits: int = 3) -> str:
    """A number."""
    return NONE if value is None or math.isnan(value) else f"{value:.{digits}f}"


def count(value: object) -> str:
    """A count with a comma between thousands; a value that is not a number stays as it is."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NONE
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}"


def p_value(value: float | None) -> str:
    """A p-value, to a meaningful precision."""
    if value is None:
        return NONE
    if value < 0.0001:
        return "< 0.0001"
    return f"{value:.4f}" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def quantity(value: float | None, is_share: bool) -> str:
    """A value with its unit: a share in percent, or a number to three decimal places."""
    if is_share or value is None or math.isnan(value):
        return percent(value)
    return difference(value, False)


def interval(found: Interval | None, is_share: bool) -> str:
    """An interval in words, of a share in percent."""
    return NONE if found is None else " to ".join(quantity(end, is_share) for end in found.ends)


def figure_value(figure: Figure | None) -> str:
    """A figure's value with its unit."""
    return NONE if figure is None else quantity(figure.value, figure.is_share)


def figure_interval(figure: Figure | None) -> str:
    """A figure's 95 % interval in words."""
    return NONE if figure is None else interval(figure.interval, figure.is_share)


def cell_value(value: float, is_share: bool) -> str:
    """A value for a narrow cell: a share in percent without the sign, a number by its size."""
    if is_share:
        return _percents(value).replace("-", _MINUS)
    digits = 0 if abs(value) >= 1000 else 3 if abs(value) < 10 else 1
    text = f"{value:.{digits}f}" if abs(value) < 1e9 else f"{value:.3g}"
    return text.replace("-", _MINUS)


def cell_interval(figure: Figure) -> str:
    """Half the width of a value's interval, or its ends if asymmetric; empty without one."""
    if figure.interval is None:
        return ""
    low, high = figure.interval.ends
    down, up = figure.value - low, high - figure.value
    if math.isclose(down, up, rel_tol=1e-3, abs_tol=1e-9):
        half = cell_value(up, figure.is_share)
        # As wide as 10.0, so that the values stand below each other.
        return f"±{half.rjust(4, _DIGIT_SPACE)}" if figure.is_share else f"± {half}"
    return " to ".join(cell_value(end, figure.is_share) for end in (low, high))


def difference(value: float, are_shares: bool, *, signed: bool = False) -> str:
    """A difference without its unit: to a tenth of a point, or to three decimal places."""
    scaled, digits = (100 * value, 1) if are_shares else (value, 3)
    rounded = round(scaled, digits)
    sign = "+" if signed else ""
    # A nonzero value never reads 0.0, and zero never reads -0.0.
    if scaled and not rounded:
        return f"{scaled:{sign}.1g}"
    return f"{rounded + 0.0:{sign}.{digits}f}"


def amount(value: float, are_shares: bool, *, signed: bool = False) -> str:
    """A difference with its unit: percentage points, or none."""
    return difference(value, are_shares, signed=signed) + (" points" if are_shares else "")


def difference_interval(found: Interval | None, are_shares: bool, *, signed: bool = False) -> str:
    """The interval of a difference in words, without its unit."""
    if found is None:
        return NONE
    return " to ".join(difference(end, are_shares, signed=signed) for end in found.ends)


def date(moment: datetime) -> str:
    """A moment for a reader, to the minute."""
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def iso_date(moment: datetime) -> str:
    """A moment in UTC for a program, ISO 8601 to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
