"""Rewards with critiques in the format used before `Judgement`.

Judges of other packages may return them, and response caches of earlier versions contain them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Critique:
    """The critiques of an answer.

    Attributes:
        texts: The critiques.
        scores: The score of each; None if there is no readable one.
    """

    texts: tuple[str, ...]
    scores: tuple[float | None, ...]


class CritiquedReward(float):
    """A reward with its critique; NaN if no score was readable.

    Attributes:
        critique: The critique; None if it was not stored with the reward.
    """

    critique: Critique | None

    def __new__(cls, reward: float, critique: Critique | None) -> CritiquedReward:
        """Makes a reward."""
        made = super().__new__(cls, reward)
        made.critique = critique
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles with the critique."""
        return CritiquedReward, (float(self), self.critique)
