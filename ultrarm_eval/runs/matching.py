"""Matches the documents, pairs and completions of two runs, in any order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ultrarm_eval.runs.samples import Indices, Numbers, Samples

_DOCUMENT = ["hash", "occurrence"]
_PAIR = ["document", "chosen", "rejected"]


@dataclass(frozen=True)
class MatchedDocuments:
    """The documents that two runs have in common, in an order that does not depend on theirs.

    Attributes:
        a: Index of each in the first run.
        b: Index of each in the second run.
        prompts: Equal for documents with the same prompt, numbered from 0 in order of appearance.
        only_a: Indices of the first run's documents that the second does not have.
        only_b: The same for the second run.
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
        document: Index of each pair's document among the matched ones.
        a: Index of each among the first run's pairs.
        b: Index of each among the second run's pairs.
        only_a: How many pairs of matched documents only the first run has.
        only_b: The same for the second run.
    """

    document: Indices
    a: Indices
    b: Indices
    only_a: int
    only_b: int

    def __len__(self) -> int:
        return len(self.a)


def match_documents(a: Samples, b: Samples) -> MatchedDocuments:
    """Matches by the hash of the content and by occurrence among the documents with this hash.

    The hash is lm-eval's for the tasks of third parties.

    If one run has a document more often, its surplus occurrences stay unmatched.
    """
    of_a = a.documents[[*_DOCUMENT, "prompt"]].reset_index(names="a")
    both = of_a.merge(b.documents[_DOCUMENT].reset_index(names="b"), on=_DOCUMENT, sort=True)
    # Each document without a prompt counts as a separate prompt.
    prompts = both.groupby("hash").prompt.transform("first")
    return MatchedDocuments(
        both.a.to_numpy(),
        both.b.to_numpy(),
        pd.factorize(prompts)[0],
        np.setdiff1d(a.documents.index, both.a),
        np.setdiff1d(b.documents.index, both.b),
    )


def match_pairs(a: Samples, b: Samples, documents: MatchedDocuments) -> MatchedPairs:
    """Matches the pairs of matched documents by the numbers of their two completions."""
    of_a, of_b = _pairs_of(a, documents.a, "a"), _pairs_of(b, documents.b, "b")
    both = of_a.merge(of_b, on=_PAIR, sort=True)
    return MatchedPairs(
        both.document.to_numpy(),
        both.a.to_numpy(),
        both.b.to_numpy(),
        len(of_a) - len(both),
        len(of_b) - len(both),
    )


def matched_rewards(a: Samples, b: Samples, matched: MatchedPairs) -> tuple[Numbers, Numbers]:
    """The two runs' rewards of each completion that is in a matched pair."""
    of_a, of_b = a.pairs.iloc[matched.a], b.pairs.iloc[matched.b]
    rewards = pd.concat(
        pd.DataFrame(
            {
                "document": matched.document,
                "completion": of_a[side].to_numpy(),
                "a": of_a[f"{side}_reward"].to_numpy(),
                "b": of_b[f"{side}_reward"].to_numpy(),
            }
        )
        for side in ("chosen", "rejected")
    ).drop_duplicates(["document", "completion"])
    return rewards.a.to_numpy(), rewards.b.to_numpy()


def _pairs_of(samples: Samples, matched: Indices, name: str) -> pd.DataFrame:
    """The pairs of matched documents, by the documents' indices and with their own indices."""
    places = np.full(len(samples.documents), -1, np.int64)
    places[matched] = np.arange(len(matched))
    pairs = samples.pairs[_PAIR].reset_index(names=name)
    pairs["document"] = places[pairs.document]
    return pairs[pairs.document >= 0]
