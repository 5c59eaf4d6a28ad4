"""Preference accuracy, first within a prompt, then over prompts.

A prompt's own value is the mean over its pairs, and the reported figure the mean over prompts:
pairs of one prompt share completions, so they are no independent observations, and only the
standard error over prompts is right. The pooled figure over all pairs is reported beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ultrarm_eval.errors import ScoringError
from ultrarm_eval.pairs import PreferencePair

TIE_CREDIT = 0.5


@dataclass(frozen=True)
class PromptOutcome:
    """How a judge ordered the pairs of one prompt.

    Attributes:
        pairs: Number of pairs, at least 1.
        credit: Pairs ordered rightly; a tie in reward counts one half.
        ties: Pairs with equal rewards.
        margin_sum: Sum of chosen minus rejected reward.
    """

    pairs: int
    credit: float
    ties: int
    margin_sum: float

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


def compare(pairs: Sequence[PreferencePair], rewards: Mapping[int, float]) -> PromptOutcome:
    """Compares the rewards of one prompt's completions.

    Args:
        pairs: The prompt's pairs.
        rewards: Reward by index of the completion.

    Raises:
        ScoringError: There is no pair, or a reward is NaN: NaN compares as wrong with everything,
            so a broken judge would look like a bad one.
    """
    if not pairs:
        raise ScoringError("A prompt without pairs has no accuracy; leave it out beforehand.")
    credit, ties, margin_sum = 0.0, 0, 0.0
    for pair in pairs:
        chosen, rejected = rewards[pair.chosen], rewards[pair.rejected]
        if math.isnan(chosen) or math.isnan(rejected):
            raise ScoringError(
                f"Completion {pair.chosen if math.isnan(chosen) else pair.rejected} has the reward "
                "NaN; a judge has to give every completion a number."
            )
        if chosen == rejected:
            ties += 1
            credit += TIE_CREDIT
            continue
        credit += chosen > rejected
        margin_sum += chosen - rejected
    return PromptOutcome(len(pairs), credit, ties, margin_sum)


def pooled_accuracy(outcomes: Iterable[tuple[float, int]]) -> float:
    """The share of all pairs ordered rightly, prompts with more pairs weighing more.

    Args:
        outcomes: (credit, number of pairs) of each prompt.
    """
    items = list(outcomes)
    return math.fsum(credit for credit, _ in items) / sum(pairs for _, pairs in items)
