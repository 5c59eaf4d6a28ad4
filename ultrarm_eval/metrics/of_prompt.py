"""All metrics of one prompt, from its document and the rewards of its completions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ultrarm_eval.documents.document import Document
from ultrarm_eval.errors import ScoringError
from ultrarm_eval.metrics.length import pick_longest, split_by_length
from ultrarm_eval.metrics.pairwise import compare
from ultrarm_eval.metrics.ranking import best_of_n, kendall_tau
from ultrarm_eval.pairs import compared_completions, preference_pairs
from ultrarm_eval.rules import ComparisonRules

_NAMES = (
    "acc",
    "acc_pairs",
    "tie_rate",
    "margin",
    "nll",
    "best_of_n",
    "kendall_tau",
    "acc_longest",
    "acc_length_controlled",
)


def completions_to_score(document: Document, rules: ComparisonRules) -> tuple[int, ...]:
    """The completions whose rewards the metrics need, ascending.

    The rated ones, and those that occur in a pair of an aspect.
    """
    rated = {i for i, rating in enumerate(document.main_ratings) if rating is not None}
    for ratings in document.aspect_ratings.values():
        rated.update(compared_completions(preference_pairs(ratings, rules.min_gap)))
    return tuple(sorted(rated))


def prompt_metrics(
    document: Document, rewards: Mapping[int, float], rules: ComparisonRules
) -> dict[str, Any]:
    """The metrics of one prompt, by name.

    Args:
        document: A document with at least one pair under the rules.
        rewards: The reward of each of `completions_to_score`.
        rules: How completions are compared.

    Returns:
        A number for each metric that is a mean over prompts (None for an aspect without a pair),
        and the sums that the pooled metrics need.

    Raises:
        ScoringError: A reward is NaN.
    """
    for index, reward in rewards.items():
        if math.isnan(reward):
            raise ScoringError(
                f"Row {document.row}: completion {index} has the reward NaN; a judge has to "
                "give every completion a number."
            )
    ratings = document.main_ratings
    pairs = preference_pairs(ratings, rules.min_gap)
    outcome = compare(pairs, rewards, rules.tie_credit)
    rated = [(rating, rewards[i]) for i, rating in enumerate(ratings) if rating is not None]
    rated_ratings, rated_rewards = [rating for rating, _ in rated], [reward for _, reward in rated]
    lengths = document.lengths
    metrics = {
        "acc": outcome.accuracy,
        "acc_pairs": (outcome.credit, outcome.pairs),
        "tie_rate": outcome.tie_rate,
        "margin": outcome.margin,
        "nll": outcome.negative_log_likelihood,
        "best_of_n": best_of_n(rated_ratings, rated_rewards),
        "kendall_tau": kendall_tau(rated_ratings, rated_rewards),
        "acc_longest": pick_longest(pairs, lengths),
        "acc_length_controlled": split_by_length(pairs, lengths, rewards, rules.tie_credit),
    }
    for aspect, aspect_ratings in document.aspect_ratings.items():
        aspect_pairs = preference_pairs(aspect_ratings, rules.min_gap)
        metrics[accuracy_of(aspect)] = (
            compare(aspect_pairs, rewards, rules.tie_credit).accuracy if aspect_pairs else None
        )
    return metrics


def metric_names(aspects: Iterable[str]) -> tuple[str, ...]:
    """The names of `prompt_metrics`, in their order."""
    return (*_NAMES, *map(accuracy_of, aspects))


def accuracy_of(aspect: str) -> str:
    """The name of an aspect's accuracy."""
    return f"acc_{aspect}"
