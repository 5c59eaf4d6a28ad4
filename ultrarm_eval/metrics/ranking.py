"""How a judge ranks all completions of one prompt."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from fractions import Fraction
from typing import TypeVar

_Comparable = TypeVar("_Comparable", float, Fraction)


def best_of_n(ratings: Sequence[Fraction], rewards: Sequence[float]) -> float:
    """Of the completions with the highest reward, the share that is top-rated.

    What picking the best of n by this judge yields: a tie at the top is drawn by lot, so a
    constant judge gets the share of top-rated completions.

    Args:
        ratings: The rating of each completion, at least one.
        rewards: The reward of each completion.
    """
    highest, best = max(rewards), max(ratings)
    picked = [rating for rating, reward in zip(ratings, rewards, strict=True) if reward == highest]
    return sum(rating == best for rating in picked) / len(picked)


def kendall_tau(ratings: Sequence[Fraction], rewards: Sequence[float]) -> float | None:
    """Kendall's tau-b between ratings and rewards (scipy's).

    Args:
        ratings: The rating of each completion.
        rewards: The reward of each completion.

    Returns:
        The correlation, from -1 to 1; 0 where all rewards are equal, for such a judge orders
        nothing; None where all ratings are equal, for then there is no order to find.
    """
    if len(set(ratings)) < 2:
        return None
    if len(set(rewards)) < 2:
        return 0.0
    return _tau_of_ranks(_ranks(ratings), _ranks(rewards))


def _ranks(values: Sequence[_Comparable]) -> tuple[int, ...]:
    """Dense ranks: exact where a float could not tell two ratings apart."""
    rank = {value: position for position, value in enumerate(sorted(set(values)))}
    return tuple(rank[value] for value in values)


@functools.lru_cache(maxsize=8192)
def _tau_of_ranks(ratings: tuple[int, ...], rewards: tuple[int, ...]) -> float:
    # Tau depends on ranks alone, and four completions can be ranked in 75 ways: the cache makes
    # scipy's 0.4 ms a call negligible over 64,000 prompts.
    from scipy.stats import kendalltau

    return float(kendalltau(ratings, rewards, variant="b").statistic)
