"""How a judge orders the pairs of one prompt.

A prompt's own value is the mean over its pairs, and the reported figure the mean over prompts:
pairs of one prompt share completions, so they are no independent observations, and only the
standard error over prompts is right. The pooled figure over all pairs is reported beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ultrarm_eval.errors import ScoringError
from ultrarm_eval.pairs import PreferencePair
from ultrarm_eval.rules import TIE_CREDITS


@dataclass(frozen=True)
class PromptOutcome:
    """How a judge ordered the pairs of one prompt.

    Attributes:
        pairs: Number of pairs, at least 1.
        credit: Pairs ordered rightly, and what the ties are worth.
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
        """Share of the pairs ordered rightly."""
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
        tie_credit: What a pair with equal rewards is worth.

    Raises:
        ScoringError: There is no pair, or a reward is NaN: NaN compares as wrong with everything,
            so a broken judge would look like a bad one.
    """
    if not pairs:
        raise ScoringError("A prompt without pairs has no accuracy; leave it out beforehand.")
    credit, ties, margin_sum, loss_sum = 0.0, 0, 0.0, 0.0
    for pair in pairs:
        chosen, rejected = rewards[pair.chosen], rewards[pair.rejected]
        if math.isnan(chosen) or math.isnan(rejected):
            raise ScoringError(
                f"Completion {pair.chosen if math.isnan(chosen) else pair.rejected} has the reward "
                "NaN; a judge has to give every completion a number."
            )
        # Equal infinities have no difference of their own.
        margin = 0.0 if chosen == rejected else chosen - rejected
        ties += chosen == rejected
        credit += tie_credit if chosen == rejected else chosen > rejected
        margin_sum += margin
        loss_sum += bradley_terry_loss(margin)
    return PromptOutcome(len(pairs), credit, ties, margin_sum, loss_sum)


def bradley_terry_loss(margin: float) -> float:
    """-log sigmoid(margin) in nats: how surprised the Bradley-Terry model is by the preference.

    The loss of reward modelling (Ouyang et al. 2022, arXiv 2203.02155, equation 1, which takes
    the mean over the pairs of a prompt as well); computed without overflow for any margin.
    """
    return max(-margin, 0.0) + math.log1p(math.exp(-abs(margin)))
