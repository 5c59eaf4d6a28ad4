"""Rewards that are a weighted sum of objectives, with weights that the network outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.engine.reads import Outputs
from ultrarm_eval.judges.reward_head import DecoderHead


def stacked(shown: torch.Tensor, weighed: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The output of a network's head at a token, for `WeightedReward`: (..., 3 x objectives).

    Args:
        shown: The objectives as reported in results, (..., objectives).
        weighed: The objectives as they enter the weighted sum.
        weights: The weights.
    """
    return torch.cat([shown, weighed, weights], dim=-1)


class WeightedSum(nn.Module):
    """The sum of objectives times weights, where both are read at one token."""

    def __init__(self, head: nn.Module) -> None:
        """Takes a head whose output is that of `stacked`."""
        super().__init__()
        self.head = head

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Maps (..., hidden size) to (..., 1)."""
        _, weighed, weights = self.head(hidden).unflatten(-1, (3, -1)).unbind(-2)
        return (weighed * weights).sum(-1, keepdim=True)  # type: ignore[no-any-return]


class WeightedReward(DecoderHead):
    """The sum of objectives times weights; results contain the objectives next to the rewards."""

    def __init__(self, checkpoint: Checkpoint, names: Sequence[str]) -> None:
        """Takes the checkpoint.

        Args:
            checkpoint: The checkpoint; the output of its head is that of `stacked`.
            names: The objectives' names, in their order.
        """
        super().__init__(checkpoint)
        self._names = tuple(names)
        self.compose = self._composed

    def _composed(self, outputs: Outputs) -> tuple[float, dict[str, Any]]:
        """Objectives are read at the last token in `outputs`, weights at the first."""
        shown, weighed, _ = outputs[-1].reshape(3, -1)
        weights = outputs[0].reshape(3, -1)[2]
        named = dict(zip(self._names, shown.tolist(), strict=True))
        return float(weights @ weighed), {"objectives": named}
