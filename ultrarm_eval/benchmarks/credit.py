"""What a judge earns on one item, from the rewards of its completions, the right ones first."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ultrarm_eval.errors import ScoringError


def require_finite(rewards: Sequence[float]) -> None:
    """Refuses rewards that cannot be compared.

    Raises:
        ScoringError: One is not a finite number.
    """
    for index, reward in enumerate(rewards):
        if not math.isfinite(reward):
            raise ScoringError(
                f"Completion {index} has the reward {float(reward)}; a judge has to give every "
                "completion a finite number."
            )


def pair_credit(chosen: float, rejected: float, tie: float) -> float:
    """1 where the chosen completion has the higher reward, `tie` where both are equal, else 0."""
    return tie if chosen == rejected else float(chosen > rejected)


def best_of_k_credit(rewards: Sequence[float]) -> float:
    """1 where the first completion has the highest reward, 1/m where m share it with it, else 0.

    RewardBench 2's rule for its items of one right and three wrong completions
    (rewardbench 0.1.4, `utils.reroll_and_score_dataset`).
    """
    best = max(rewards)
    return 1 / sum(reward == best for reward in rewards) if rewards[0] == best else 0.0


def tie_share(rewards: Sequence[float], correct: int) -> float:
    """The share of pairs of a right and a wrong completion that have equal rewards."""
    pairs = [(right, wrong) for right in rewards[:correct] for wrong in rewards[correct:]]
    return sum(right == wrong for right, wrong in pairs) / len(pairs)
