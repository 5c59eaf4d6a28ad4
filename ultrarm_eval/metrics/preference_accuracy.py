"""Preference accuracy from documents and rewards, with its standard error clustered by prompt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ultrarm_eval.documents.document import Document
from ultrarm_eval.errors import ScoringError
from ultrarm_eval.metrics.over_prompts import pooled_accuracy
from ultrarm_eval.metrics.within_prompt import PromptOutcome, compare, pick_longest
from ultrarm_eval.pairs import PreferencePair, preference_pairs
from ultrarm_eval.rules import TIE_CREDITS, checked_min_gap, checked_ties
from ultrarm_eval.sources.answers import prompt_key
from ultrarm_eval.stats.clustered import clustered_interval, clustered_standard_error
from ultrarm_eval.stats.interval import Interval

__all__ = ["PreferenceAccuracy", "preference_accuracy"]


@dataclass(frozen=True)
class PreferenceAccuracy:
    """How often a judge gives the chosen answer the higher reward.

    Attributes:
        accuracy: The mean over documents of the share of a document's pairs in which the chosen
            answer has the higher reward: `acc` of the tasks.
        standard_error: Of the accuracy, clustered by prompt; None with one prompt.
        interval: The 95 % confidence interval of the accuracy, clustered by prompt; None with one
            prompt that several documents share.
        accuracy_longest: The accuracy of the longest-answer baseline on the same pairs, pooled over
            documents: `acc_longest`.
        tie_rate: The mean share of pairs with equal rewards.
        margin: The mean reward of chosen minus rejected.
        documents: The number of documents that count.
        prompts: The number of distinct prompts among them.
        pairs: The number of their pairs.
        excluded: The number of documents without a pair in which both answers have a reward.
    """

    accuracy: float
    standard_error: float | None
    interval: Interval | None
    accuracy_longest: float
    tie_rate: float
    margin: float
    documents: int
    prompts: int
    pairs: int
    excluded: int


def preference_accuracy(
    documents: Sequence[Document],
    rewards: Sequence[Sequence[float | None]],
    *,
    ties: str = "half",
    min_gap: Any = 0,
) -> PreferenceAccuracy:
    """Computes the preference accuracy of a judge.

    The pairs of a document share answers, so a document counts once, with the mean over its pairs.
    Documents with the same prompt may depend on each other, so the standard error takes them
    together (clustered by prompt). Documents without a prompt are independent of all others.

    Args:
        documents: The documents, as `load_documents` gives them.
        rewards: For each document, the reward of each of its completions; None where the judge
            abstained.
        ties: What a pair with equal rewards is worth: `half` or `wrong` (nothing).
        min_gap: The least difference in rating of a pair, exact in decimals.

    Raises:
        ScoringError: The numbers of documents, completions and rewards differ, a reward is not a
            number, or no document has a pair with two rewards.
        ConfigurationError: `ties` or `min_gap` is not allowed.
    """
    credit, gap = TIE_CREDITS[checked_ties(ties)], checked_min_gap(min_gap)
    if len(documents) != len(rewards):
        raise ScoringError(
            f"There are {len(documents)} documents and rewards of {len(rewards)}; give one "
            "sequence of rewards for each document."
        )
    outcomes: list[PromptOutcome] = []
    longest: list[tuple[float, int]] = []
    clusters: list[str] = []
    for place, (document, given) in enumerate(zip(documents, rewards, strict=True)):
        known = _known_rewards(document, given, str(document.where or f"Document {place}"))
        pairs = _pairs(document, known, gap)
        if pairs:
            outcomes.append(compare(pairs, known, credit))
            longest.append(pick_longest(pairs, document.lengths))
            clusters.append(_cluster(document, place))
    if not outcomes:
        raise ScoringError(
            f"None of {len(documents)} documents has a pair in which both answers have a reward, "
            "so there is no accuracy. A pair needs two completions with different ratings."
        )
    accuracies, count = [one.accuracy for one in outcomes], len(outcomes)
    return PreferenceAccuracy(
        accuracy=math.fsum(accuracies) / count,
        standard_error=clustered_standard_error(accuracies, clusters),
        interval=clustered_interval(accuracies, clusters),
        accuracy_longest=pooled_accuracy(longest),
        tie_rate=math.fsum(one.tie_rate for one in outcomes) / count,
        margin=math.fsum(one.margin for one in outcomes) / count,
        documents=count,
        prompts=len(set(clusters)),
        pairs=sum(one.pairs for one in outcomes),
        excluded=len(documents) - count,
    )


def _known_rewards(
    document: Document, given: Sequence[float | None], where: str
) -> dict[int, float]:
    """The rewards there are, by completion.

    Raises:
        ScoringError: There is another number of them than of completions, or one is NaN.
    """
    if len(given) != len(document.completions):
        raise ScoringError(
            f"{where}: there are {len(document.completions)} completions and {len(given)} rewards; "
            "give one for each, or None where the judge abstained."
        )
    for index, reward in enumerate(given):
        if reward is not None and math.isnan(reward):
            raise ScoringError(
                f"{where}: completion {index} has the reward NaN; give a number, or None where the "
                "judge abstained."
            )
    return {index: float(reward) for index, reward in enumerate(given) if reward is not None}


def _cluster(document: Document, place: int) -> str:
    """Equal for documents with the same prompt; one without a prompt is like no other."""
    return f"prompt {prompt_key(document.prompt)}" if document.prompt else f"document {place}"


def _pairs(
    document: Document, rewards: Mapping[int, float], min_gap: Fraction
) -> tuple[PreferencePair, ...]:
    """The pairs in which both completions have a reward."""
    pairs = preference_pairs(document.main_ratings, min_gap)
    return tuple(one for one in pairs if one.chosen in rewards and one.rejected in rewards)
