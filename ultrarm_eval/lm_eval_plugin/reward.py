"""A reward in the place of a log-likelihood."""

from __future__ import annotations

from typing import NamedTuple


class Reward(NamedTuple):
    """What a judge answers to a log-likelihood request.

    The harness takes it for (log-likelihood, is greedy); our tasks know a judge by it. It has a
    module-level class because response caches pickle it. The reward of a judge that writes is a
    `CritiquedReward`.
    """

    reward: float
    is_greedy: bool = False
