"""torch's flex_attention with the tree as its block mask."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from ultrarm_eval.engine.kernels.sdpa import AttentionBySegment
from ultrarm_eval.engine.rows import TreeLayout

# Block size of the mask, and the minimum length: few lengths mean few compiled kernels.
_BLOCK, _LEAST = 128, 1024
# Each length up to a full budget needs a kernel, again for every width and dtype of a judge. Beyond
# dynamo's own limit, 8 per process, compiling is refused and scoring would end.
_MOST_KERNELS = 128


class FlexAttention(AttentionBySegment):
    """flex_attention for all positions; the few read positions are computed segment by segment."""

    def __init__(self, layout: TreeLayout) -> None:
        """Prepares the attention of a row."""
        super().__init__(layout)
        _allow_kernels()
        self._masks: dict[torch.device, Any] = {}
        tokens = layout.spans[-1][1]
        self._length = max(_LEAST, 1 << (tokens - 1).bit_length())

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """See `RowAttention.attend`."""
        tokens = query.shape[2]
        if query.device not in self._masks:
            self._masks[query.device] = self._block_mask(query.device)
        padded = (
            torch.nn.functional.pad(tensor, (0, 0, 0, self._length - tokens))
            for tensor in (query, key, value)
        )
        attend = _compiled_attention() if query.device.type == "cuda" else flex_attention
        output = attend(
            *padded,
            block_mask=self._masks[query.device],
            scale=scale,
            enable_gqa=key.shape[1] != query.shape[1],
        )
        return output[:, :, :tokens].transpose(1, 2)  # type: ignore[no-any-return]

    def _block_mask(self, device: torch.device) -> Any:
        seen_until = seen_until_position(self.layout, self._length).to(device)

        def visible(
            batch: torch.Tensor, head: torch.Tensor, asking: torch.Tensor, asked: torch.Tensor
        ) -> torch.Tensor:
            return (asking >= asked) & (asking < seen_until[asked])

        make = _compiled_mask() if device.type == "cuda" else create_block_mask
        return make(
            visible, None, None, self._length, self._length, device=str(device), BLOCK_SIZE=_BLOCK
        )


def seen_until_position(layout: TreeLayout, length: int) -> torch.Tensor:
    """For each position the first position that no longer sees it, shape (length,).

    A segment precedes all that follow it on a path, and those are adjacent: the positions that see
    it are one range. No position sees padding, so its blocks are skipped.
    """
    until = torch.zeros(length, dtype=torch.long)
    for (start, stop), context in zip(layout.spans, layout.contexts, strict=True):
        until[start:stop] = stop
        for first, last in context:
            until[first:last] = stop
    return until


def _allow_kernels() -> None:
    """Raises dynamo's limit permanently in this thread, which computes the row."""
    limits: Any = torch._dynamo.config
    # The second is the older name, and an alias if both exist.
    name = "recompile_limit" if hasattr(limits, "recompile_limit") else "cache_size_limit"
    setattr(limits, name, max(getattr(limits, name), _MOST_KERNELS))


# Uncompiled, both are the plain formula, exact and slow, with the whole matrix in memory: an
# error is better than falling back to it.
@cache
def _compiled_attention() -> Any:
    return torch.compile(flex_attention, dynamic=False, fullgraph=True)


@cache
def _compiled_mask() -> Any:
    return torch.compile(create_block_mask, dynamic=False)
