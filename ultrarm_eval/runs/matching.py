"""Which documents, pairs and completions of two runs are the same, whatever their order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ultrarm_eval.runs.columns import Indices, Numbers, PairColumns
from ultrarm_eval.runs.observations import Observations


@dataclass(frozen=True)
class MatchedDocuments:
    """The documents that two runs have in common, in an order that does not depend on theirs.

    Attributes:
        a: Number of each in the first run.
        b: Number of each in the second run.
        prompts: Equal for documents with the same prompt, from 0 on in order of appearance.
        only_a: Numbers of the first run's documents that the second does not have.
        only_b: The same of the second run.
    """

    a: Indices
    b: Indices
    prompts: Indices
    only_a: Indices
    only_b: Indices

    def __len__(self) -> int:
        return len(self.a)


@dataclass(frozen=True)
class MatchedPairs:
    """The pairs that two runs have in common within matched documents.

    Attributes:
        document: Place of each one's document among the matched ones.
        a: Number of each among the first run's pairs.
        b: Number of each among the second run's pairs.
        only_a: How many pairs of matched documents the first run alone has.
        only_b: The same of the second run.
    """

    document: Indices
    a: Indices
    b: Indices
    only_a: int
    only_b: int

    def __len__(self) -> int:
        return len(self.a)


def match_documents(a: Observations, b: Observations) -> MatchedDocuments:
    """Matches by document hash and by which of those with this hash it is.

    Of a document that one run has more often, what is too many is matched with nothing.
    """
    of_a, of_b = _numbers(a), _numbers(b)
    common = sorted(of_a.keys() & of_b.keys())
    places: dict[int, int] = {}
    # Documents without a prompt count as prompts of their own, even where they are the same.
    of_hash: dict[str, int] = {}
    prompts = []
    for key in common:
        prompt = of_hash.setdefault(key[0], int(a.documents.prompts[of_a[key]]))
        prompts.append(places.setdefault(prompt, len(places)))
    return MatchedDocuments(
        _indices([of_a[key] for key in common]),
        _indices([of_b[key] for key in common]),
        _indices(prompts),
        _indices([number for key, number in of_a.items() if key not in of_b]),
        _indices([number for key, number in of_b.items() if key not in of_a]),
    )


def match_pairs(a: Observations, b: Observations, documents: MatchedDocuments) -> MatchedPairs:
    """Matches the pairs of matched documents by the numbers of their two completions."""
    base = 1 + max(
        (int(side.max()) for o in (a, b) for side in _completions(o.pairs) if len(side)), default=0
    )
    known_a, codes_a = _codes(a, documents.a, base)
    known_b, codes_b = _codes(b, documents.b, base)
    common, at_a, at_b = np.intersect1d(codes_a, codes_b, assume_unique=True, return_indices=True)
    return MatchedPairs(
        common // base**2,
        known_a[at_a],
        known_b[at_b],
        len(codes_a) - len(common),
        len(codes_b) - len(common),
    )


def matched_rewards(
    a: PairColumns, b: PairColumns, matched: MatchedPairs
) -> tuple[Numbers, Numbers]:
    """The two runs' rewards of each completion that is in a matched pair."""
    of_a, of_b = (
        np.concatenate([pairs.chosen_reward[number], pairs.rejected_reward[number]])
        for pairs, number in ((a, matched.a), (b, matched.b))
    )
    places = np.concatenate([side[matched.a] for side in _completions(a)])
    base = 1 + int(places.max(initial=0))
    _, first = np.unique(np.tile(matched.document, 2) * base + places, return_index=True)
    return of_a[first], of_b[first]


def _numbers(observations: Observations) -> dict[tuple[str, int], int]:
    return {key: number for number, key in enumerate(observations.documents.keys)}


def _completions(pairs: PairColumns) -> tuple[Indices, Indices]:
    return pairs.chosen, pairs.rejected


def _codes(
    observations: Observations, matched: Indices, base: int
) -> tuple[NDArray[np.intp], Indices]:
    """Of the pairs of matched documents the number, and what makes it the same in both runs."""
    places = np.full(len(observations.documents), -1, np.int64)
    places[matched] = np.arange(len(matched))
    pairs = observations.pairs
    known = np.flatnonzero(places[pairs.document] >= 0)
    document = places[pairs.document[known]]
    return known, (document * base + pairs.chosen[known]) * base + pairs.rejected[known]


def _indices(numbers: list[int]) -> Indices:
    return np.array(numbers, np.int64)
