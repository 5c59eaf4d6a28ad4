"""Heads that give a step a reward between 0 and 1."""

from __future__ import annotations

import torch
from torch import nn


class ClassShare(nn.Module):
    """The probability of one class in a softmax over a few classes."""

    def __init__(self, inner: nn.Module, index: int) -> None:
        """Takes the module that outputs the classes' logits, and the index of the good class."""
        super().__init__()
        self.inner, self._index = inner, index

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Maps (..., hidden size) to (..., 1)."""
        shares = torch.softmax(self.inner(hidden), dim=-1)
        return shares[..., self._index : self._index + 1]


class Sigmoid(nn.Module):
    """The sigmoid of one value."""

    def __init__(self, inner: nn.Module) -> None:
        """Takes the module that outputs the value."""
        super().__init__()
        self.inner = inner

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Maps (..., hidden size) to (..., 1)."""
        return torch.sigmoid(self.inner(hidden))
