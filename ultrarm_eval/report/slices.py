"""Accuracy over parts of the documents and pairs of a task, each with its interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ultrarm_eval.runs.columns import Numbers
from ultrarm_eval.runs.judged_document import REFERENCE
from ultrarm_eval.runs.observations import Observations
from ultrarm_eval.stats.bootstrap import bootstrap_ratios
from ultrarm_eval.stats.clustered import clustered_interval
from ultrarm_eval.stats.intervals import Interval

Mask = NDArray[np.bool_]

#: Parts of fewer prompts have no row: of five that all differ alike, a sign-flip test gives 0.0625,
#: and the interval of a share takes up half of what there is.
FEWEST_PROMPTS = 6
# Ranges of a measured thing, as many as can be told apart in a table.
_RANGES = 5
_MOST_PARTS = 50


@dataclass(frozen=True)
class Slice:
    """A part and the accuracy on it.

    Attributes:
        dimension: What tells parts apart (`source`, `rating gap`).
        name: Which part it is.
        documents: Documents in it, or with a pair in it.
        pairs: Pairs in it; None for tasks without pairs.
        accuracy: The mean over its documents of their share of right pairs; of a part of the pairs
            (`pooled`) their own share.
        interval: Its 95 % interval; None where there is too little to say.
        pooled: Whether it is a share of pairs, and the interval one of the bootstrap over prompts.
    """

    dimension: str
    name: str
    documents: int
    pairs: int | None
    accuracy: float
    interval: Interval | None
    pooled: bool = False


def all_documents(observations: Observations) -> Slice | None:
    """The accuracy over all documents that have one."""
    everything = np.ones(len(observations.documents), np.bool_)
    return _of_documents(observations, "task", observations.result.task, everything)


def all_pairs(observations: Observations) -> Slice | None:
    """The accuracy over all pairs."""
    everything = np.ones(len(observations.pairs), np.bool_)
    return next(iter(_of_pairs(observations, "pairs", [("all pairs", everything)])), None)


def slices(observations: Observations) -> list[Slice]:
    """The accuracy by source, category, aspect, prompt length, rating gap and relative length."""
    found = [
        *_by_part(observations),
        *_by_aspect(observations),
        *_by_prompt_length(observations),
    ]
    if len(observations.pairs):
        found += _by_gap(observations)
        found += _by_relative_length(observations)
    return found


def _by_part(observations: Observations) -> Iterator[Slice]:
    for dimension, names in observations.documents.parts.items():
        counts = Counter(names)
        # The largest, in order of name; a table of all of very many could not be read.
        most = sorted(counts, key=lambda name: (-counts[name], name))
        kept = most if len(most) <= _MOST_PARTS else most[: _MOST_PARTS - 1]
        named = [(name or "not given", {name}) for name in sorted(kept)]
        if len(kept) < len(most):
            rest = set(most[len(kept) :])
            named.append((f"{len(rest)} others", rest))
        for label, members in named:
            mask = np.fromiter((name in members for name in names), np.bool_, len(names))
            part = _of_documents(observations, dimension, label, mask)
            if part is not None:
                yield part


def _by_aspect(observations: Observations) -> Iterator[Slice]:
    for aspect, values in observations.documents.aspects.items():
        everything = np.ones(len(values), np.bool_)
        part = _of_documents(observations, "aspect", aspect, everything, values)
        if part is not None:
            yield part


def _by_prompt_length(observations: Observations) -> Iterator[Slice]:
    lengths = observations.documents.prompt_lengths
    if np.isnan(lengths).any():
        return
    for name, mask in ranges(lengths, "characters"):
        part = _of_documents(observations, "prompt length", name, mask)
        if part is not None:
            yield part


def _by_gap(observations: Observations) -> list[Slice]:
    # Ratings are exact fractions, their differences here are not.
    gaps = observations.pairs.gap.round(9)
    # A benchmark's right and wrong answers all differ by one.
    if np.isnan(gaps).any() or len(np.unique(gaps)) < 2:
        return []
    return _of_pairs(observations, "rating gap", ranges(gaps, ""))


def _by_relative_length(observations: Observations) -> list[Slice]:
    difference = observations.pairs.chosen_length - observations.pairs.rejected_length
    better = "answer" if observations.kind == REFERENCE else "better answer"
    parts = [
        (f"{better} is longer", difference > 0),
        (f"{better} is shorter", difference < 0),
        ("equally long", difference == 0),
    ]
    return _of_pairs(observations, "length", parts)


def ranges(values: Numbers, unit: str) -> list[tuple[str, Mask]]:
    """Ranges of about equally many values, or each value where there are few.

    Args:
        values: The values, without NaN.
        unit: What they are counted in.

    Returns:
        The name of each range and which values are in it; every value is in one.
    """
    distinct = np.unique(values)
    suffix = f" {unit}" if unit else ""
    if len(distinct) <= _RANGES:
        return [(f"{_spelled(value)}{suffix}", values == value) for value in distinct]
    inner = np.quantile(values, np.arange(1, _RANGES) / _RANGES, method="inverted_cdf")
    # A value that is the end of several ranges, and one at the top, make no range of their own.
    ends = [end for end in np.unique(inner) if end < distinct[-1]]
    found = []
    above = -np.inf
    for end in [*ends, distinct[-1]]:
        mask = (values > above) & (values <= end)
        low, high = values[mask].min(), end
        name = _spelled(low) if low == high else f"{_spelled(low)} to {_spelled(high)}"
        found.append((f"{name}{suffix}", mask))
        above = end
    return found


def _spelled(value: float) -> str:
    return f"{value:.0f}" if value == round(value) else f"{value:.3g}"


def _of_documents(
    observations: Observations,
    dimension: str,
    name: str,
    mask: Mask,
    values: Numbers | None = None,
) -> Slice | None:
    documents = observations.documents
    values = documents.values if values is None else values
    mask = mask & ~np.isnan(values)
    if not mask.any():
        return None
    pairs = None
    if observations.kind is not None and values is documents.values:
        pairs = int(mask[observations.pairs.document].sum())
    return Slice(
        dimension,
        name,
        int(mask.sum()),
        pairs,
        float(values[mask].mean()),
        clustered_interval(values[mask], documents.prompts[mask]),
    )


def _of_pairs(
    observations: Observations, dimension: str, parts: Sequence[tuple[str, Mask]]
) -> list[Slice]:
    pairs = observations.pairs
    parts = [(name, mask) for name, mask in parts if mask.any()]
    if not parts:
        return []
    # Pairs of one prompt share completions, and documents of one prompt the prompt.
    _, prompts = np.unique(observations.documents.prompts[pairs.document], return_inverse=True)
    credit = [np.bincount(prompts, pairs.credit * mask) for _, mask in parts]
    count = [np.bincount(prompts, mask.astype(np.float64)) for _, mask in parts]
    intervals = bootstrap_ratios(np.column_stack(credit), np.column_stack(count), bounds=(0.0, 1.0))
    return [
        Slice(
            dimension,
            name,
            len(np.unique(pairs.document[mask])),
            int(mask.sum()),
            float(pairs.credit[mask].mean()),
            interval,
            pooled=True,
        )
        for (name, mask), interval in zip(parts, intervals, strict=True)
    ]
