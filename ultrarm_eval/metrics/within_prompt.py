"""The metrics of one prompt, from its document and the rewards of its completions.

A prompt's value is the mean over its pairs, and the reported metric the mean over prompts: pairs of
one prompt share completions and are not independent, so only the standard error clustered by prompt
is valid. Lengths are in characters, as a reader sees them, and the same for every judge.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Any, NamedTuple, TypeVar

from ultrarm_eval.documents.document import Document
from ultrarm_eval.errors import ScoringError
from ultrarm_eval.pairs import PreferencePair, compared_completions, preference_pairs
from ultrarm_eval.rules import TIE_CREDITS, ComparisonRules

_Comparable = TypeVar("_Comparable", float, Fraction)


def completions_to_score(document: Document, rules: ComparisonRules) -> tuple[int, ...]:
    """The completions whose rewards the metrics need, ascending.

    The rated ones, and those that occur in a pair of an aspect.
    """
    rated = {i for i, rating in enumerate(document.main_ratings) if rating is not None}
    if len(rated) < len(document.completions):
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


def accuracy_of(aspect: str) -> str:
    """The name of an aspect's accuracy."""
    return f"acc_{aspect}"


@dataclass(frozen=True)
class PromptOutcome:
    """How a judge ranked the pairs of one prompt.

    Attributes:
        pairs: Number of pairs, at least 1.
        credit: Number of pairs ranked correctly, plus the credit of ties.
        ties: Pairs with equal rewards.
        margin_sum: Sum of chosen minus rejected reward.
        loss_sum: Sum of the pairs' negative log-likelihoods.
    """

    pairs: int
    credit: float
    ties: int
    margin_sum: float
    loss_sum: float

    @property
    def accuracy(self) -> float:
        """Share of the pairs ranked correctly."""
        return self.credit / self.pairs

    @property
    def tie_rate(self) -> float:
        """Share of the pairs with equal rewards."""
        return self.ties / self.pairs

    @property
    def margin(self) -> float:
        """Mean of chosen minus rejected reward."""
        return self.margin_sum / self.pairs

    @property
    def negative_log_likelihood(self) -> float:
        """Mean of `bradley_terry_loss` over the pairs, in nats."""
        return self.loss_sum / self.pairs


def compare(
    pairs: Sequence[PreferencePair],
    rewards: Mapping[int, float],
    tie_credit: float = TIE_CREDITS["half"],
) -> PromptOutcome:
    """Compares the rewards of one prompt's completions.

    Args:
        pairs: The prompt's pairs.
        rewards: Reward by index of the completion.
        tie_credit: The credit of a pair with equal rewards.

    Raises:
        ScoringError: There is no pair, or a reward is NaN: every comparison with NaN is false, so
            a broken judge would look like a bad one.
    """
    if not pairs:
        raise ScoringError("A prompt without pairs has no accuracy; exclude it.")
    credit, ties, margin_sum, loss_sum = 0.0, 0, 0.0, 0.0
    for pair in pairs:
        chosen, rejected = rewards[pair.chosen], rewards[pair.rejected]
        if math.isnan(chosen) or math.isnan(rejected):
            raise ScoringError(
                f"Completion {pair.chosen if math.isnan(chosen) else pair.rejected} has the reward "
                "NaN; a judge has to give every completion a number."
            )
        # The difference of equal infinities would be NaN.
        margin = 0.0 if chosen == rejected else chosen - rejected
        ties += chosen == rejected
        credit += tie_credit if chosen == rejected else chosen > rejected
        margin_sum += margin
        loss_sum += bradley_terry_loss(margin)
    return PromptOutcome(len(pairs), credit, ties, margin_sum, loss_sum)


def bradley_terry_loss(margin: float) -> float:
    """-log sigmoid(margin) in nats: the negative log-likelihood of the preference.

    The loss of reward modeling (Ouyang et al. 2022, arXiv 2203.02155, equation 1, also averaged
    over the pairs of a prompt); computed without overflow for any margin.
    """
    return max(-margin, 0.0) + math.log1p(math.exp(-abs(margin)))


