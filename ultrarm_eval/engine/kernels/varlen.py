"""One variable-length call per layer, with the flash-attention kernels of a GPU.

Each segment is a sequence of queries; its keys are gathered from the segments on its path and its
own, so that the kernel's causal mask, aligned to the lower right, is the tree's. Since flash-attn
2.1 it is aligned that way (its changelog); a kernel is tested for it before it is used.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ultrarm_eval.engine.kernels.tree_attention import RowAttention
from ultrarm_eval.engine.rows import Span, TreeLayout

#: A call gathers at most this multiple of the row's tokens: many answers to one long prompt would
#: each repeat its keys.
MOST_GATHERED = 2


@dataclass(frozen=True)
class Sequences:
    """The sequences of a variable-length call.

    Attributes:
        queries: Number of queries.
        query_ends: Cumulated lengths of the queries, int32, shape (sequences + 1,).
        key_ends: Cumulated lengths of the keys, int32, shape (sequences + 1,).
        longest_query: The longest sequence of queries.
        longest_key: The longest sequence of keys.
        gathered: The row's positions that the keys are taken from, shape (keys,); None if they
            are the row itself.
    """

    queries: int
    query_ends: torch.Tensor
    key_ends: torch.Tensor
    longest_query: int
    longest_key: int
    gathered: torch.Tensor | None

    @classmethod
    def of(
        cls,
        query_lengths: Sequence[int],
        key_lengths: Sequence[int],
        spans: Sequence[Span] | None,
        device: torch.device,
    ) -> Sequences:
        """The sequences of these lengths, whose keys are in these slices of the row."""
        return cls(
            sum(query_lengths),
            _ends(query_lengths, device),
            _ends(key_lengths, device),
            max(query_lengths),
            max(key_lengths),
            None if spans is None else torch.from_numpy(_positions(spans)).to(device),
        )


#: (query, key, value, sequences, scale) -> output; tensors of shape (tokens, heads, head size).
VarlenKernel = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Sequences, float], torch.Tensor]


class VarlenAttention(RowAttention):
    """A variable-length kernel over the row's gathered keys."""

    def __init__(self, layout: TreeLayout, kernel: VarlenKernel) -> None:
        """Prepares the attention of a row."""
        super().__init__(layout)
        self._kernel = kernel
        # By device: a model may be spread over several.
        self._whole: dict[torch.device, list[Sequences]] = {}
        self._ends: dict[torch.device, list[Sequences]] = {}

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """See `RowAttention.attend`."""
        device = query.device
        if device not in self._whole:
            lengths = [stop - start for start, stop in self.layout.spans]
            self._whole[device] = self._calls(lengths, range(len(lengths)), device)
        return self._run(query, key, value, self._whole[device], scale)

    def attend_at_ends(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """See `RowAttention.attend_at_ends`."""
        device = query.device
        if device not in self._ends:
            segments = self.layout.read_segments()
            self._ends[device] = self._calls([1] * len(segments), segments, device)
        return self._run(query, key, value, self._ends[device], scale)

    def _calls(
        self, query_lengths: Sequence[int], segments: Sequence[int], device: torch.device
    ) -> list[Sequences]:
        """The calls that compute segments, each within the limit of gathered keys."""
        layout = self.layout
        seen = [[*layout.contexts[s], layout.spans[s]] for s in segments]
        lengths = [sum(stop - start for start, stop in spans) for spans in seen]
        if [span for spans in seen for span in spans] == list(layout.spans):
            return [Sequences.of(query_lengths, lengths, None, device)]
        most = max(MOST_GATHERED * layout.spans[-1][1], max(lengths))
        calls, first, gathered = [], 0, 0
        for index, length in enumerate([*lengths, most + 1]):
            if gathered + length > most:
                some = slice(first, index)
                spans = [span for spans in seen[some] for span in spans]
                calls.append(Sequences.of(query_lengths[some], lengths[some], spans, device))
                first, gathered = index, 0
            gathered += length
        return calls

    def _run(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        calls: Sequence[Sequences],
        scale: float,
    ) -> torch.Tensor:
        query, key, value = (
            tensor[0].transpose(0, 1).contiguous() for tensor in (query, key, value)
        )
        outputs, start = [], 0
        for call in calls:
            keys, values = key, value
            if call.gathered is not None:
                keys, values = key[call.gathered], value[call.gathered]
            asking = query[start : start + call.queries]
            outputs.append(self._kernel(asking, keys, values, call, scale))
            start += call.queries
        return torch.cat(outputs)[None] if len(outputs) > 1 else outputs[0][None]


def flash_attn_kernel() -> VarlenKernel:
    """The kernel of the package flash-attn.

    Raises:
        ImportError: It is not installed.
    """
    from flash_attn import flash_attn_varlen_func

    def kernel(
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        sequences: Sequences,
        scale: float,
    ) -> torch.Tensor:
        output: torch.Tensor = flash_attn_varlen_func(
            query,
            key,
            value,
            sequences.query_ends,
            sequences.key_ends,
            sequences.longest_query,
            sequences.longest_key,
            softmax_scale=scale,
            causal=True,
        )
        return output

    return kernel


def torch_kernel() -> VarlenKernel:
    """The kernel of torch itself, since 2.10 (`torch.nn.attention.varlen`).

    Raises:
        ImportError: This version of torch has none.
    """
    from torch.nn.attention.varlen import varlen_attn

    # 2.10 has `is_causal` and the usual scale alone; later ones a window, a scale and key groups.
    attend: Any = varlen_attn
    known = inspect.signature(varlen_attn).parameters
    causal: dict[str, Any] = (
        {"window_size": (-1, 0)} if "window_size" in known else {"is_causal": True}
    )

    def kernel(
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        sequences: Sequences,
        scale: float,
    ) -> torch.Tensor:
        scaled: dict[str, Any] = {"scale": scale} if "scale" in known else {}
        if "scale" not in known and scale != query.shape[-1] ** -0.5:
            query = query * (scale * query.shape[-1] ** 0.5)
        if "enable_gqa" in known:
            scaled["enable_gqa"] = True
        elif key.shape[1] != query.shape[1]:
            groups = query.shape[1] // key.shape[1]
            key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
        output: torch.Tensor = attend(
            query,
            key,
            value,
            sequences.query_ends,
            sequences.key_ends,
            sequences.longest_query,
            sequences.longest_key,
            **causal,
            **scaled,
        )
        return output

    return kernel


def _ends(lengths: Sequence[int], device: torch.device) -> torch.Tensor:
    return torch.tensor(np.cumsum([0, *lengths]), dtype=torch.int32, device=device)


def _positions(spans: Sequence[Span]) -> npt.NDArray[np.int64]:
    return np.concatenate([np.arange(start, stop) for start, stop in spans])
