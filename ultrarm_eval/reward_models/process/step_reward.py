"""Heads that give a step a reward between 0 and 1."""

from __future__ import annotations

import torch
from torch import nn


class ClassShare(nn.Module):
    """The share of one class in a softmax over few."""

    def __init__(self, inner: nn.Module, index: int) -> None:
        """Takes what gives the classes' logits, and which class is the good one."""
        super().__init__()
        self.inner, self._index = inner, index

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Maps (..., hidden size) to (..., 1)."""
        shares = torch.softmax(self.inner(hidden), dim=-1)
        return shares[..., self._index : self._index + 1]


class Sigmoid(nn.Module):
    """The sigmoid of one value."""

    def __init__(self, inner: nn.Module) -> None:
        """Takes what gives the value."""
        super().__init__()
        self.inner = inner

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Maps (..., hidden size) to (..., 1)."""
        return torch.sigmoid(self.inner(hidden))
