"""A benchmark: how its rows are read, and what a judge earns on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ultrarm_eval.benchmarks.choice import Choice, Document
from ultrarm_eval.benchmarks.composition import Composition
from ultrarm_eval.data.records import DataCounts
from ultrarm_eval.data.rows import Location, Row

#: The credit of an item: from its document, its completions' rewards, and what a tie is worth.
Credit: TypeAlias = Callable[[Document, Sequence[float], float], float]
#: What figures over several items need of one: from its document, its rewards and its credit.
Evidence: TypeAlias = Callable[[Document, Sequence[float], float], Any]
#: A figure over items, from the evidence of each; None where it is not defined.
Figure: TypeAlias = Callable[[Sequence[Any]], float | None]


def half(_: Document) -> float:
    """What a tied pair is worth where nothing else is said."""
    return 0.5


def subset_and_credit(document: Document, _: Sequence[float], credit: float) -> list[Any]:
    """The evidence of figures that are made of the credits in each subset."""
    return [document["subset"], credit]


@dataclass(frozen=True)
class Suite:
    """A benchmark.

    Attributes:
        name: Its name in task files.
        describes: The columns of its rows, in words, for messages.
        read_row: Turns a row into an item, or returns None and counts why not.
        credit: What a judge earns on an item, from 0 to 1; the mean over items is `acc`.
        ties: What equal rewards are worth officially: `half` or `wrong`, or None where the
            benchmark has a rule of its own that no option replaces.
        figures: Figures over all items beside `acc`, by name.
        evidence: What these need of an item.
        file_names: What its file is called on the hub, where that is not the split's name.
        subset_figures: Subsets whose own figure is no mean of credits; it is their `acc`.
        compositions: Of each figure the means that it is the weighted sum of.
        subset_compositions: The same of the subsets' own figures.
        pair_tie: What a right and a wrong completion with equal rewards are worth among the pairs,
            from their document, where the benchmark has a rule of its own for equal rewards.
    """

    name: str
    describes: str
    read_row: Callable[[Row, Location, DataCounts], Choice | None]
    credit: Credit
    ties: str | None
    figures: Mapping[str, Figure] = field(default_factory=dict)
    evidence: Evidence = subset_and_credit
    file_names: tuple[str, ...] = ()
    subset_figures: Mapping[str, Figure] = field(default_factory=dict)
    compositions: Mapping[str, Composition] = field(default_factory=dict)
    subset_compositions: Mapping[str, Composition] = field(default_factory=dict)
    pair_tie: Callable[[Document], float] = half


def mean_by_subset(evidence: Sequence[Any]) -> dict[str, float]:
    """The mean credit of each subset that occurs."""
    credits_of: dict[str, list[float]] = {}
    for subset, credit, *_ in evidence:
        credits_of.setdefault(subset, []).append(credit)
    return {subset: sum(each) / len(each) for subset, each in credits_of.items()}
