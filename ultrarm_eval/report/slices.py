"""Accuracy on subsets of a task's documents and pairs, each with its interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ultrarm_eval.report.pair_sums import ALL, GAP, LENGTH, PairSums
from ultrarm_eval.report.ranges import Mask, ranges
from ultrarm_eval.runs.figure import is_share
from ultrarm_eval.runs.samples import Numbers, Samples
from ultrarm_eval.stats.clustered import UNBOUNDED, clustered_interval
from ultrarm_eval.stats.interval import Interval

_MOST_PARTS = 50


@dataclass(frozen=True)
class Slice:
    """A subset and the accuracy on it.

    Attributes:
        dimension: The dimension of the split (`source`, `rating gap`).
        name: The subset's name.
        documents: Number of documents in it, or with a pair in it.
        pairs: Number of pairs in it; None for tasks without pairs.
        accuracy: The mean over documents of their share of correctly ranked pairs; for a subset of
            the pairs (`pooled`) the share of its pairs.
        interval: Its 95 % interval; None where the data are too few, or all values are equal and
            have no bounds.
        pooled: Whether it is a share of pairs, with an interval from a bootstrap over prompts.
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


def all_pairs(samples: Samples, sums: PairSums | None) -> Slice | None:
    """The accuracy over all pairs; None without pairs."""
    return None if sums is None else _of_pairs(samples, sums, ALL)


def slices(samples: Samples, sums: PairSums | None) -> list[Slice]:
    """The accuracy by source, category, aspect, prompt length, rating gap and relative length."""
    return [
        *_by_part(samples),
        *_by_aspect(samples),
        *_by_prompt_length(samples),
        *(
            _of_pairs(samples, sums, number)
            for dimension in (GAP, LENGTH)
            for number, part in enumerate(() if sums is None else sums.parts)
            if sums is not None and part.dimension == dimension and part.mask.any()
        ),
    ]


def _by_part(samples: Samples) -> Iterator[Slice]:
    for dimension, names in samples.parts.items():
        counts = Counter(names)
        # The largest ones in alphabetical order: a table of very many would be unreadable.
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
        clustered_interval(values[mask], prompts[mask], bounds=_bounds(samples, values[mask])),
    )


def _bounds(samples: Samples, values: Numbers) -> tuple[float, float]:
    """The bounds of a document's values: those of our own tasks are accuracies or win rates."""
    main = samples.result.main_figure
    are_shares = samples.kind is not None or main is None or is_share(main.metric)
    return (0.0, 1.0) if are_shares and values.min() >= 0 and values.max() <= 1 else UNBOUNDED


def _of_pairs(samples: Samples, sums: PairSums, number: int) -> Slice:
    part = sums.parts[number]
    credit, document = samples.pairs.credit.to_numpy(), samples.pairs.document.to_numpy()
    return Slice(
        part.dimension,
        part.name,
        len(np.unique(document[part.mask])),
        int(part.mask.sum()),
        float(credit[part.mask].mean()),
        sums.accuracy(number),
        pooled=True,
    )
