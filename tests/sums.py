"""The built-in `sum` as it is in Python 3.12 and later, and as it was before."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterable
from typing import Any


def one_by_one(added: Iterable[Any], /, start: Any = 0) -> Any:
    """Rounds after each addition."""
    return functools.reduce(operator.add, added, start)


def compensated(added: Iterable[Any], /, start: Any = 0) -> Any:
    """Rounds once, where all are whole numbers and floats themselves, and not subclasses."""
    items = [start, *added]
    if {float} <= {type(item) for item in items} <= {float, int, bool}:
        return math.fsum(items)
    return one_by_one(items[1:], start)


SUMS: dict[str, Callable[..., Any]] = {"one by one": one_by_one, "compensated": compensated}
