"""One scaled dot product per segment: no mask tensor, any device, any dtype."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

from ultrarm_eval.engine.kernels.tree_attention import RowAttention
from ultrarm_eval.engine.rows import Span


class AttentionBySegment(RowAttention):
    """torch's scaled dot product attention, called once for each segment."""

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """See `RowAttention.attend`."""
        options = _options(query, key, scale)
        outputs = []
        for span, context in zip(self.layout.spans, self.layout.contexts, strict=True):
            asking = query[:, :, slice(*span)]
            seen = [*context, span]
            keys, values = _join(key, seen), _join(value, seen)
            length = asking.shape[2]
            if length == 1:
                mask, causal = None, False
            elif not context:
                mask, causal = None, True
            else:
                # SDPA's own is_causal aligns to the upper left if there are more keys than queries.
                mask, causal = causal_lower_right(length, keys.shape[2]), False
            outputs.append(
                scaled_dot_product_attention(
                    asking, keys, values, mask, is_causal=causal, **options
                )
            )
        return torch.cat(outputs, dim=2).transpose(1, 2)

    def attend_at_ends(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """See `RowAttention.attend_at_ends`."""
        options = _options(query, key, scale)
        outputs = []
        for asked, segment in enumerate(self.layout.read_segments()):
            seen = [*self.layout.contexts[segment], self.layout.spans[segment]]
            outputs.append(
                scaled_dot_product_attention(
                    query[:, :, asked : asked + 1], _join(key, seen), _join(value, seen), **options
                )
            )
        return torch.cat(outputs, dim=2).transpose(1, 2)


def _options(query: torch.Tensor, key: torch.Tensor, scale: float) -> dict[str, Any]:
    return {"scale": scale, "enable_gqa": key.shape[1] != query.shape[1]}


def _join(tensor: torch.Tensor, spans: Sequence[Span]) -> torch.Tensor:
    if len(spans) == 1:
        return tensor[:, :, slice(*spans[0])]
    return torch.cat([tensor[:, :, slice(*span)] for span in spans], dim=2)
