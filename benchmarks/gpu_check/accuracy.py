"""How far rewards are from those of the loop, and how far they may be."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ultrarm_eval import LlamaRewardModel

#: The package's promise for float32, for rewards that spread by 1.
EXACT = 5e-5
# Rounding in another order: a few times what the loop in the same dtype is off itself, where the
# largest of a few texts was luckily small. What attends to the wrong tokens is further off than
# that: see `Loop.sensitivity`.
_TIMES_LOOPS_OWN, _OF_SPREAD = 3.0, 0.01
_OF_SENSITIVITY = 0.3

TextIds = Sequence[int]


def one_at_a_time(model: LlamaRewardModel, texts: Sequence[TextIds]) -> list[float]:
    """Rewards by the loop: each text alone, through the model as transformers runs it."""
    with torch.inference_mode():
        return [float(model(torch.tensor([list(ids)], device=model.device))) for ids in texts]


@dataclass(frozen=True)
class ExactLoop:
    """What the loop finds in float32.

    Attributes:
        texts: Token ids.
        rewards: Their rewards.
        sensitivity: How far the loop moves at most where the first tokens of a text are not seen.
            A kernel with a wrong mask is off by that.
    """

    texts: Sequence[TextIds]
    rewards: list[float]
    sensitivity: float

    @classmethod
    def of(cls, model: LlamaRewardModel, texts: Sequence[TextIds]) -> ExactLoop:
        """Runs the loop with a model in float32, wherever it is."""
        rewards = one_at_a_time(model, texts)
        cut = one_at_a_time(model, [ids[len(ids) // 4 :] for ids in texts])
        return cls(texts, rewards, largest_difference(rewards, cut))

    def beside(self, model: LlamaRewardModel) -> Loop:
        """The same with what the loop finds with the same weights in a dtype, on a device."""
        return Loop(self.rewards, one_at_a_time(model, self.texts), model.dtype, self.sensitivity)


@dataclass(frozen=True)
class Loop:
    """What the loop finds in float32, and in the dtype that is looked at.

    Attributes:
        exact: Rewards in float32.
        own: Rewards in the dtype.
        dtype: The dtype.
        sensitivity: See `ExactLoop`.
    """

    exact: list[float]
    own: list[float]
    dtype: torch.dtype
    sensitivity: float

    @property
    def spread(self) -> float:
        """Standard deviation of the rewards."""
        return statistics.pstdev(self.exact)

    @property
    def allowed(self) -> float:
        """The largest difference that rounding explains."""
        if self.dtype == torch.float32:
            return EXACT * max(1.0, self.spread)
        return max(
            _TIMES_LOOPS_OWN * largest_difference(self.own, self.exact), _OF_SPREAD * self.spread
        )

    def told(self) -> dict[str, float]:
        """Its own figures."""
        return {
            "spread_of_rewards": self.spread,
            "sensitivity": self.sensitivity,
            "loop_in_dtype": largest_difference(self.own, self.exact),
            "allowed": self.allowed,
        }

    def tells_a_wrong_mask(self) -> bool:
        """Whether what is allowed is well below what a wrong mask does."""
        return self.allowed <= _OF_SENSITIVITY * self.sensitivity

    def compared(
        self, found: Sequence[float], pairs: Sequence[tuple[int, int]], *, loose: bool = False
    ) -> dict[str, Any]:
        """Rewards against the float32 loop.

        Args:
            found: The rewards, one for each text.
            pairs: Texts that are compared with each other.
            loose: Whether a kernel in float32 may round as TF32 does.
        """
        difference = largest_difference(found, self.exact)
        allowed = max(self.allowed, _OF_SPREAD * self.spread) if loose else self.allowed
        return {
            "largest_difference": difference,
            "allowed": allowed,
            "flipped_pairs": flipped(found, self.exact, pairs),
            "flipped_by_the_loop": flipped(self.own, self.exact, pairs),
            "pairs": len(pairs),
            "passed": difference <= allowed,
        }


def largest_difference(found: Sequence[float], expected: Sequence[float]) -> float:
    """The largest absolute difference; infinite where a reward is no number or is missing."""
    if len(found) != len(expected):
        return float("inf")
    differences = [abs(a - b) for a, b in zip(found, expected, strict=True)]
    return max((d if d == d else float("inf") for d in differences), default=0.0)


def flipped(
    found: Sequence[float], expected: Sequence[float], pairs: Sequence[tuple[int, int]]
) -> int:
    """Pairs whose rewards are ordered otherwise."""
    return sum((found[a] > found[b]) != (expected[a] > expected[b]) for a, b in pairs)


def in_order(rewards: Mapping[int, float], count: int) -> list[float]:
    """Rewards by the text's number; what is missing is no number."""
    return [rewards.get(i, float("nan")) for i in range(count)]
