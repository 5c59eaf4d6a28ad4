"""Rewards with critiques as they were before `Judgement`: taken from other packages and caches.

Judges of other packages may give them, and response caches of earlier versions hold them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Critique:
    """What was written about an answer.

    Attributes:
        texts: The critiques.
        scores: The score of each; None where there is no readable one.
    """

    texts: tuple[str, ...]
    scores: tuple[float | None, ...]


class CritiquedReward(float):
    """A reward with the critique it was read from; not a number where none was readable.

    Attributes:
        critique: What was written; None where it was not kept beside a stored reward.
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
