"""Runs a Llama-like decoder over batches, using transformers' own modules.

A reward needs the last layer's output at one position per text: that layer runs unchanged on those
few positions only, with keys and values of the complete row.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch

from ultrarm_eval.engine.cpu_layers import CpuLayers
from ultrarm_eval.engine.kernels.choice import Place, choose_kernel
from ultrarm_eval.engine.kernels.tree_attention import (
    NAME,
    Kernel,
    RowAttention,
    register,
)
from ultrarm_eval.engine.rows import PackedRow, padded_right, single_text
from ultrarm_eval.errors import DeviceError, first_line
from ultrarm_eval.setting import AUTO
from ultrarm_eval.text_format.tokens import Tokens

if TYPE_CHECKING:
    from ultrarm_eval.checkpoints.decoder_reward_model import DecoderRewardModel

logger = logging.getLogger(__name__)

_PADDING_ID = 0
_TRIAL_TOKENS = 8


class DecoderRunner:
    """A decoder, run on its device."""

    written = 0

    def __init__(
        self,
        model: DecoderRewardModel,
        *,
        attn_implementation: str = AUTO,
        compiled: bool = False,
        padded: bool = False,
    ) -> None:
        """Prepares the model.

        Args:
            model: The reward model, in evaluation mode.
            attn_implementation: The kernel for rows without padding; see
                `ultrarm_eval.engine.kernels.choice`.
            compiled: Whether the model's layers were compiled.
            padded: Whether texts are padded, so that a single text uses the same attention.
        """
        self.model = model
        self._requested, self._padded = attn_implementation, padded
        self._kernel: Kernel | None = None
        #: The attention of the rows, after the first was computed.
        self.kernel_name: str | None = None
        places = getattr(model, "hf_device_map", None) or {}
        self._is_spread = len(set(places.values())) > 1
        as_it_is = compiled or self._is_spread
        self._layers: AbstractContextManager[None] = nullcontext() if as_it_is else CpuLayers(model)
        # One row at a time: while it runs, the model has another attention and a hook.
        self._running = threading.Lock()

    def score_row(self, row: PackedRow) -> torch.Tensor:
        """Rewards of the texts of a row without padding.

        Returns:
            float32, shape (texts,) or (texts, width), in the order of `row.texts`.
        """
        model = self.model
        with self._running, torch.inference_mode():
            tree = self._row_kernel()(row.layout)
            with self._tree_attention(), self._layers:
                if self._is_spread:
                    # accelerate moves a layer's inputs after the hook that narrows them.
                    hidden = model.hidden_states(**self._row_inputs(row, tree))
                    hidden = hidden[:, torch.tensor(tree.layout.read_at, device=hidden.device)]
                else:
                    with LastLayerAtEnds(model.model.layers[-1], tree):
                        hidden = model.hidden_states(**self._row_inputs(row, tree))
            rewards: torch.Tensor = model.reward_head(hidden)
        return rewards[0, : len(row.texts)].squeeze(-1)

    def score_after_tokens(self, text: Tokens) -> torch.Tensor:
        """Rewards of every prefix of a text, in one pass.

        Returns:
            float32, shape (tokens,).
        """
        model = self.model
        with self._running, torch.inference_mode(), self._layers:
            if self._padded:
                ids, _ = padded_right([text], _PADDING_ID, model.device)
                return model.rewards_after_tokens(ids)[0]
            row = single_text(text)
            tree = self._row_kernel()(row.layout)
            with self._tree_attention():
                return model.rewards_after_tokens(**self._row_inputs(row, tree))[0]

    def score_alone(self, text: Tokens) -> torch.Tensor:
        """The reward of a text through the complete model as transformers runs it."""
        ids = torch.tensor([list(text)], device=self.model.device)
        with torch.inference_mode():
            found: torch.Tensor = self.model(ids)[0].squeeze(-1)
        return found

    def _row_inputs(self, row: PackedRow, tree: RowAttention) -> dict[str, Any]:
        device = self.model.device
        return {
            "input_ids": torch.from_numpy(row.ids).long().to(device)[None],
            "position_ids": torch.from_numpy(row.positions).to(device)[None],
            "tree": tree,
        }

    def score_padded(self, texts: Sequence[Tokens]) -> torch.Tensor:
        """Rewards of texts padded on the right to the longest.

        Returns:
            float32, shape (texts,) or (texts, width).
        """
        device = self.model.device
        ids, _ = padded_right(texts, _PADDING_ID, device)
        with self._running, torch.inference_mode(), self._layers:
            last = torch.tensor([len(text) - 1 for text in texts], device=device)
            return self.model.rewards_at(ids, last)

    def _row_kernel(self) -> Kernel:
        if self._kernel is None:
            place = Place(self.model.config, self.model.device, self.model.dtype)
            self.kernel_name, self._kernel = choose_kernel(self._requested, place)
            logger.info(
                "attn_implementation=%s is used for rows without padding on %s.",
                self.kernel_name,
                place.device,
            )
        return self._kernel

    @contextmanager
    def _tree_attention(self) -> Iterator[None]:
        """Makes the backbone use tree attention within the context.

        transformers makes masks by the implementation's name, and makes none for this one:
        otherwise it would see a packed row and make a mask of the row's length squared.
        """
        register()
        config = self.model.model.config
        before = config._attn_implementation
        config._attn_implementation = NAME
        try:
            yield
        finally:
            config._attn_implementation = before


class LastLayerAtEnds:
    """A hook before a model's last layer, within a context."""

    def __init__(self, layer: Any, tree: RowAttention) -> None:
        """Prepares the hook.

        Args:
            layer: The last decoder layer, Llama-like.
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
        # Qwen3 normalizes its keys.
        key_norm = getattr(attention, "k_norm", None)
        key = (key if key_norm is None else key_norm(key)).transpose(1, 2)
        value = attention.v_proj(normed).view(shape).transpose(1, 2)
        key, _ = apply_rotary_pos_emb(key, key, cosine, sine)
        self._tree.last = (key, value)
        read_at = torch.tensor(self._tree.layout.read_at, device=hidden.device)
        narrowed = {**kwargs, "position_embeddings": (cosine[:, read_at], sine[:, read_at])}
        return (hidden[:, read_at], *rest), narrowed


def compile_layers(model: DecoderRewardModel) -> None:
    """Compiles every layer's norms and MLP for rows of any length.

    Attention is not compiled: its shapes change with the tree of every row.

    Args:
        model: The loaded model, changed in place.

    Raises:
        DeviceError: torch.compile does not work here.
    """
    for layer in model.model.layers:
        for part in (layer.input_layernorm, layer.post_attention_layernorm, layer.mlp):
            part.compile(dynamic=True)
    first = model.model.layers[0]
    trial = torch.zeros(
        1, _TRIAL_TOKENS, model.config.hidden_size, dtype=model.dtype, device=model.device
    )
    try:
        with torch.inference_mode():
            first.mlp(first.input_layernorm(trial))
    except Exception as error:
        # A missing compiler, missing headers and an unsupported GPU raise different errors.
        raise DeviceError(
            f"torch_compile=True does not work here ({first_line(error)}). Remove it."
        ) from error
