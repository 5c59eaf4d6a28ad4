"""Two runs on one task: what can be compared, and the differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ultrarm_eval.compare.composites import benchmark_figures, composite_difference, own_means
from ultrarm_eval.compare.difference import (
    Difference,
    Values,
    paired_difference,
    unpaired_difference,
)
from ultrarm_eval.runs.figure import is_share
from ultrarm_eval.runs.matching import MatchedDocuments
from ultrarm_eval.runs.sample import REFERENCE
from ultrarm_eval.runs.samples import Numbers, Samples
from ultrarm_eval.runs.task_result import MAIN_METRIC, TaskResult
from ultrarm_eval.stats.significance import FEWEST_PROMPTS

#: The dimensions by which the documents of a task can be split.
DIMENSIONS = ("source", "category", "aspect")
#: The dimension of a benchmark's own metrics.
FIGURE = "figure"
_WIN_RATE = "win_rate"
_NOT_GIVEN = "not given"


@dataclass(frozen=True)
class Side:
    """One of two runs on a task.

    Attributes:
        letter: The run's letter.
        result: Its result on the task.
        observed: Its samples; None where there are none.
    """

    letter: str
    result: TaskResult
    observed: Samples | None

    @property
    def measure(self) -> tuple[str, str | None]:
        """The metric of its documents' values and the filter, if recorded."""
        if self.observed is not None and self.observed.kind == REFERENCE:
            return _WIN_RATE, None
        main = self.result.main_figure
        return (MAIN_METRIC, None) if main is None else (main.metric, main.filter)

    def higher_is_better(self, metric: str) -> bool | None:
        """Whether a higher value is better; None if not recorded."""
        # Results of older versions do not contain it.
        if metric in (MAIN_METRIC, _WIN_RATE):
            return True
        return self.result.higher_is_better(metric)


@dataclass(frozen=True)
class Part:
    """A difference on a task or a subset of it.

    Attributes:
        metric: The metric.
        are_shares: Whether its values are shares.
        higher_is_better: Whether a higher value is better; None if not recorded.
        dimension: The dimension of the split (`source`); None for the whole task.
        name: The subset's name; None for the whole task.
        difference: The difference.
        members: A group's tasks.
        weighting: How a group's value is aggregated from its tasks; None for a task.
    """

    metric: str
    are_shares: bool
    higher_is_better: bool | None
    dimension: str | None
    name: str | None
    difference: Difference
    members: tuple[str, ...] = ()
    weighting: str | None = None

    @property
    def is_too_small(self) -> bool:
        """Whether it is a subset with too few prompts to test."""
        is_part = self.dimension in DIMENSIONS
        return is_part and (self.difference.prompts or 0) < FEWEST_PROMPTS


def have_same_measure(a: Side, b: Side) -> bool:
    """Whether the values of two runs' documents are of the same metric."""
    (metric_a, filter_a), (metric_b, filter_b) = a.measure, b.measure
    return metric_a == metric_b and (filter_a == filter_b or None in (filter_a, filter_b))


def paired_parts(a: Side, b: Side, matched: MatchedDocuments, by: Sequence[str]) -> list[Part]:
    """The differences on all matched documents, on a benchmark's metrics, then on subsets.

    Args:
        a: The first run, with samples.
        b: The second run, with samples.
        matched: The documents they have in common.
        by: Dimensions of the subsets.

    Returns:
        The differences; none where no document has a value in both runs.
    """
    if a.observed is None or b.observed is None or not len(matched):
        return []
    of_a, of_b = a.observed, b.observed
    values = of_a.documents.value.to_numpy()[matched.a], of_b.documents.value.to_numpy()[matched.b]
    have_both = ~np.isnan(values[0]) & ~np.isnan(values[1])
    if not have_both.any():
        return list(_composite_part(a, b, matched))
    known = np.concatenate([column[have_both] for column in values])
    are_single = _are_single(of_a, of_b, matched)
    metric = a.measure[0]
    # The values of our own tasks' documents are accuracies or win rates.
    named = is_share(metric) or of_a.kind is not None
    are_shares = named and bool(known.min() >= 0 and known.max() <= 1)
    direction = direction_of(a, b, metric)

    def part(mask: NDArray[np.bool_], pair: tuple[Numbers, Numbers]) -> Difference | None:
        mask = mask & ~np.isnan(pair[0]) & ~np.isnan(pair[1])
        if not mask.any():
            return None
        prompts = np.unique(matched.prompts[mask], return_inverse=True)[1]
        single = are_single and pair is values
        return paired_difference(Values(pair[0][mask], pair[1][mask], prompts, single, are_shares))

    everything = np.ones(len(matched), np.bool_)
    found: list[tuple[str | None, str | None, Difference | None]] = [
        (None, None, part(everything, values))
    ]
    for dimension in by:
        if dimension == "aspect":
            for name, pair in _by_aspect(of_a, of_b, matched):
                found.append((dimension, name, part(everything, pair)))
        else:
            for name, mask in _by_part(of_a, matched, dimension):
                found.append((dimension, name, part(mask, values)))
    whole, *parts = [
        Part(metric, are_shares, direction, dimension, name, difference)
        for dimension, name, difference in found
        if difference is not None
    ]
    return [whole, *_of_figures(a, b, matched), *parts]


