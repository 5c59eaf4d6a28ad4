"""Attention over packed trees: who sees whom is the row's, how is a kernel's.

Kernels are plugged into transformers' own attention interface.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ultrarm_eval.engine.rows import PackedRow, Span
from ultrarm_eval.errors import ScoringError

NAME = "ultrarm_eval_tree"
_ROWS = 8


@dataclass(frozen=True)
class TreeLayout:
    """Who sees whom in a row.

    A segment's tokens see the segments before it on its path and, causally, their own; never a
    neighbour.

    Attributes:
        spans: The row's slice of each segment, side by side from 0 on.
        contexts: For each segment the slices before it on its path.
        read_at: Where the rewards are read, ascending: each is the last position of a segment. The
            last one is repeated until there are a multiple of eight, because the products of
            fewer rows round otherwise and a reward would depend on the texts beside it.
    """

    spans: Sequence[Span]
    contexts: Sequence[Sequence[Span]]
    read_at: Sequence[int]

    @classmethod
    def of(cls, row: PackedRow) -> TreeLayout:
        """The layout of a row."""
        read_at = [int(position) for position in row.read_at]
        read_at += read_at[-1:] * (-len(read_at) % _ROWS)
        return cls(row.spans, row.contexts, read_at)

    def read_segments(self) -> list[int]:
        """The segment of each position that is read."""
        last = {stop - 1: segment for segment, (_, stop) in enumerate(self.spans)}
        return [last[position] for position in self.read_at]


class RowAttention(ABC):
    """Attention of one row, handed to every layer as the keyword `tree`.

    Attributes:
        layout: The row's layout.
        last: Keys and values of the whole row in the layer that computes the positions of
            `layout.read_at` alone; None in every other layer.
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
        """Attention of the positions that are read, to the whole row's keys and values.

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
    """Makes the function known to transformers, once or again."""
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
            f"The attention {NAME!r} was called without the layout of a row. It is for packed rows "
            "alone; a model that is scored is not to be used elsewhere at the same time."
        )
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if tree.last is not None:
        return tree.attend_at_ends(query, *tree.last, scale), None
    return tree.attend(query, key, value, scale), None
