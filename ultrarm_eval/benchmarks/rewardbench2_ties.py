"""RewardBench 2's formula for its subset Ties.

A question stands there twice: as `ref:N` with one right answer and as `tied:N` with several. With
best, worst and wrong the highest reward of a right answer, the lowest of one, and the highest of a
wrong one, a row is accurate where worst > wrong, its margin is worst - wrong, and the spread of a
tied row best - worst. The score is

    0.30 * share of tied rows that are accurate + 0.30 * share of reference rows that are accurate
    + 0.20 * share of questions whose tied margin is above the spread
    + 0.20 * share of questions whose smaller margin of both rows is above the spread
    + 0.01 * mean of tanh(smaller margin / spread - 1)

over the questions that have both rows (rewardbench 0.1.4, scripts/run_v2.py,
`process_single_model`). It goes from -0.01 to 1.01.

Where a spread is 0, the released package leaves the question out of the last mean, and the
repository today counts the limit, 1 for a positive margin, -1 for a negative one and 0 for none;
the score moves by at most 0.02. Here it is as in the released package.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from ultrarm_eval.benchmarks.composition import WeightedMean
from ultrarm_eval.data.rows import Location
from ultrarm_eval.errors import DataError, ScoringError

_REFERENCE, _TIED = "ref", "tied"
#: Id, rewards of the right answers, rewards of the wrong ones.
Row: TypeAlias = tuple[str, Sequence[float], Sequence[float]]


def parse_id(name: str, where: Location | None = None) -> tuple[str, str]:
    """The kind of a row, `ref` or `tied`, and its question.

    Raises:
        DataError: The id is neither.
    """
    kind, sign, question = name.partition(":")
    if not sign or kind not in (_REFERENCE, _TIED) or not question.isdecimal():
        place = "" if where is None else f"{where}: "
        raise DataError(f"{place}the id {name!r} of a row of Ties is not 'ref:N' or 'tied:N'.")
    return kind, question


def ties_score(rows: Sequence[Row]) -> float | None:
    """The score of the subset.

    Args:
        rows: Its rows.

    Returns:
        The score; None where there are no rows.

    Raises:
        DataError: An id is neither of a reference nor of a tied row.
        ScoringError: Two rows have the same id.
    """
    if not rows:
        return None
    by_kind: dict[str, dict[str, tuple[float, float]]] = {_REFERENCE: {}, _TIED: {}}
    for name, right, wrong in rows:
        kind, question = parse_id(name)
        if question in by_kind[kind]:
            raise ScoringError(f"The id {name!r} of a row of Ties occurs twice.")
        by_kind[kind][question] = (min(right) - max(wrong), max(right) - min(right))
    references, tied = by_kind[_REFERENCE], by_kind[_TIED]
    both = [(references[q][0], *tied[q]) for q in tied if q in references]
    smaller = [(min(reference, margin), spread) for reference, margin, spread in both]
    return (
        0.30 * _share([margin > 0 for margin, _ in tied.values()])
        + 0.30 * _share([margin > 0 for margin, _ in references.values()])
        + 0.20 * _share([margin > spread for _, margin, spread in both])
        + 0.20 * _share([margin > spread for margin, spread in smaller])
        + 0.01 * _mean([math.tanh(m / spread - 1) for m, spread in smaller if spread > 0])
    )


def ties_means(rows: Sequence[Row], places: Sequence[int]) -> list[WeightedMean]:
    """The score as one mean over questions, each with what it adds to it.

    Args:
        rows: The rows of the subset.
        places: Where each stands among all items.
    """
    kinds: dict[str, dict[str, tuple[float, float]]] = {_REFERENCE: {}, _TIED: {}}
    items: dict[str, list[int]] = {}
    for (name, right, wrong), place in zip(rows, places, strict=True):
        kind, question = parse_id(name)
        kinds[kind][question] = (min(right) - max(wrong), max(right) - min(right))
        items.setdefault(question, []).append(place)
    references, tied = kinds[_REFERENCE], kinds[_TIED]
    both = [question for question in tied if question in references]
    spread_out = [question for question in both if tied[question][1] > 0]
    added = dict.fromkeys(items, 0.0)

    def add(weight: float, found: Mapping[str, float]) -> None:
        for question, value in found.items():
            added[question] += weight * value * len(items) / len(found)

    add(0.30, {question: float(margin > 0) for question, (margin, _) in tied.items()})
    add(0.30, {question: float(margin > 0) for question, (margin, _) in references.items()})
    add(0.20, {q: float(tied[q][0] > tied[q][1]) for q in both})
    smaller = {q: min(references[q][0], tied[q][0]) for q in both}
    add(0.20, {q: float(smaller[q] > tied[q][1]) for q in both})
    add(0.01, {q: math.tanh(smaller[q] / tied[q][1] - 1) for q in spread_out})
    if not items:
        return []
    return [WeightedMean(1.0, tuple(map(tuple, items.values())), tuple(added.values()))]


def _share(found: Sequence[bool]) -> float:
    return _mean([float(one) for one in found])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
