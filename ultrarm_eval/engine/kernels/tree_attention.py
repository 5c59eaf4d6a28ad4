"""Attention over packed trees: the row defines what each token sees, a kernel computes it.

Kernels are plugged into transformers' own attention interface.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch

from ultrarm_eval.engine.rows import TreeLayout
from ultrarm_eval.errors import ScoringError

NAME = "ultrarm_eval_tree"


class RowAttention(ABC):
    """Attention of one row, handed to every layer as the keyword `tree`.

    Attributes:
        layout: The row's layout.
        last: Keys and values of the complete row in the layer that computes only the positions of
            `layout.read_at`; None in every other layer.
    """

    def __init__(self, layout: TreeLayout) -> None:
        """Prepares the attention of a row."""
        self.layout = layout
        self.last: tuple[torch.Tensor, torch.Tensor] | None = None

    @abstractmethod
    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """Attention of every position.

        Args:
            query: Shape (1, heads, tokens, head size).
            key: Shape (1, key heads, tokens, head size).
            value: Shape (1, key heads, tokens, head size).
            scale: Factor of the scores.

        Returns:
            Shape (1, tokens, heads, head size).
        """

    @abstractmethod
    def attend_at_ends(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """Attention of the read positions to the complete row's keys and values.

        Args:
            query: Shape (1, heads, texts, head size).
            key: Shape (1, key heads, tokens, head size).
            value: Shape (1, key heads, tokens, head size).
            scale: Factor of the scores.

        Returns:
            Shape (1, texts, heads, head size).
        """


#: Makes the attention of a row.
Kernel = Callable[[TreeLayout], RowAttention]


def register() -> None:
    """Registers the function with transformers; repeatable."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, tree_attention)


def tree_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    tree: RowAttention | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of one layer.

    Args:
        module: The layer's attention.
        query: Shape (batch, heads, tokens, head size); one row where there is a tree.
        key: Shape (batch, key heads, tokens, head size).
        value: Shape (batch, key heads, tokens, head size).
        attention_mask: None: transformers makes no mask for this attention.
        scaling: Factor of the scores.
        tree: The row's attention.

    Returns:
        Shape (batch, tokens, heads, head size), and no weights.

    Raises:
        ScoringError: There is no tree, so that padding would be attended to.
    """
    if tree is None:
        raise ScoringError(
            f"The attention {NAME!r} was called without the layout of a row. It supports only "
            "packed rows: do not use a model for anything else while it computes rewards."
        )
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if tree.last is not None:
        return tree.attend_at_ends(query, *tree.last, scale), None
    return tree.attend(query, key, value, scale), None
