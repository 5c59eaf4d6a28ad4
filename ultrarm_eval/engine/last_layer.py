"""The last layer, computed at the positions that are read.

A reward needs the last layer's output at one position a text. Keys and values of the whole row are
computed before the layer runs, by its own norm and projections; the layer then runs, as it is, on
the few positions alone.
"""

from __future__ import annotations

from typing import Any

import torch

from ultrarm_eval.engine.attention.row_attention import RowAttention


class LastLayerAtEnds:
    """A hook before a model's last layer, for as long as the context lasts."""

    def __init__(self, layer: Any, tree: RowAttention) -> None:
        """Prepares the hook.

        Args:
            layer: The last decoder layer, of Llama's make.
            tree: The attention of the row that will be computed.
        """
        self._layer, self._tree = layer, tree
        self._handle: Any = None

    def __enter__(self) -> None:
        self._handle = self._layer.register_forward_pre_hook(self._narrow, with_kwargs=True)

    def __exit__(self, *_: object) -> None:
        self._handle.remove()

    def _narrow(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

        hidden, *rest = args
        cosine, sine = kwargs["position_embeddings"]
        attention = layer.self_attn
        normed = layer.input_layernorm(hidden)
        shape = (*normed.shape[:-1], -1, attention.head_dim)
        key = attention.k_proj(normed).view(shape)
        # Qwen3 norms its keys.
        key_norm = getattr(attention, "k_norm", None)
        key = (key if key_norm is None else key_norm(key)).transpose(1, 2)
        value = attention.v_proj(normed).view(shape).transpose(1, 2)
        key, _ = apply_rotary_pos_emb(key, key, cosine, sine)
        self._tree.last = (key, value)
        read_at = torch.tensor(self._tree.layout.read_at, device=hidden.device)
        narrowed = {**kwargs, "position_embeddings": (cosine[:, read_at], sine[:, read_at])}
        return (hidden[:, read_at], *rest), narrowed
