"""Cascade attention on a CPU: a segment's own tokens, and the contribution of each shared prefix.

Parts of a softmax over disjoint keys are merged by the logarithms of their sums of exponentials
(Juravsky et al. 2024, "Hydragen", arXiv:2402.05099; "cascade" attention in vLLM and FlashInfer).
No key is gathered and no mask is made; all texts that continue a prefix attend to it in one call.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ultrarm_eval.engine.kernels.sdpa import AttentionBySegment
from ultrarm_eval.engine.rows import Span, TreeLayout

#: Consecutive slices of queries, each with its segment.
_Asked = Sequence[tuple[Span, int]]


class CascadeAttention(AttentionBySegment):
    """torch's fused attention of CPUs, which gives the logarithms as well."""

    def __init__(self, layout: TreeLayout) -> None:
        """Prepares the attention of a row."""
        super().__init__(layout)
        self._whole = [(span, segment) for segment, span in enumerate(layout.spans)]
        # The last position may be repeated; computed once, it rounds as without repetition.
        segments = dict.fromkeys(layout.read_segments())
        self._ends = [((asked, asked + 1), segment) for asked, segment in enumerate(segments)]
        self._prefixes_of_whole = shared_prefixes(layout, self._whole)
        self._prefixes_of_ends = shared_prefixes(layout, self._ends)

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """See `RowAttention.attend`."""
        if not _can_be_merged(key):
            return super().attend(query, key, value, scale)
        return self._merged(query, key, value, scale, self._whole, self._prefixes_of_whole)

    def attend_at_ends(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """See `RowAttention.attend_at_ends`."""
        if not _can_be_merged(key):
            return super().attend_at_ends(query, key, value, scale)
        texts, repeated = len(self._ends), query.shape[2] - len(self._ends)
        query = query[:, :, :texts]
        found = self._merged(query, key, value, scale, self._ends, self._prefixes_of_ends)
        return torch.cat([found, found[:, -1:].expand(-1, repeated, -1, -1)], dim=1)

    def _merged(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        scale: float,
        asked: _Asked,
        prefixes: Sequence[tuple[Span, Span]],
    ) -> torch.Tensor:
        _, heads, tokens, size = query.shape
        output = query.new_empty((1, tokens, heads, size), dtype=torch.float32)
        by_head = output.transpose(1, 2)
        log_sums = query.new_empty((1, heads, tokens), dtype=torch.float32)
        for (start, stop), segment in asked:
            span = self.layout.spans[segment]
            by_head[:, :, start:stop], log_sums[:, :, start:stop] = _attend(
                query[:, :, start:stop],
                key[:, :, slice(*span)],
                value[:, :, slice(*span)],
                # Queries are all tokens of a segment, or its last token, which sees all of them.
                stop - start > 1,
                scale,
            )
        for span, (start, stop) in prefixes:
            found, of_prefix = _attend(
                query[:, :, start:stop],
                key[:, :, slice(*span)],
                value[:, :, slice(*span)],
                False,
                scale,
            )
            before = log_sums[:, :, start:stop]
            share = torch.sigmoid(of_prefix - before).unsqueeze(-1)
            by_head[:, :, start:stop].lerp_(found.float(), share)
            torch.logaddexp(before, of_prefix, out=before)
        return output.to(query.dtype)


def shared_prefixes(layout: TreeLayout, asked: _Asked) -> list[tuple[Span, Span]]:
    """The slices of keys before segments, and the queries that attend to each of them.

    Args:
        layout: The row's layout.
        asked: Consecutive slices of the queries, ascending, and the segment of each.

    Returns:
        Pairs of a slice of keys and a slice of queries; every query gets each slice of its context
        once.
    """
    found: list[tuple[Span, Span]] = []
    # The slices that the previous queries attend to, and the first query of each.
    since: dict[Span, int] = {}
    end = 0
    for (start, stop), segment in asked:
        context = set(layout.contexts[segment])
        left = [span for span in since if span not in context]
        found += [(span, (since.pop(span), end)) for span in left]
        for span in layout.contexts[segment]:
            since.setdefault(span, start)
        end = stop
    return [*found, *((span, (start, end)) for span, start in since.items())]


def is_available() -> bool:
    """Whether this torch has the operator."""
    return hasattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu")


def _can_be_merged(key: torch.Tensor) -> bool:
    """Whether the operator supports the device and returns the weight of each part.

    If every score of a part is -inf or NaN, the operator treats the part as masked and returns 0
    for the output and for the logarithm, a weight that would be merged silently.
    """
    return key.device.type == "cpu" and math.isfinite(float(key.sum(dtype=torch.float32)))


def _attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, is_causal: bool, scale: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs, shape (1, heads, queries, head size), and logarithms, shape (1, heads, queries)."""
    groups, heads = key.shape[1], query.shape[1]
    grouped = groups != heads
    if grouped:
        # Groups of heads take the batch dimension, so that no key is repeated in memory.
        query = query.view(groups, heads // groups, *query.shape[2:])
        key, value = (t[0][:, None].expand(-1, heads // groups, -1, -1) for t in (key, value))
    output, log_sums = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query, key, value, 0.0, is_causal, scale=scale
    )
    if grouped:
        output, log_sums = output.flatten(0, 1)[None], log_sums.flatten(0, 1)[None]
    return output, log_sums
