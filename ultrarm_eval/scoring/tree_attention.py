"""Attention over packed trees, through transformers' own attention interface.

A segment's tokens see the segments before it on its path and, causally, their own; never a
neighbour. The function runs one scaled dot product a segment, which needs no mask tensor and works
on every device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

from ultrarm_eval.errors import ScoringError
from ultrarm_eval.scoring.rows import PackedRow, Span

NAME = "ultrarm_eval_tree"


@dataclass
class TreeLayout:
    """Who sees whom in a row, handed to the attention function as the keyword `tree`.

    Attributes:
        spans: The row's slice of each segment.
        contexts: For each segment the slices before it on its path.
        read_at: Where the rewards are read.
        last: Keys and values of the whole row in the layer that computes the positions of
            `read_at` alone; None in every other layer.
    """

    spans: Sequence[Span]
    contexts: Sequence[Sequence[Span]]
    read_at: Sequence[int]
    last: tuple[torch.Tensor, torch.Tensor] | None = None

    @classmethod
    def of(cls, row: PackedRow) -> TreeLayout:
        """The layout of a row."""
        return cls(row.spans, row.contexts, [int(position) for position in row.read_at])


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
    tree: TreeLayout | None = None,
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
        tree: The row's layout.

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
    options: dict[str, Any] = {"scale": scaling, "enable_gqa": key.shape[1] != query.shape[1]}
    if tree.last is not None:
        output = _at_ends(query, *tree.last, tree, options)
    else:
        output = _by_segment(query, key, value, tree, options)
    return output.transpose(1, 2), None


def _by_segment(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    tree: TreeLayout,
    options: dict[str, Any],
) -> torch.Tensor:
    outputs = []
    for span, context in zip(tree.spans, tree.contexts, strict=True):
        asking = query[:, :, slice(*span)]
        seen = [*context, span]
        keys, values = _join(key, seen), _join(value, seen)
        length = asking.shape[2]
        if length == 1:
            mask, causal = None, False
        elif not context:
            mask, causal = None, True
        else:
            # SDPA's own is_causal aligns to the upper left where there are more keys.
            mask, causal = causal_lower_right(length, keys.shape[2]), False
        outputs.append(
            scaled_dot_product_attention(asking, keys, values, mask, is_causal=causal, **options)
        )
    return torch.cat(outputs, dim=2)


def _at_ends(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    tree: TreeLayout,
    options: dict[str, Any],
) -> torch.Tensor:
    """Attention of the positions that are read, to the whole row's keys and values.

    A position that is read is the last one of its segment.
    """
    outputs, segment = [], 0
    for asked, position in enumerate(tree.read_at):
        while tree.spans[segment][1] <= position:
            segment += 1
        seen = [*tree.contexts[segment], tree.spans[segment]]
        outputs.append(
            scaled_dot_product_attention(
                query[:, :, asked : asked + 1], _join(key, seen), _join(value, seen), **options
            )
        )
    return torch.cat(outputs, dim=2)


def _join(tensor: torch.Tensor, spans: Sequence[Span]) -> torch.Tensor:
    if len(spans) == 1:
        return tensor[:, :, slice(*spans[0])]
    return torch.cat([tensor[:, :, slice(*span)] for span in spans], dim=2)
