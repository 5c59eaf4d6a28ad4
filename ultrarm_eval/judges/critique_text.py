"""What a judge wrote about an answer, and the reward that was read from it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
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

    @property
    def reward(self) -> float:
        """The mean of the readable scores; not a number if there is none."""
        read = [score for score in self.scores if score is not None]
        return sum(read) / len(read) if read else math.nan

    def as_json(self) -> str:
        """The critique as a line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, written: str) -> Critique:
        """The critique of a line."""
        values = json.loads(written)
        return cls(tuple(values["texts"]), tuple(values["scores"]))


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
        """Pickles with the critique: response caches and processes do."""
        return CritiquedReward, (float(self), self.critique)


def is_unscored(reward: float) -> bool:
    """Whether a judge looked at an answer and gave no score: it is counted, and never guessed.

    Any other reward that is not a number is an error of the judge.
    """
    return isinstance(reward, CritiquedReward) and math.isnan(reward)
