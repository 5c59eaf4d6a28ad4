"""How the values of prompts become one figure."""

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
    """How one figure is made of the values of documents, and which way it gets better.

    Attributes:
        figure: Makes it of the values, None where it is not defined; without one it is their mean,
            which has a standard error.
        may_be_undefined: Documents may leave it undefined (None). It is the mean over the others,
            and how many leave it undefined is told.
        is_of_some: It is of some documents alone; the others have None.
        higher_is_better: None where neither way is better.
    """

    figure: Callable[[Sequence[Any]], float | None] | None = None
    may_be_undefined: bool = False
    is_of_some: bool = False
    higher_is_better: bool | None = True


def pooled_accuracy(outcomes: Iterable[tuple[float, int]]) -> float:
    """The share of all pairs ordered rightly, prompts with more pairs weighing more.

    Args:
        outcomes: (credit, number of pairs) of each prompt, with at least one pair in all.
    """
    items = list(outcomes)
    return math.fsum(credit for credit, _ in items) / sum(pairs for _, pairs in items)


def mean_with_error(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean of prompts' values, and its standard error; None where there is one value alone.

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

    Both sides weigh the same, so a judge that follows length alone gets 0.5 however often the
    better answer is the longer one.

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
