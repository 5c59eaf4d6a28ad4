"""How the values of prompts become one figure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def pooled_accuracy(outcomes: Iterable[tuple[float, int]]) -> float:
    """The share of all pairs ordered rightly, prompts with more pairs weighing more.

    Args:
        outcomes: (credit, number of pairs) of each prompt, with at least one pair in all.
    """
    items = list(outcomes)
    return math.fsum(credit for credit, _ in items) / sum(pairs for _, pairs in items)


def mean_where_defined(values: Sequence[float | None]) -> tuple[float | None, int]:
    """The mean over the prompts that have a value.

    Args:
        values: The value of each prompt; None where it has none.

    Returns:
        The mean, None where no prompt has a value, and the number of prompts without one.
    """
    defined = [value for value in values if value is not None]
    mean = math.fsum(defined) / len(defined) if defined else None
    return mean, len(values) - len(defined)
