"""How a benchmark's figure is made of means over its items, so that two judges' can be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias


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
        return sum(self.values) / len(self.values)

    def times(self, factor: float) -> WeightedMean:
        """The same with another weight."""
        return WeightedMean(self.weight * factor, self.items, self.values)


#: The means that a figure is the weighted sum of, from the evidence of the items; none where it is
#: not defined. Weights and items depend on the data alone, and values on the judge.
Composition: TypeAlias = Callable[[Sequence[Any]], list[WeightedMean]]


def places_by_subset(evidence: Iterable[Sequence[Any]]) -> dict[str, list[int]]:
    """Where the items of each subset stand."""
    found: dict[str, list[int]] = {}
    for place, one in enumerate(evidence):
        found.setdefault(one[0], []).append(place)
    return found


def mean_of(places: Sequence[int], values: Iterable[float], weight: float = 1.0) -> WeightedMean:
    """The mean of one value for each item."""
    return WeightedMean(weight, tuple((place,) for place in places), tuple(values))


def weighted_subsets(weights: Mapping[str, float], evidence: Sequence[Any]) -> list[WeightedMean]:
    """The mean credits of subsets, weighted, over those that occur."""
    places = {s: where for s, where in places_by_subset(evidence).items() if s in weights}
    total = sum(weights[subset] for subset in places)
    return [
        mean_of(places[subset], (evidence[i][1] for i in places[subset]), weights[subset] / total)
        for subset in weights
        if subset in places
    ]


def mean_of_figures(figures: Iterable[Composition], evidence: Sequence[Any]) -> list[WeightedMean]:
    """The plain mean of figures; none where one of them is not defined."""
    found = [figure(evidence) for figure in figures]
    if not all(found):
        return []
    return [mean.times(1 / len(found)) for means in found for mean in means]
