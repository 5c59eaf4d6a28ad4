"""What a judge earns on an item of a benchmark, and the figures that are made of it.

A figure is a weighted sum of means over items, so that it has a value and two judges' can be
compared item by item.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ultrarm_eval.documents.document import Document
from ultrarm_eval.errors import ScoringError

__all__ = [
    "Figure",
    "WeightedMean",
    "best_of_k_credit",
    "first_over_second",
    "mean_of",
    "mean_of_figures",
    "pair_credit",
    "value_of",
    "weighted_subsets",
]


@dataclass(frozen=True)
class WeightedMean:
    """A mean over items, and its weight in a figure.

    Attributes:
        weight: The weight.
        items: Of each value the places of the items that it is of.
        values: The values.
    """

    weight: float
    items: tuple[tuple[int, ...], ...]
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean of the values."""
        return statistics.fmean(self.values)

    def times(self, factor: float) -> WeightedMean:
        """The same with another weight."""
        return WeightedMean(self.weight * factor, self.items, self.values)


#: The means that a figure is the weighted sum of, from the evidence of the items; none where it is
#: not defined. Weights and items depend on the data alone, and values on the judge.
Figure: TypeAlias = Callable[[Sequence[Any]], list[WeightedMean]]


def value_of(means: Sequence[WeightedMean]) -> float | None:
    """The value of a figure; None where it is not defined."""
    return math.fsum(one.weight * one.mean for one in means) if means else None


def mean_of(places: Sequence[int], values: Iterable[float], weight: float = 1.0) -> WeightedMean:
    """The mean of one value for each item."""
    return WeightedMean(weight, tuple((place,) for place in places), tuple(values))


def weighted_subsets(weights: Mapping[str, float], evidence: Sequence[Any]) -> list[WeightedMean]:
    """The mean credits of subsets, weighted, over those that occur.

    Args:
        weights: The weight of each subset.
        evidence: (subset, credit, ...) of each item.
    """
    places: dict[str, list[int]] = {}
    for place, (subset, *_) in enumerate(evidence):
        if subset in weights:
            places.setdefault(subset, []).append(place)
    total = math.fsum(weights[subset] for subset in places)
    return [
        mean_of(places[subset], (evidence[i][1] for i in places[subset]), weights[subset] / total)
        for subset in weights
        if subset in places
    ]


def mean_of_figures(figures: Iterable[Figure], evidence: Sequence[Any]) -> list[WeightedMean]:
    """The plain mean of figures; none where one of them is not defined."""
    found = [figure(evidence) for figure in figures]
    if not all(found):
        return []
    return [mean.times(1 / len(found)) for means in found for mean in means]


def pair_credit(chosen: float, rejected: float, tie: float) -> float:
    """1 where the chosen completion has the higher reward, `tie` where both are equal, else 0."""
    return tie if chosen == rejected else float(chosen > rejected)


def first_over_second(_: Document, rewards: Sequence[float], tie: float) -> float:
    """The credit of an item that is one pair."""
    chosen, rejected = rewards
    return pair_credit(chosen, rejected, tie)


def best_of_k_credit(rewards: Sequence[float]) -> float:
    """1 where the first completion has the highest reward, 1/m where m share it with it, else 0.

    RewardBench 2's rule for its items of one right and three wrong completions
    (rewardbench 0.1.4, `utils.reroll_and_score_dataset`).
    """
    best = max(rewards)
    return 1 / sum(reward == best for reward in rewards) if rewards[0] == best else 0.0


def tie_share(rewards: Sequence[float], correct: int) -> float:
    """The share of pairs of a right and a wrong completion that have equal rewards."""
    pairs = [(right, wrong) for right in rewards[:correct] for wrong in rewards[correct:]]
    return sum(right == wrong for right, wrong in pairs) / len(pairs)


def require_finite(rewards: Sequence[float]) -> None:
    """Refuses rewards that cannot be compared.

    Raises:
        ScoringError: One is not a finite number.
    """
    for index, reward in enumerate(rewards):
        if not math.isfinite(reward):
            raise ScoringError(
                f"Completion {index} has the reward {float(reward)}; a judge has to give every "
                "completion a finite number."
            )