def _composite_part(a: Side, b: Side, matched: MatchedDocuments) -> Iterator[Part]:
    """The difference on a subset whose accuracy is no mean over documents, as on Ties."""
    if a.observed is not None and b.observed is not None:
        means = own_means(a.observed, b.observed, matched)
        if means:
            metric = a.measure[0]
            found = composite_difference(means, are_shares=True)
            yield Part(metric, True, direction_of(a, b, metric), None, None, found)


def _of_figures(a: Side, b: Side, matched: MatchedDocuments) -> Iterator[Part]:
    """A benchmark's own metrics, such as its sections."""
    if a.observed is None or b.observed is None:
        return
    for name, means in benchmark_figures(a.observed, b.observed, matched):
        found = composite_difference(means, are_shares=True)
        yield Part(name, True, direction_of(a, b, name), FIGURE, name, found)


def unpaired_part(a: Side, b: Side) -> Part | None:
    """The difference of the two runs' values; None where they have no metric in common."""
    results = a.result, b.result
    common = [
        key
        for key in a.result.metrics
        if key in b.result.metrics
        and all(np.isfinite(result.figure(key).value) for result in results)
    ]
    if not common:
        return None
    ours = [key for key in common if key.partition(",")[0] == MAIN_METRIC]
    key = (ours or common)[0]
    metric = key.partition(",")[0]
    first, second = (result.figure(key) for result in results)
    counts = {side.result.documents for side in (a, b)}
    documents = counts.pop() if len(counts) == 1 else None
    are_shares = is_share(metric) and all(0 <= one.value <= 1 for one in (first, second))
    return Part(
        metric,
        are_shares,
        direction_of(a, b, metric),
        None,
        None,
        unpaired_difference(first, second, documents, are_shares=are_shares),
    )


def direction_of(a: Side, b: Side, metric: str) -> bool | None:
    """Whether a higher value of a metric is better; None if not recorded or contradictory."""
    said = {side.higher_is_better(metric) for side in (a, b)} - {None}
    return said.pop() if len(said) == 1 else None


def _are_single(a: Samples, b: Samples, matched: MatchedDocuments) -> bool:
    """Whether every matched document is one pair, or correct or incorrect as a whole."""
    for observed, numbers in ((a, matched.a), (b, matched.b)):
        pairs = np.bincount(observed.pairs.document, minlength=len(observed.documents))
        if observed.kind is not None and (pairs[numbers] != 1).any():
            return False
    return True


def _by_aspect(
    a: Samples, b: Samples, matched: MatchedDocuments
) -> Iterator[tuple[str, tuple[Numbers, Numbers]]]:
    for name in a.aspects.columns.intersection(b.aspects.columns, sort=False):
        yield name, (a.aspects[name].to_numpy()[matched.a], b.aspects[name].to_numpy()[matched.b])


def _by_part(
    observed: Samples, matched: MatchedDocuments, dimension: str
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    # A document belongs to the same subset in every run.
    if dimension in observed.parts:
        column = observed.parts[dimension].to_numpy()[matched.a]
        for name in sorted(set(column)):
            yield name or _NOT_GIVEN, column == name
