"""Two runs on a weighted sum of means: a benchmark's section, a group of tasks."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ultrarm_eval.benchmarks.figures import Figure
from ultrarm_eval.compare.difference import (
    SIGN_FLIP,
    Difference,
    Values,
    paired_difference,
    without_rounding,
)
from ultrarm_eval.runs.matching import MatchedDocuments
from ultrarm_eval.runs.sample import suite_of
from ultrarm_eval.runs.samples import Indices, Numbers, Samples
from ultrarm_eval.stats.checks import ROUNDING
from ultrarm_eval.stats.clustered import Stratum, stratified_interval
from ultrarm_eval.stats.significance import sign_flip_test


@dataclass(frozen=True)
class PairedMean:
    """The values of two runs for the same items, and the weight of their mean.

    Attributes:
        weight: The weight in the sum.
        a: The first run's values.
        b: The second run's.
        prompts: The prompts of each item, see `Samples.prompt_keys`.
        documents: How many documents the items are made of.
    """

    weight: float
    a: Numbers
    b: Numbers
    prompts: Sequence[tuple[Hashable, ...]]
    documents: int

    def times(self, factor: float) -> PairedMean:
        """The same with another weight."""
        return dataclasses.replace(self, weight=self.weight * factor)


def composite_difference(means: Sequence[PairedMean], *, are_shares: bool) -> Difference:
    """The difference of two runs' weighted sums, with an interval and a test clustered by prompt.

    The test is the sign-flip test on each prompt's contribution to the difference over all means:
    the differences of its documents, each times the weight of its mean divided by the number of
    items of that mean. Documents with the same prompt are one cluster, across all means.

    Args:
        means: The means, at least one, each of at least one item, without NaN.
        are_shares: Whether the values range from 0 to 1.
    """
    clusters = _clusters([prompts for mean in means for prompts in mean.prompts])
    starts = np.cumsum([0, *(len(mean.a) for mean in means)])
    of_each = [clusters[start:stop] for start, stop in itertools.pairwise(starts)]
    documents = sum(mean.documents for mean in means)
    if len(means) == 1 and means[0].weight == 1 and (not are_shares or _are_shares(means[0])):
        (only,) = means
        found = paired_difference(Values(only.a, only.b, clusters, False, are_shares))
        return dataclasses.replace(found, documents=documents)
    differences = [without_rounding(mean.a, mean.b) for mean in means]
    sums = np.zeros(int(clusters.max()) + 1)
    size = 0.0
    for mean, members, values in zip(means, of_each, differences, strict=True):
        added = mean.weight / len(values) * values
        sums += np.bincount(members, added, len(sums))
        size += float(np.abs(added).sum())
    sums[np.abs(sums) <= ROUNDING * size] = 0
    figures = [
        math.fsum(mean.weight * float(side.mean()) for mean, side in zip(means, sides, strict=True))
        for sides in ([mean.a for mean in means], [mean.b for mean in means])
    ]
    strata = [
        Stratum(mean.weight, values, members, _bounds(mean, are_shares=are_shares))
        for mean, members, values in zip(means, of_each, differences, strict=True)
    ]
    interval = stratified_interval(strata, bounds=(-1.0, 1.0) if are_shares else None)
    return Difference(
        figures[0],
        figures[1],
        math.fsum(one.weight * one.mean for one in strata),
        interval,
        SIGN_FLIP,
        sign_flip_test(sums),
        documents,
        len(sums),
        int((sums < 0).sum()),
        int((sums > 0).sum()),
        is_constant=interval is None and all(len(set(one.tolist())) > 1 for one in of_each),
    )


def benchmark_figures(
    a: Samples, b: Samples, matched: MatchedDocuments
) -> Iterator[tuple[str, list[PairedMean]]]:
    """The benchmark's metrics other than its accuracy, with the means that make up each.

    Only metrics that both runs have: a task that is one subset of its benchmark has none.
    """
    suite = suite_of(a.result.metadata)
    if suite is None:
        return
    have = [{key.partition(",")[0] for key in one.result.metrics} for one in (a, b)]
    for name, composition in suite.figures.items():
        if all(name in metrics for metrics in have):
            means = _composed(a, b, matched, composition)
            if means:
                yield name, means


def own_means(a: Samples, b: Samples, matched: MatchedDocuments) -> list[PairedMean]:
    """The means that make up the main metric of a task; none where no document has both values.

    There is one, the mean of its documents' values, except for subsets whose own metric is not a
    mean of credits.
    """
    suite = suite_of(a.result.metadata)
    subsets: Mapping[str, Figure] = {} if suite is None else suite.subset_figures
    known = [one for one in a.evidence if one is not None]
    if known and known[0][0] in subsets and a.documents.value.isna().all():
        return _composed(a, b, matched, subsets[known[0][0]])
    values = a.documents.value.to_numpy()[matched.a], b.documents.value.to_numpy()[matched.b]
    have_both = ~np.isnan(values[0]) & ~np.isnan(values[1])
    if not have_both.any():
        return []
    prompts = [(key,) for key in _prompt_keys(a, matched.a[have_both])]
    return [
        PairedMean(1.0, values[0][have_both], values[1][have_both], prompts, int(have_both.sum()))
    ]


def _composed(
    a: Samples, b: Samples, matched: MatchedDocuments, composition: Figure
) -> list[PairedMean]:
    if not a.evidence or not b.evidence:
        return []
    found: list[tuple[Any, Any, int]] = []
    for number_a, number_b in zip(matched.a.tolist(), matched.b.tolist(), strict=True):
        of_a, of_b = a.evidence[number_a], b.evidence[number_b]
        if of_a is not None and of_b is not None:
            found.append((of_a, of_b, number_a))
    keys = _prompt_keys(a, np.array([number for _, _, number in found], np.int64))
    means_a = composition([one for one, _, _ in found])
    means_b = composition([one for _, one, _ in found])
    if [one.items for one in means_a] != [one.items for one in means_b]:
        return []
    return [
        PairedMean(
            one.weight,
            np.array(one.values, np.float64),
            np.array(other.values, np.float64),
            [tuple(keys[place] for place in item) for item in one.items],
            sum(map(len, one.items)),
        )
        for one, other in zip(means_a, means_b, strict=True)
    ]


def _prompt_keys(observed: Samples, numbers: Indices) -> list[Hashable]:
    keys = observed.prompt_keys
    return [keys[number] for number in observed.documents.prompt.to_numpy()[numbers].tolist()]


def _clusters(prompts: Sequence[tuple[Hashable, ...]]) -> Indices:
    """Cluster indices of items; items that share a prompt, even indirectly, have the same one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    numbers: dict[Hashable, int] = {}
    items = [item for item, keys in enumerate(prompts) for _ in keys]
    # After the items come the prompts.
    others = [
        len(prompts) + numbers.setdefault(key, len(numbers)) for keys in prompts for key in keys
    ]
    total = len(prompts) + len(numbers)
    links = coo_array((np.ones(len(items)), (items, others)), shape=(total, total))
    clusters = connected_components(links, directed=False)[1][: len(prompts)]
    return np.asarray(clusters, np.int64)


def _bounds(mean: PairedMean, *, are_shares: bool) -> tuple[float, float] | None:
    """The bounds of the differences of a mean's values.

    What a question adds to a share may be no share, as in RewardBench 2's Ties. It is bounded all
    the same, and differs by at most the range of those that are known.
    """
    if _are_shares(mean):
        return -1.0, 1.0
    reach = max(1.0, float(np.ptp([mean.a, mean.b])))
    return (-reach, reach) if are_shares else None


def _are_shares(mean: PairedMean) -> bool:
    return all(side.min() >= 0 and side.max() <= 1 for side in (mean.a, mean.b))
