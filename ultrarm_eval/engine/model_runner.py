"""Running a model over batches, through the pieces that transformers itself is made of."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ultrarm_eval.engine.attention.choice import AUTO, Place, choose_kernel
from ultrarm_eval.engine.attention.interface import NAME, register
from ultrarm_eval.engine.attention.row_attention import Kernel, RowAttention, TreeLayout
from ultrarm_eval.engine.cpu_layers import CpuLayers
from ultrarm_eval.engine.last_layer import LastLayerAtEnds
from ultrarm_eval.engine.rows import PackedRow, single_text
from ultrarm_eval.engine.token_ids import TokenIds

if TYPE_CHECKING:
    from ultrarm_eval.checkpoints.decoder_reward_model import DecoderRewardModel

logger = logging.getLogger(__name__)

_PADDING_ID = 0


class ModelRunner:
    """A model, and how it is run on its device."""

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
                `ultrarm_eval.engine.attention.choice`.
            compiled: Whether the model's layers were compiled.
            padded: Whether texts are padded, so that a single one attends as those do.
        """
        self.model = model
        self._requested, self._padded = attn_implementation, padded
        self._kernel: Kernel | None = None
        #: The attention of the rows, once one was computed.
        self.kernel_name: str | None = None
        places = getattr(model, "hf_device_map", None) or {}
        self._is_spread = len(set(places.values())) > 1
        as_it_is = compiled or self._is_spread
        self._layers: AbstractContextManager[None] = nullcontext() if as_it_is else CpuLayers(model)
        # One row at a time: while it runs, the model attends in another way and has a hook.
        self._running = threading.Lock()

    def score_row(self, row: PackedRow) -> torch.Tensor:
        """Rewards of the texts of a row without padding.

        Returns:
            float32, shape (texts,), in the order of `row.texts`.
        """
        model = self.model
        with self._running, torch.inference_mode():
            tree = self._row_kernel()(TreeLayout.of(row))
            with self._tree_attention(), self._layers:
                if self._is_spread:
                    # accelerate moves a layer's inputs behind the hook that narrows them.
                    hidden = model.hidden_states(**self._row_inputs(row, tree))
                    hidden = hidden[:, torch.tensor(tree.layout.read_at, device=hidden.device)]
                else:
                    with LastLayerAtEnds(model.model.layers[-1], tree):
                        hidden = model.hidden_states(**self._row_inputs(row, tree))
            rewards: torch.Tensor = model.reward_head(hidden)
        return rewards[0, : len(row.texts), 0]

    def score_after_tokens(self, text: TokenIds) -> torch.Tensor:
        """Rewards of a text that ends after each of its tokens, in one pass.

        Returns:
            float32, shape (tokens,).
        """
        model = self.model
        with self._running, torch.inference_mode(), self._layers:
            if self._padded:
                ids = torch.from_numpy(text.astype(np.int64)).to(model.device)[None]
                return model.rewards_after_tokens(ids)[0]
            row = single_text(text)
            tree = self._row_kernel()(TreeLayout.of(row))
            with self._tree_attention():
                return model.rewards_after_tokens(**self._row_inputs(row, tree))[0]

    def _row_inputs(self, row: PackedRow, tree: RowAttention) -> dict[str, Any]:
        device = self.model.device
        return {
            "input_ids": torch.from_numpy(row.ids).long().to(device)[None],
            "position_ids": torch.from_numpy(row.positions).to(device)[None],
            "tree": tree,
        }

    def score_padded(self, texts: Sequence[TokenIds]) -> torch.Tensor:
        """Rewards of texts padded on the right to the longest.

        Returns:
            float32, shape (texts,).
        """
        padded = np.full((len(texts), max(len(ids) for ids in texts)), _PADDING_ID, dtype=np.int64)
        for row, ids in zip(padded, texts, strict=True):
            row[: len(ids)] = ids
        device = self.model.device
        with self._running, torch.inference_mode(), self._layers:
            return self.model.rewards_at(
                torch.from_numpy(padded).to(device),
                torch.tensor([len(ids) - 1 for ids in texts], device=device),
            )

    def _row_kernel(self) -> Kernel:
        if self._kernel is None:
            place = Place(self.model.config, self.model.device, self.model.dtype)
            self.kernel_name, self._kernel = choose_kernel(self._requested, place)
            logger.info(
                "Rows attend by attn_implementation=%s on %s.", self.kernel_name, place.device
            )
        return self._kernel

    @contextmanager
    def _tree_attention(self) -> Iterator[None]:
        """Has the backbone attend over trees; outside, the model is as it was loaded.

        Masks are made by the implementation's name, and none is made for this one: with masks of
        its own transformers would see a packed row and make one of the row's length squared.
        """
        register()
        config = self.model.model.config
        before = config._attn_implementation
        config._attn_implementation = NAME
        try:
            yield
        finally:
            config._attn_implementation = before
