"""Agreement of two judges on the same pairs, and of each with the labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ultrarm_eval.runs.matching import MatchedDocuments, match_pairs, matched_rewards
from ultrarm_eval.runs.sample import PREFERENCE
from ultrarm_eval.runs.samples import Numbers, Samples
from ultrarm_eval.stats.agreement import cohens_kappa, rank_correlation

Signs = NDArray[np.int64]


@dataclass(frozen=True)
class JudgesAgreement:
    """The agreement of two judges on the pairs that both judged.

    Cohen's kappa of preferences counts every pair in both orders of its two answers, because the
    order is arbitrary: with the chosen answer always first, two judges that are mostly correct
    would seem to agree by chance. This also balances the labels.

    Attributes:
        pairs: How many pairs both judged.
        prompts: How many prompts these are of.
        same: Share of pairs on which both prefer the same answer, or neither has a preference.
        kappa: Cohen's kappa of their preferences (the one, the other, tie).
        errors_kappa: Cohen's kappa of being correct, incorrect or undecided by the labels: whether
            they err on the same pairs; None where both always have the same one outcome.
        rewards: Spearman's rank correlation of their rewards, over the answers of these pairs; None
            where one of them gives the same reward to all.
        margins: Spearman's rank correlation of their margins.
        accuracy_a: Share of these pairs that the first judge ranks correctly, ties as by its task.
        accuracy_b: The same for the second judge.
        labels_kappa_a: Cohen's kappa of the first judge's preferences and the labels.
        labels_kappa_b: The same for the second judge.
    """

    pairs: int
    prompts: int
    same: float
    kappa: float | None
    errors_kappa: float | None
    rewards: float | None
    margins: float | None
    accuracy_a: float
    accuracy_b: float
    labels_kappa_a: float | None
    labels_kappa_b: float | None


def judges_agreement(a: Samples, b: Samples, documents: MatchedDocuments) -> JudgesAgreement | None:
    """The agreement of two judges on matched documents.

    Returns:
        None where they have no pair in common, or the pairs are of answers of different models.
    """
    matched = match_pairs(a, b, documents)
    if not len(matched) or not a.kind == b.kind == PREFERENCE:
        return None
    of_a, of_b = a.pairs.iloc[matched.a], b.pairs.iloc[matched.b]
    margins_a, margins_b = of_a.margin.to_numpy(), of_b.margin.to_numpy()
    signs_a, signs_b = _signs(margins_a), _signs(margins_b)
    labels = np.ones(len(matched), np.int64)
    return JudgesAgreement(
        len(matched),
        len(np.unique(documents.prompts[matched.document])),
        float((signs_a == signs_b).mean()),
        _kappa_of_preferences(signs_a, signs_b),
        cohens_kappa(signs_a.tolist(), signs_b.tolist()),
        rank_correlation(*matched_rewards(a, b, matched)),
        rank_correlation(margins_a, margins_b),
        float(of_a.credit.mean()),
        float(of_b.credit.mean()),
        _kappa_of_preferences(signs_a, labels),
        _kappa_of_preferences(signs_b, labels),
    )


def _signs(margins: Numbers) -> Signs:
    return np.sign(margins).astype(np.int64)


def _kappa_of_preferences(a: Signs, b: Signs) -> float | None:
    return cohens_kappa(np.append(a, -a).tolist(), np.append(b, -b).tolist())
