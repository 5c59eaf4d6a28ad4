"""Accuracy over parts of the documents and pairs of a task, each with its interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ultrarm_eval.runs.sample import REFERENCE
from ultrarm_eval.runs.samples import Numbers, Samples
from ultrarm_eval.stats.bootstrap import bootstrap_ratios
from ultrarm_eval.stats.clustered import clustered_interval
from ultrarm_eval.stats.interval import Interval

Mask = NDArray[np.bool_]

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


def all_documents(samples: Samples) -> Slice | None:
    """The accuracy over all documents that have one."""
    everything = np.ones(len(samples.documents), np.bool_)
    return _of_documents(samples, "task", samples.result.task, everything)


def all_pairs(samples: Samples) -> Slice | None:
    """The accuracy over all pairs."""
    everything = np.ones(len(samples.pairs), np.bool_)
    return next(iter(_of_pairs(samples, "pairs", [("all pairs", everything)])), None)


def slices(samples: Samples) -> list[Slice]:
    """The accuracy by source, category, aspect, prompt length, rating gap and relative length."""
    found = [
        *_by_part(samples),
        *_by_aspect(samples),
        *_by_prompt_length(samples),
    ]
    if len(samples.pairs):
        found += _by_gap(samples)
        found += _by_relative_length(samples)
    return found


def _by_part(samples: Samples) -> Iterator[Slice]:
    for dimension, names in samples.parts.items():
        counts = Counter(names)
        # The largest, in order of name; a table of all of very many could not be read.
        most = sorted(counts, key=lambda name: (-counts[name], name))
        kept = most if len(most) <= _MOST_PARTS else most[: _MOST_PARTS - 1]
        named = [(name or "not given", {name}) for name in sorted(kept)]
        if len(kept) < len(most):
            rest = set(most[len(kept) :])
            named.append((f"{len(rest)} others", rest))
        for label, members in named:
            part = _of_documents(samples, dimension, label, names.isin(members).to_numpy())
            if part is not None:
                yield part


def _by_aspect(samples: Samples) -> Iterator[Slice]:
    for aspect, values in samples.aspects.items():
        everything = np.ones(len(values), np.bool_)
        part = _of_documents(samples, "aspect", aspect, everything, values.to_numpy())
        if part is not None:
            yield part


def _by_prompt_length(samples: Samples) -> Iterator[Slice]:
    lengths = samples.documents.prompt_length.to_numpy()
    if np.isnan(lengths).any():
        return
    for name, mask in ranges(lengths, "characters"):
        part = _of_documents(samples, "prompt length", name, mask)
        if part is not None:
            yield part


def _by_gap(samples: Samples) -> list[Slice]:
    # Ratings are exact fractions, their differences here are not.
    gaps = samples.pairs.gap.round(9).to_numpy()
    # A benchmark's right and wrong answers all differ by one.
    if np.isnan(gaps).any() or len(np.unique(gaps)) < 2:
        return []
    return _of_pairs(samples, "rating gap", ranges(gaps, ""))


def _by_relative_length(samples: Samples) -> list[Slice]:
    difference = (samples.pairs.chosen_length - samples.pairs.rejected_length).to_numpy()
    better = "answer" if samples.kind == REFERENCE else "better answer"
    parts = [
        (f"{better} is longer", difference > 0),
        (f"{better} is shorter", difference < 0),
        ("equally long", difference == 0),
    ]
    return _of_pairs(samples, "length", parts)


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
    samples: Samples,
    dimension: str,
    name: str,
    mask: Mask,
    values: Numbers | None = None,
) -> Slice | None:
    documents = samples.documents
    of_main = values is None
    values = documents.value.to_numpy() if values is None else values
    mask = mask & ~np.isnan(values)
    if not mask.any():
        return None
    pairs = None
    if samples.kind is not None and of_main:
        pairs = int(mask[samples.pairs.document].sum())
    prompts = documents.prompt.to_numpy()
    return Slice(
        dimension,
        name,
        int(mask.sum()),
        pairs,
        float(values[mask].mean()),
        clustered_interval(values[mask], prompts[mask]),
    )


def _of_pairs(samples: Samples, dimension: str, parts: Sequence[tuple[str, Mask]]) -> list[Slice]:
    parts = [(name, mask) for name, mask in parts if mask.any()]
    if not parts:
        return []
    credit, document = samples.pairs.credit.to_numpy(), samples.pairs.document.to_numpy()
    masks = [mask.astype(np.float64) for _, mask in parts]
    sums = samples.by_prompt(*(credit * mask for mask in masks), *masks)
    intervals = bootstrap_ratios(*np.hsplit(sums, 2), bounds=(0.0, 1.0))
    return [
        Slice(
            dimension,
            name,
            len(np.unique(document[mask])),
            int(mask.sum()),
            float(credit[mask].mean()),
            interval,
            pooled=True,
        )
        for (name, mask), interval in zip(parts, intervals, strict=True)
    ]
