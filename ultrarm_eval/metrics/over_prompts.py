"""Aggregates the values of prompts into one metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Metric",
    "pooled_accuracy",
    "mean_with_error",
    "mean_where_defined",
    "length_controlled_accuracy",
]


@dataclass(frozen=True)
class Metric:
    """How a metric is aggregated from the values of documents, and its direction.

    Attributes:
        figure: Aggregates the values, None where undefined; without one it is their mean, which has
            a standard error.
        may_be_undefined: Whether a document's value may be undefined (None). The metric is the mean
            over the others, and the number of undefined values is reported.
        is_of_some: Whether it is only over some documents; the others have None.
        higher_is_better: None where neither direction is better.
    """

    figure: Callable[[Sequence[Any]], float | None] | None = None
    may_be_undefined: bool = False
    is_of_some: bool = False
    higher_is_better: bool | None = True


def pooled_accuracy(outcomes: Iterable[tuple[float, int]]) -> float:
    """The share of all pairs ranked correctly, so that prompts with more pairs weigh more.

    Args:
        outcomes: (credit, number of pairs) of each prompt, with at least one pair in all.
    """
    items = list(outcomes)
    return math.fsum(credit for credit, _ in items) / sum(pairs for _, pairs in items)


def mean_with_error(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean of prompts' values, and its standard error; None for a single value.

    It is the same to the last digit in every Python, which `statistics.stdev` is not in 3.10.

    Args:
        values: The values, at least one.
    """
    mean, n = math.fsum(values) / len(values), len(values)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return mean, math.sqrt(squares / (n - 1) / n) if n > 1 else None


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


def length_controlled_accuracy(splits: Iterable[Sequence[float]]) -> float | None:
    """The mean of the accuracy where the chosen answer is longer and where it is shorter.

    Both sides are weighted equally, so a judge that follows only length gets 0.5, however often the
    chosen answer is the longer one.

    Args:
        splits: A `LengthSplit`, or its four numbers, of each prompt.

    Returns:
        The mean over both sides, each pooled over its pairs; None where a side has no pair.
    """
    longer_credit, longer_pairs, shorter_credit, shorter_pairs = 0.0, 0, 0.0, 0
    for split in splits:
        longer_credit += split[0]
        longer_pairs += int(split[1])
        shorter_credit += split[2]
        shorter_pairs += int(split[3])
    if not longer_pairs or not shorter_pairs:
        return None
    return (longer_credit / longer_pairs + shorter_credit / shorter_pairs) / 2