def best_of_n(ratings: Sequence[Fraction], rewards: Sequence[float]) -> float:
    """Of the completions with the highest reward, the share that is top-rated.

    The expected result of best-of-n with this judge: a tie at the top is broken at random, so a
    constant judge gets the share of top-rated completions.

    Args:
        ratings: The rating of each completion, at least one.
        rewards: The reward of each completion.
    """
    highest, best = max(rewards), max(ratings)
    picked = [rating for rating, reward in zip(ratings, rewards, strict=True) if reward == highest]
    return sum(rating == best for rating in picked) / len(picked)


def kendall_tau(ratings: Sequence[Fraction], rewards: Sequence[float]) -> float | None:
    """Kendall's tau-b between ratings and rewards (Kendall 1945, Biometrika 33), as scipy's.

    Args:
        ratings: The rating of each completion.
        rewards: The reward of each completion.

    Returns:
        The correlation, from -1 to 1; 0 where all rewards are equal, because such a judge ranks
        nothing; None where all ratings are equal, because there is no ranking to find.
    """
    if len(set(ratings)) < 2:
        return None
    if len(set(rewards)) < 2:
        return 0.0
    return _tau_of_ranks(_ranks(ratings), _ranks(rewards))


def _ranks(values: Sequence[_Comparable]) -> tuple[int, ...]:
    """Dense ranks: exact where floats could not distinguish two ratings."""
    rank = {value: position for position, value in enumerate(sorted(set(values)))}
    return tuple(rank[value] for value in values)


@functools.lru_cache(maxsize=8192)
def _tau_of_ranks(ratings: tuple[int, ...], rewards: tuple[int, ...]) -> float:
    # Tau depends only on ranks, and four completions can be ranked in 75 ways.
    pairs = list(combinations(zip(ratings, rewards, strict=True), 2))
    ordered = [(one[0] - other[0], one[1] - other[1]) for one, other in pairs]
    concordant = sum((a > 0) is (b > 0) for a, b in ordered if a and b)
    discordant = sum((a > 0) is not (b > 0) for a, b in ordered if a and b)
    by_ratings = math.sqrt(sum(a != 0 for a, _ in ordered))
    by_rewards = math.sqrt(sum(b != 0 for _, b in ordered))
    # Divided one after the other, as scipy does: with the same digits.
    return max(-1.0, min(1.0, (concordant - discordant) / by_ratings / by_rewards))


class LengthSplit(NamedTuple):
    """A judge's credit on the pairs of a prompt, by which answer is longer.

    Attributes:
        longer_credit: Credit on the pairs whose chosen answer is longer.
        longer_pairs: The number of those pairs.
        shorter_credit: Credit on the pairs whose chosen answer is shorter.
        shorter_pairs: The number of those pairs.
    """

    longer_credit: float
    longer_pairs: int
    shorter_credit: float
    shorter_pairs: int


def pick_longest(pairs: Sequence[PreferencePair], lengths: Sequence[int]) -> tuple[float, int]:
    """Credit and number of pairs of the longest-answer baseline.

    Equal lengths count one half, whatever the credit of a tie in reward.
    """
    outcome = compare(pairs, {i: float(length) for i, length in enumerate(lengths)})
    return outcome.credit, outcome.pairs


def split_by_length(
    pairs: Sequence[PreferencePair],
    lengths: Sequence[int],
    rewards: Mapping[int, float],
    tie_credit: float,
) -> LengthSplit:
    """A judge's credit on the pairs of a prompt, by which answer is longer.

    Pairs with equal lengths are excluded.
    """
    longer = [p for p in pairs if lengths[p.chosen] > lengths[p.rejected]]
    shorter = [p for p in pairs if lengths[p.chosen] < lengths[p.rejected]]
    return LengthSplit(
        _credit(longer, rewards, tie_credit),
        len(longer),
        _credit(shorter, rewards, tie_credit),
        len(shorter),
    )


def _credit(
    pairs: Sequence[PreferencePair], rewards: Mapping[int, float], tie_credit: float
) -> float:
    return compare(pairs, rewards, tie_credit).credit if pairs else 0.0
